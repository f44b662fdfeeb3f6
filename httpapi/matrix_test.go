package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
)

var (
	hedy = gtf.Principal{Kind: gtf.KindUser, ID: "hedy-id", Name: "Hedy Lamarr"} // follows only what few see
	vera = gtf.Principal{Kind: gtf.KindUser, ID: "5", Name: "Vera Rubin"}
)

// scene is who follows which task, by the task's name. Everything about a task has that name in it, and nothing else has.
var scene = map[string]struct {
	scope  gtf.Scope
	people []gtf.Principal
}{
	"t1_private_of_ada":   {gtf.ScopePrivate, []gtf.Principal{ada}},
	"t2_private_of_vera":  {gtf.ScopePrivate, []gtf.Principal{vera}},
	"t3_private_of_guest": {gtf.ScopePrivate, []gtf.Principal{guest}},
	"t4_shared":           {gtf.ScopeShared, []gtf.Principal{ada, vera, guest, grace}},
	"t5_shared_by_few":    {gtf.ScopeShared, []gtf.Principal{grace, hedy}},
	"t6_shared_left":      {gtf.ScopeShared, []gtf.Principal{ada, hedy}}, // Ada leaves it
	"t7_system":           {gtf.ScopeSystem, []gtf.Principal{root, ada}},
}

// sentinel is a type of which each caller gets a task last.
const sentinel = "matrix.sentinel"

// callers are who asks, and which tasks they see.
var callers = []struct {
	name string
	who  *auth.Identity // nil: nobody
	sees []string
}{
	{name: "anonymous"},
	{name: "viewer", who: &auth.Identity{Principal: vera, Read: true}, sees: []string{"t2_private_of_vera", "t4_shared"}},
	{name: "user who is subscribed", who: &auth.Identity{Principal: ada, Read: true, Write: true}, sees: []string{"t1_private_of_ada", "t4_shared"}},
	{name: "user who is a stranger", who: &auth.Identity{Principal: alan, Read: true, Write: true}},
	{name: "guest", who: &auth.Identity{Principal: guest, Read: true, Write: true}, sees: []string{"t3_private_of_guest", "t4_shared"}},
	{
		name: "guest limited to one type", sees: []string{"t4_shared"},
		who: &auth.Identity{Principal: guest, Read: true, Write: true, Types: []string{"matrix.t4_shared", sentinel}},
	},
	{name: "guest limited to another type", who: &auth.Identity{Principal: guest, Read: true, Write: true, Types: []string{sentinel}}},
	{name: "admin", who: &auth.Identity{Principal: root, Read: true, Write: true}, sees: slices.Sorted(maps.Keys(scene))},
	{name: "user who may nothing", who: &auth.Identity{Principal: ada}},
}

// The fields of a task, and those that only admins get.
var (
	taskFields = strings.Fields(`abort_reason aborted_at aborted_by actions attempt changed_on created_by created_on
		created_on_delta_humanized depends_on due_at duration_seconds ended_at eta_seconds id log_dropped log_lines max_attempts payload
		priority properties queue required_by result scope started_at status subscriber_count subscribers task_key task_name task_type
		timeout_warning user_id uuid version`)
	adminFields   = []string{"dedup_key", "heartbeat_age_seconds", "worker"}
	propertyNames = strings.Fields(`dedupe_count error_message execution_mode is_abortable progress_current progress_percent progress_total timeout`)
)

// Nobody learns anything of a task that they do not see (S10): every caller asks every endpoint for every task.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, caller := range callers {
		t.Run(caller.name, func(t *testing.T) {
			t.Parallel()
			m := newMatrix(t, caller.who, caller.sees)
			m.askForEach()
			m.askForAll()
			m.listen()
			m.cancelEach()
		})
	}
}

// matrix is one caller, and the tasks.
type matrix struct {
	*world
	token  string
	who    *auth.Identity
	sees   []string
	ids    map[string]gtf.ID
	last   *gtf.Definition[input, string] // of the sentinel
	cursor string                         // before all tasks
}

func newMatrix(t *testing.T, who *auth.Identity, sees []string) *matrix {
	m := &matrix{who: who, sees: sees, ids: map[string]gtf.ID{}}
	keys := everybody()
	if who != nil {
		m.token = "the caller"
		keys[m.token] = *who
	}
	defs := map[string]*gtf.Definition[input, string]{}
	for name, s := range scene {
		defs[name] = gtf.Define[input, string]("matrix."+name, &gtf.DefineOpts[input]{Key: keyOf, Scope: s.scope})
	}
	m.last = gtf.Define[input, string](sentinel, &gtf.DefineOpts[input]{Key: keyOf})
	m.world = newWorld(t, worldOpts{
		api: httpapi.Options{Authenticator: keys, CancelRate: -1}, defs: slices.Collect(maps.Values(defs)),
	})
	changes, err := m.client.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	m.cursor = changes.Cursor
	for name, s := range scene {
		m.ids[name] = m.running(defs[name], input{Key: name, Abortable: true}, s.people...)
	}
	wantStatus(t, m.world.cancel("ada", m.ids["t6_shared_left"], ""), http.StatusOK)
	return m
}

