package webui_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/internal/web"
	"github.com/globaltask/gtf/webui"
)

// The row of a task and its JSON say the same, whoever asks.
func TestRowAndJSONAgree(t *testing.T) {
	t.Parallel()
	pages, err := webui.New(gtftest.Client(t, gtftest.NewStore(t), nil), &webui.Options{Authenticator: everybody()})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same tasks at every run
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	people := everybody()
	for n := range 500 {
		task := generated(random, now)
		who := people[[]string{"grace", "alan", "root", "visitor"}[n%4]]
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/tasks", nil)
		view := httpapi.NewTask(task, gtf.ActorFrom(who.Context(t.Context())), now)
		if view.Actions.Cancel.State == gtf.CancelHidden && !gtf.ViewerFrom(who.Context(t.Context())).Sees(task) {
			continue // nobody is shown such a row
		}
		row := pages.RowOf(r, who, task, now)
		doc, err := html.Parse(strings.NewReader("<table>" + row + "</table>"))
		if err != nil {
			t.Fatal(err)
		}
		for class, want := range said(t, view) {
			if got := cell(doc, class); got != want {
				t.Errorf("task %d for %s: %s says %q, the JSON %q", n, who.Principal.ID, class, got, want)
			}
		}
	}
}

// said is what the cells of a row say according to the JSON.
func said(t *testing.T, view *httpapi.Task) map[string]string {
	t.Helper()
	text, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		UUID       string   `json:"uuid"`
		Name       string   `json:"task_name"`
		Key        string   `json:"task_key"`
		Type       string   `json:"task_type"`
		Status     string   `json:"status"`
		Scope      string   `json:"scope"`
		Created    string   `json:"created_on_delta_humanized"`
		Duration   *float64 `json:"duration_seconds"`
		ETA        *float64 `json:"eta_seconds"`
		Count      int      `json:"subscriber_count"`
		Properties struct {
			Percent   *float64 `json:"progress_percent"`
			Current   *int64   `json:"progress_current"`
			Total     *int64   `json:"progress_total"`
			Joined    int      `json:"dedupe_count"`
			Abortable bool     `json:"is_abortable"`
		} `json:"properties"`
		Actions struct {
			Cancel struct {
				State  string  `json:"state"`
				Effect *string `json:"effect"`
			} `json:"cancel"`
		} `json:"actions"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	words := map[string]string{
		"pending": "Pending", "in_progress": "In progress", "aborting": "Aborting", "success": "Success", "failure": "Failed", "aborted": "Aborted",
		"timed_out": "Timed out", "private": "Private", "shared": "Shared", "system": "System",
	}
	cells := map[string]string{
		"c-task": v.Name, "c-status": words[v.Status], "c-type": v.Type, "c-scope": words[v.Scope], "c-created": v.Created, "c-duration": "–", "c-actions": "",
		"c-details": "", "c-progress": "",
	}
	if v.Name == "" {
		cells["c-task"] = v.Key
	}
	if v.Duration != nil {
		cells["c-duration"] = web.Duration(time.Duration(*v.Duration * float64(time.Second)))
	}
	p := v.Properties
	switch {
	case p.Total != nil && *p.Total > 0:
		cells["c-progress"] = fmt.Sprintf("%d of %d (%d%%)", *p.Current, *p.Total, *p.Current*100 / *p.Total)
	case p.Current != nil:
		cells["c-progress"] = fmt.Sprintf("%d processed", *p.Current)
	case p.Percent != nil:
		cells["c-progress"] = fmt.Sprintf("%d%%", int(*p.Percent*100+1e-9))
	}
	if v.ETA != nil {
		cells["c-progress"] += " ETA " + web.Duration(time.Duration(*v.ETA*float64(time.Second)))
	}
	if p.Joined > 0 {
		cells["c-details"] = fmt.Sprintf("+%d", p.Joined)
	}
	switch cancel := v.Actions.Cancel; {
	case cancel.State == "disabled":
		cells["c-actions"] = "Cancel Cannot be cancelled: no abort handler"
	case cancel.State == "available" && *cancel.Effect == "unsubscribe" && v.Status == "in_progress" && !p.Abortable:
		cells["c-actions"] = "Leave"
	case cancel.State == "available":
		cells["c-actions"] = "Cancel"
	}
	return cells
}

func generated(random *rand.Rand, now time.Time) *gtf.Task {
	flip := func() bool { return random.IntN(2) == 0 }
	ago := func() time.Duration {
		return time.Duration(random.ExpFloat64() * float64(time.Hour)).Round(time.Microsecond)
	}
	t := &gtf.Task{
		ID: gtf.NewID(), Type: "test.type", Key: fmt.Sprint("key ", random.IntN(99)), Scope: gtf.Scopes()[random.IntN(3)],
		Status: gtf.Statuses()[random.IntN(7)], CreatedAt: now.Add(-ago()), Abortable: flip(), DedupeCount: max(0, random.IntN(6)-3), CreatedBy: grace,
	}
	if flip() {
		t.Name = fmt.Sprint("Export ", random.IntN(99))
	}
	if t.Status != gtf.StatusPending {
		t.StartedAt = t.CreatedAt.Add(now.Sub(t.CreatedAt) / 3)
		t.ChangedAt = t.StartedAt.Add(now.Sub(t.StartedAt) / 2)
		switch random.IntN(4) {
		case 0:
			t.Progress = gtf.Progress{Form: gtf.FormTotal, Current: int64(random.IntN(61)), Total: 60}
		case 1:
			t.Progress = gtf.Progress{Form: gtf.FormCount, Current: int64(random.IntN(5000))}
		case 2:
			t.Progress = gtf.Progress{Form: gtf.FormFraction, Ratio: random.Float64()}
		}
	}
	if t.Status.Terminal() {
		t.EndedAt = t.ChangedAt
	}
	for _, p := range []gtf.Principal{grace, alan, visitor, root} {
		if flip() {
			t.Subscribers = append(t.Subscribers, gtf.Subscriber{Kind: p.Kind, ID: p.ID, Name: p.Name, Since: t.CreatedAt})
		}
	}
	return t
}
