package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	var ids []string
	for i := range 5 {
		ids = append(ids, w.pending(privateWork, fmt.Sprint("key-", i), ada).String())
	}
	slices.Reverse(ids) // newest first
	told := func(a *answer) []string {
		t.Helper()
		wantStatus(t, a, http.StatusOK)
		var page struct {
			IDs    []string `json:"ids"`
			Result []struct {
				UUID string `json:"uuid"`
			} `json:"result"`
		}
		if err := json.Unmarshal([]byte(a.text), &page); err != nil {
			t.Fatal(err)
		}
		for i, id := range page.IDs {
			if page.Result[i].UUID != id {
				t.Errorf("id %d is %s, that of the task is %s", i, id, page.Result[i].UUID)
			}
		}
		return page.IDs
	}
	t.Run("pages go on behind a cursor, and count the same", func(t *testing.T) {
		t.Parallel()
		var got []string
		next := ""
		for pages := 0; pages == 0 || next != ""; pages++ {
			a := w.get("ada", "?page_size=2&cursor="+url.QueryEscape(next))
			got = append(got, told(a)...)
			if a.at("count") != 5.0 || a.at("count_capped") != nil {
				t.Errorf("the count is %v, want 5", a.at("count"))
			}
			next, _ = a.at("next").(string)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("the pages have %v, want %v", got, ids)
		}
	})
	t.Run("pages have numbers, too", func(t *testing.T) {
		t.Parallel()
		if got := told(w.get("ada", "?q=(page:1,page_size:2)")); !slices.Equal(got, ids[2:4]) {
			t.Errorf("the second page has %v, want %v", got, ids[2:4])
		}
	})
	t.Run("an empty list is a list", func(t *testing.T) {
		t.Parallel()
		a := w.get("alan", "")
		if got := told(a); len(got) != 0 || !strings.Contains(a.text, `"ids":[]`) || !strings.Contains(a.text, `"result":[]`) {
			t.Errorf("answered %s", a.text)
		}
	})
	t.Run("without a count it is null", func(t *testing.T) {
		t.Parallel()
		if a := w.get("ada", "?count=false"); a.at("count") != nil || !strings.Contains(a.text, `"count":null`) {
			t.Errorf("answered %.100s", a.text)
		}
	})
	t.Run("what it cannot do is 400 and named", func(t *testing.T) {
		t.Parallel()
		for query, field := range map[string]string{
			"?colour=red": "colour", "?page_size=101": "page_size", "?cursor=x": "cursor", "?filter=colour:eq:red": "filters",
			"?q=(": "q", "?sort=colour": "order", "?filter=status:eq:gone": "filters.status",
		} {
			a := w.get("ada", query)
			wantStatus(t, a, http.StatusBadRequest)
			if !strings.Contains(a.text, `"field":"`+field+`"`) {
				t.Errorf("%s: does not name %s: %s", query, field, a.text)
			}
		}
	})
}

func TestDetail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	id := w.running(sharedWork, input{Key: "one"}, ada, grace)
	path := id.String()
	t.Run("has a tag as long as nothing changes, whatever the clock says", func(t *testing.T) {
		first := w.get("ada", path)
		tag := first.header.Get("ETag")
		if !strings.HasPrefix(tag, `W/"`) || !strings.Contains(first.header.Get("Cache-Control"), "private") {
			t.Errorf("ETag %q, Cache-Control %q", tag, first.header.Get("Cache-Control"))
		}
		for first.at("result.duration_seconds") == w.get("ada", path).at("result.duration_seconds") {
			continue // until the clock has moved on
		}
		for _, header := range []string{tag, `"x", ` + tag, "*", strings.TrimPrefix(tag, "W/")} {
			a := w.get("ada", path, "If-None-Match", header)
			wantStatus(t, a, http.StatusNotModified)
			if a.text != "" || a.header.Get("ETag") != tag {
				t.Errorf("answered %q with tag %q", a.text, a.header.Get("ETag"))
			}
		}
		wantStatus(t, w.get("ada", path, "If-None-Match", `W/"other"`), http.StatusOK)
		wantStatus(t, w.get("alan", path, "If-None-Match", tag), http.StatusNotFound)
		if other := w.get("root", path).header.Get("ETag"); other == tag {
			t.Error("an admin, who sees more, has the same tag")
		}
		wantStatus(t, w.cancel("grace", id, ""), http.StatusOK)
		a := w.get("ada", path, "If-None-Match", tag)
		wantStatus(t, a, http.StatusOK)
		if a.header.Get("ETag") == tag {
			t.Error("the tag is the same although a subscriber has left")
		}
	})
	t.Run("tells what a cancel by a client would do", func(t *testing.T) {
		in := input{Key: "clients"}
		two := w.schedule(perClientWork, in, &gtf.ScheduleOpts{Queue: "nobody", Client: "tab-1"}, ada)
		w.schedule(perClientWork, in, &gtf.ScheduleOpts{Queue: "nobody", Client: "tab-2"}, ada)
		for query, want := range map[string]string{
			"": "abort", "?client=tab-1": "detach", "?tab_id=tab-2": "detach", "?client=a%20b": "abort",
		} {
			if got := w.get("ada", two.String()+query).at("result.actions.cancel.effect"); got != want {
				t.Errorf("%q: the effect is %v, want %s", query, got, want)
			}
		}
	})
}

func TestLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	id := w.finished(privateWork, "one", ada)
	a := w.get("ada", id.String()+"/logs")
	wantStatus(t, a, http.StatusOK)
	if a.at("count") != 1.0 || a.at("dropped") != 0.0 || a.at("next") != 1.0 || !strings.Contains(a.text, `"level":"INFO","text":"works on=log-of-one"`) {
		t.Errorf("answered %s", a.text)
	}
	a = w.get("ada", id.String()+"/logs?after=1&limit=10")
	if a.at("next") != 1.0 || !strings.Contains(a.text, `"result":[]`) {
		t.Errorf("behind the last line it answers %s", a.text)
	}
	for _, query := range []string{"?after=-1", "?after=x", "?limit=0", "?limit=10001", "?limit=1.5"} {
		a := w.get("ada", id.String()+"/logs"+query)
		wantStatus(t, a, http.StatusBadRequest)
		if field := strings.Trim(query, "?=-.015x"); !strings.Contains(a.text, `"field":"`+field+`"`) {
			t.Errorf("%s: it does not name %s: %s", query, field, a.text)
		}
	}
}

func TestStatusChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	start := w.get("ada", "status_changes")
	cursor, _ := start.at("cursor").(string)
	if len(start.members("statuses")) != 0 || cursor == "" {
		t.Fatalf("the first answer is %s", start.text)
	}
	running := w.running(privateWork, input{Key: "one"}, ada).String()
	waits := w.pending(sharedWork, "two", ada).String()
	after := func(cursor string) string { return "status_changes?cursor=" + url.QueryEscape(cursor) }
	a := w.get("ada", after(cursor))
	for path, want := range map[string]any{
		running + ".status": "in_progress", running + ".progress": 0.25, running + ".progress_current": 1.0, running + ".progress_total": 4.0,
		waits + ".status": "pending", waits + ".progress": nil,
	} {
		if got := a.at("statuses." + path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if got := w.get("ada", after(cursor)+"&task_type=test.shared").members("statuses"); !slices.Equal(got, []string{waits}) {
		t.Errorf("of one type it tells %v, want %s", got, waits)
	}
	next, _ := a.at("cursor").(string)
	wantStatus(t, w.do(http.MethodPost, "ada", list+waits+"/cancel", ""), http.StatusOK)
	if got := w.get("ada", after(next)).at("statuses." + waits + ".status"); got != "aborted" {
		t.Errorf("later it is %v, want aborted", got)
	}
	bad := w.get("ada", after("nonsense"))
	wantStatus(t, bad, http.StatusBadRequest)
}

func TestParametersThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	id := w.pending(privateWork, "one", ada).String()
	for _, path := range []string{"", "status_changes", "events", id + "/events", id + "/logs", "related/created_by", "related/subscribers", "distinct/task_type"} {
		for _, query := range []string{"?cursor=%zz", "?text=a;after=1"} {
			a := w.get("ada", path+query)
			if wantStatus(t, a, http.StatusBadRequest); !strings.Contains(a.text, `"field":"query"`) {
				t.Errorf("%s%s: it does not name the query: %s", path, query, a.text)
			}
		}
	}
	for _, path := range []string{"status_changes", "events"} {
		for _, query := range []string{"?task_type=%00", "?task_type=test.private&task_type=a%ff"} {
			a := w.get("ada", path+query)
			if wantStatus(t, a, http.StatusBadRequest); !strings.Contains(a.text, `"field":"task_type"`) {
				t.Errorf("%s%s: it does not name the types: %s", path, query, a.text)
			}
		}
	}
	for _, query := range []string{"?filter=status:in:" + strings.Repeat("a,", 10_000), "?status=" + strings.Repeat(",", 10_000),
		"?created_by=" + strings.Repeat("guest:&created_by=", 1500), "?q=(filters:!(" + strings.Repeat("1,", 10_000) + "1))",
		"?" + strings.Repeat("x", 20_000), "?x" + strings.Repeat("=&xx", 2000) + strings.Repeat("x", 1000)} {
		a := w.get("ada", query)
		if wantStatus(t, a, http.StatusBadRequest); len(a.text) > 20_000 {
			t.Errorf("a query of %d bytes, %.30s…, is refused with %d bytes", len(query), query, len(a.text))
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	strange := gtf.Principal{ID: "guest:9", Name: "Odd Id"}
	w.pending(sharedWork, "one", ada, grace, guest, strange, gtf.Principal{ID: "me"})
	w.pending(privateWork, "two", ada)
	w.pending(privateWork, "digits", gtf.Principal{ID: "12345"})
	values := func(a *answer) string {
		t.Helper()
		wantStatus(t, a, http.StatusOK)
		if result, _ := a.at("result").([]any); a.at("count") != float64(len(result)) {
			t.Errorf("the count is %v of %d", a.at("count"), len(result))
		}
		return strings.Join(tells(a), " ")
	}
	for path, want := range map[string]string{
		"related/subscribers":                                        "7 8 guest:7 user:guest:9 user:me",
		"related/subscribers?text=LOVE":                              "7",
		"related/subscribers?q=grace":                                "8",
		"related/subscribers?q=Grace+Hopper":                         "8",
		"related/subscribers?q='Grace+Hopper'":                       "8",
		"related/created_by?q=(filter:lovelace,page:0,page_size:25)": "7",
		"related/created_by?q=(filter:lovelace,page:1,page_size:25)": "",
		"related/created_by?q=(page:0,page_size:-1)":                 "7",
		"related/created_by?text=nobody+at+all":                      "",
		"distinct/task_type":                                         "test.private test.shared",
		"distinct/task_type?q=(filter:shared)":                       "test.shared",
	} {
		if got := values(w.get("ada", path)); got != want {
			t.Errorf("%s tells %q, want %q", path, got, want)
		}
	}
	if got := values(w.get("root", "related/created_by?q=(filter:12345)")); got != "12345" {
		t.Errorf("a text of digits finds %q", got)
	}
	for name, want := range map[string]float64{"7": 2, "me": 2, "user:me": 1, "guest:7": 1, "user:guest:9": 1, "guest:9": 0} {
		if got := w.get("ada", "?subscriber="+url.QueryEscape(name)).at("count"); got != want {
			t.Errorf("the list of subscriber %s counts %v, want %v", name, got, want)
		}
	}
	for _, query := range []string{"?q=(", "?q=!(1)", "?q=(filter:!t)", "?q=(page:x)", "?q=a&text=b", "?text=" + strings.Repeat("x", 300)} {
		wantStatus(t, w.get("ada", "related/created_by"+query), http.StatusBadRequest)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	a := w.get("guest", "_info")
	wantStatus(t, a, http.StatusOK)
	for path, want := range map[string]any{
		"enabled": true, "user.id": "7", "user.kind": "guest", "user.name": guest.Name, "user.admin": false, "limits.max_page_size": 100.0,
	} {
		if got := a.at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	var filterable []string
	for _, f := range gtf.Filterables() {
		filterable = append(filterable, string(f.Column))
		ways, _ := a.at("filters." + string(f.Column)).([]any)
		if len(ways) != len(f.Ops) {
			t.Errorf("there are %d ways to filter by %s, want %d", len(ways), f.Column, len(f.Ops))
		}
		for _, way := range ways {
			if way.(map[string]any)["name"] == "" { //nolint:errcheck,forcetypeassert // else the test fails
				t.Errorf("a way to filter by %s has no name: %v", f.Column, way)
			}
		}
	}
	slices.Sort(filterable)
	if got := a.members("filters"); !slices.Equal(got, filterable) {
		t.Errorf("filters by %v, want %v", got, filterable)
	}
}

// What of a failed task only some see (S10.4).
func TestErrorFields(t *testing.T) {
	t.Parallel()
	failing := gtf.Define[string, string]("test.failing", nil)
	fail := func(context.Context, string) (string, error) { panic("boom") }
	for _, show := range []bool{false, true} {
		t.Run(fmt.Sprint("with ShowStackTrace ", show), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOpts{config: gtf.Config{ShowStackTrace: show, Handlers: []gtf.Handler{failing.Handler(fail)}}})
			h, err := failing.Schedule(gtf.WithPrincipal(t.Context(), ada), w.client, "", &gtf.ScheduleOpts{Queue: runningQueue})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Wait(t.Context()); !errors.Is(err, gtf.ErrFailed) {
				t.Fatal(err)
			}
			for token, sees := range map[string]bool{"ada": show, "root": true} {
				for path, a := range map[string]*answer{"result.properties": w.get(token, h.ID.String()), "": w.get(token, "")} {
					if message := `"error_message":"panic: boom"`; !strings.Contains(a.text, message) {
						t.Errorf("%s does not see %s: %s", token, message, a.text)
					}
					if got := strings.Contains(a.text, "exception_type") && strings.Contains(a.text, "stack_trace"); got != sees {
						t.Errorf("%s sees type and stack in %q: %v, want %v: %s", token, path, got, sees, a.text)
					}
				}
			}
		})
	}
}