// may tells which status is expected where everything else is in order.
func (m *matrix) may(read bool) int {
	switch {
	case m.who == nil:
		return http.StatusUnauthorized
	case read && !m.who.Read, !read && !m.who.Write:
		return http.StatusForbidden
	}
	return http.StatusOK
}

func (m *matrix) seesTask(name string) bool { return slices.Contains(m.sees, name) }

// ask sends a request, and looks for what the caller must not learn.
func (m *matrix) ask(method, path, body string, headers ...string) *answer {
	m.t.Helper()
	a := m.do(method, m.token, list+path, body, headers...)
	m.wantNoLeak(method+" "+path, a.text+fmt.Sprint(a.header))
	if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
		m.t.Errorf("%s %s: 401 without WWW-Authenticate", method, path)
	}
	return a
}

func (m *matrix) wantNoLeak(where, text string) {
	m.t.Helper()
	for name, id := range m.ids {
		if m.seesTask(name) {
			continue
		}
		for _, secret := range []string{name, id.String()} {
			if strings.Contains(text, secret) {
				m.t.Errorf("%s tells of %s, which is hidden: %s", where, name, text)
			}
		}
	}
	if m.who == nil || !m.who.Principal.Admin {
		for _, secret := range []string{hedy.ID, hedy.Name, "Hedy"} {
			if strings.Contains(text, secret) {
				m.t.Errorf("%s tells of %s, who follows only what is hidden: %s", where, hedy.Name, text)
			}
		}
	}
}

func (m *matrix) askForEach() {
	for name, id := range m.ids {
		want := m.may(true)
		if want == http.StatusOK && !m.seesTask(name) {
			want = http.StatusNotFound
		}
		for path, marks := range map[string]string{
			"": `"task_name":"name-of-` + name, "/status": `{"status":"in_progress"}`, "/logs": "log-of-" + name,
			"?client=tab-1": `"note":"payload-of-` + name,
		} {
			a := m.ask(http.MethodGet, id.String()+path, "")
			if a.status != want || want == http.StatusOK && !strings.Contains(a.text, marks) {
				m.t.Errorf("%s%s answers %d, want %d and %s in it: %s", name, path, a.status, want, marks, a.text)
			}
			if path == "" && want == http.StatusOK {
				m.wantFields(a, "result", name)
			}
			if head := m.ask(http.MethodHead, id.String()+path, ""); head.status != want || head.text != "" {
				m.t.Errorf("HEAD of %s%s answers %d and %q, want %d", name, path, head.status, head.text, want)
			}
		}
		s := m.open(m.token, id.String()+"/events")
		if s.status != want {
			m.t.Errorf("%s/events answers %d, want %d", name, s.status, want)
		}
		if want == http.StatusOK {
			m.wantNoLeak("the stream of "+name, s.until(`"status":"in_progress"`))
		}
		s.hangUp()
	}
}

// wantFields looks whether exactly the fields are there that the caller may see.
func (m *matrix) wantFields(a *answer, path, name string) {
	m.t.Helper()
	want := slices.DeleteFunc(slices.Clone(taskFields), func(f string) bool { return f == "abort_reason" }) // nobody aborted it
	if m.who.Principal.Admin {
		want = append(want, adminFields...)
	}
	slices.Sort(want)
	if got := a.members(path); !slices.Equal(got, want) {
		m.t.Errorf("%s has the fields %v, want %v", name, got, want)
	}
	if got := a.members(path + ".properties"); !slices.Equal(got, propertyNames) {
		m.t.Errorf("%s has the properties %v, want %v", name, got, propertyNames)
	}
	button := "available"
	if !m.who.Write {
		button = "hidden"
	}
	if got := a.at(path + ".actions.cancel.state"); got != button {
		m.t.Errorf("the button of %s is %v, want %s", name, got, button)
	}
}

func (m *matrix) askForAll() {
	want := m.may(true)
	ids, types := []string{}, []string{}
	creators, followers := map[string]bool{}, map[string]bool{}
	for _, name := range m.sees {
		ids, types = append(ids, m.ids[name].String()), append(types, "matrix."+name)
		creators[httpapi.FormatPrincipal(scene[name].people[0])] = true
		for _, p := range scene[name].people {
			if name != "t6_shared_left" || p != ada {
				followers[httpapi.FormatPrincipal(p)] = true
			}
		}
	}
	slices.Sort(ids)
	lists := map[string][]string{ // what each tells, sorted
		"": ids, "?q=(order_column:task_type,order_direction:asc)": ids, "?text=name-of": ids, "?count=false": ids,
		"status_changes?cursor=" + m.cursor: ids,
		"distinct/task_type":                slices.Sorted(slices.Values(types)),
		"related/created_by":                slices.Sorted(maps.Keys(creators)),
		"related/subscribers":               slices.Sorted(maps.Keys(followers)),
		"status_changes":                    {},
	}
	for _, filter := range []string{
		"?subscriber=hedy-id", "?created_by=8", "?scope=system", "?task_type=matrix.t7_system", "?text=t5_shared", "?filter=task_key:sw:t6",
		"?subscriber=hedy-id&sort=task_type", "?q=(filters:!((col:task_type,opr:eq,value:matrix.t7_system)))",
	} {
		lists[filter] = slices.Sorted(slices.Values(m.matches(filter)))
	}
	for path, told := range lists {
		a := m.ask(http.MethodGet, path, "")
		if a.status != want {
			m.t.Errorf("GET %s answers %d, want %d: %s", path, a.status, want, a.text)
		}
		if want != http.StatusOK {
			continue
		}
		if got := tells(a); !slices.Equal(got, told) {
			m.t.Errorf("GET %s tells %v, want %v", path, got, told)
		}
		if n, counted := a.at("count").(float64); counted && int(n) != len(told) {
			m.t.Errorf("GET %s counts %v, want %d", path, n, len(told))
		}
	}
	info := m.ask(http.MethodGet, "_info", "")
	wantStatus(m.t, info, want)
	if want == http.StatusOK {
		if got := fmt.Sprint(info.at("user.id"), info.at("user.kind")); got != m.who.Principal.ID+string(m.who.Principal.Kind) {
			m.t.Errorf("_info says that the caller is %s", got)
		}
		if got := strings.Contains(info.text, "can_write"); got != m.who.Write {
			m.t.Errorf("_info says that the caller can write: %v, want %v", got, m.who.Write)
		}
	}
}

// matches are the ids of what the caller sees of what a filter finds.
func (m *matrix) matches(filter string) []string {
	found := []string{}
	for _, name := range m.sees {
		hit := strings.Contains(filter, "hedy") && slices.Contains(scene[name].people, hedy) ||
			strings.Contains(filter, "created_by=8") && scene[name].people[0] == grace ||
			strings.Contains(filter, "system") && scene[name].scope == gtf.ScopeSystem ||
			strings.Contains(filter, "t5") && strings.HasPrefix(name, "t5") || strings.Contains(filter, "sw:t6") && strings.HasPrefix(name, "t6")
		if hit {
			found = append(found, m.ids[name].String())
		}
	}
	return found
}

// tells are the ids or values of an answer, sorted.
func tells(a *answer) []string {
	told := a.members("statuses")
	if told == nil {
		told = []string{}
	}
	result, _ := a.at("result").([]any)
	for _, each := range result {
		members, _ := each.(map[string]any)
		for _, name := range []string{"uuid", "value"} {
			if text, ok := members[name].(string); ok {
				told = append(told, text)
			}
		}
	}
	slices.Sort(told)
	return told
}

// listen opens the stream of everything behind the first cursor, and changes every task.
func (m *matrix) listen() {
	want := m.may(true)
	s := m.open(m.token, "events", "Last-Event-ID", m.cursor)
	defer s.hangUp()
	if s.status != want {
		m.t.Errorf("events answers %d, want %d", s.status, want)
	}
	if want != http.StatusOK {
		return
	}
	for _, id := range m.ids {
		if _, err := m.client.Cancel(m.t.Context(), id, &gtf.CancelOpts{Force: true}); err != nil {
			m.t.Fatal(err)
		}
	}
	last := m.schedule(m.last, input{Key: "sentinel"}, &gtf.ScheduleOpts{Queue: "nobody"}, m.who.Principal)
	text := s.until(last.String())
	m.wantNoLeak("events", text)
	for _, name := range m.sees {
		if !strings.Contains(text, m.ids[name].String()) {
			m.t.Errorf("events do not tell of %s: %s", name, text)
		}
	}
	if _, err := m.client.Cancel(m.t.Context(), last, nil); err != nil {
		m.t.Fatal(err)
	}
}

func (m *matrix) cancelEach() {
	for name, id := range m.ids {
		want := m.may(false)
		switch {
		case want != http.StatusOK:
		case !m.seesTask(name):
			want = http.StatusNotFound
		case m.who.Principal.Admin && scene[name].scope == gtf.ScopeShared:
			want = http.StatusForbidden // without force
		}
		if a := m.ask(http.MethodPost, id.String()+"/cancel", ""); a.status != want {
			m.t.Errorf("cancel of %s answers %d, want %d: %s", name, a.status, want, a.text)
		}
		if want == http.StatusNotFound {
			a := m.ask(http.MethodPost, id.String()+"/cancel", `{"force":true,"expect":"detach"}`)
			wantStatus(m.t, a, want)
		}
	}
}
