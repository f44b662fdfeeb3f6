package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
)

// list answers with a page: {count, ids, result, count_capped, next}. What next holds is the parameter cursor of the page
// behind, with all others as they were; it is missing on the last page. count is null if it was not wanted.
func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	params, err := parseList(r)
	if err != nil {
		return err
	}
	page, err := h.client.List(r.Context(), params)
	if err != nil {
		return err
	}
	answer := listAnswer{IDs: make([]gtf.ID, len(page.Tasks)), Result: make([]*Task, len(page.Tasks)), Capped: page.Capped, Next: page.Next}
	if !params.NoCount {
		answer.Count = &page.Count
	}
	now := time.Now()
	for i, t := range page.Tasks {
		answer.IDs[i], answer.Result[i] = t.ID, view(r, t, now, "")
	}
	return send(w, answer)
}

type listAnswer struct {
	Count  *int     `json:"count"`
	Capped bool     `json:"count_capped,omitempty"`
	IDs    []gtf.ID `json:"ids"`
	Next   string   `json:"next,omitempty"`
	Result []*Task  `json:"result"`
}

// detail answers with a task, unless the client has it already. The tag changes whenever anything that is stored of the task
// does, or what the caller may see or do. It does not change with the clock: who is told that nothing has changed counts
// durations on.
func (h *Handler) detail(w http.ResponseWriter, r *http.Request) error {
	t, err := h.task(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	client := clientOf(query.Get("client"), query.Get("tab_id"))
	tag, err := tagOf(view(r, t, t.ChangedAt, client))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if hasTag(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	v := view(r, t, time.Now(), client)
	if v.HeartbeatAge, err = h.heartbeatAge(r, t); err != nil {
		return err
	}
	return send(w, detailAnswer{v})
}

type detailAnswer struct {
	Result *Task `json:"result"`
}

// status answers with the status alone, the cheapest way to poll a task.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) error {
	id, err := taskID(r)
	if err != nil {
		return err
	}
	status, err := h.client.Status(r.Context(), id)
	if err != nil {
		return err
	}
	return send(w, statusAnswer{status})
}

type statusAnswer struct {
	Status gtf.Status `json:"status"`
}

// taskID reads the id in the path. What is none is not found (S7).
func taskID(r *http.Request) (gtf.ID, error) {
	id, err := gtf.ParseID(r.PathValue("uuid"))
	if err != nil {
		return id, gtf.ErrNotFound
	}
	return id, nil
}

func (h *Handler) task(r *http.Request) (*gtf.Task, error) {
	id, err := taskID(r)
	if err != nil {
		return nil, err
	}
	return h.client.Get(r.Context(), id)
}

// heartbeatAge is how long the worker of a running task has been silent; for admins, who may ask for workers (S10.4).
func (h *Handler) heartbeatAge(r *http.Request, t *gtf.Task) (*float64, error) {
	if t.Worker == "" || !t.Status.Active() || !gtf.ViewerFrom(r.Context()).All {
		return nil, nil
	}
	workers, err := h.client.Workers(r.Context())
	if err != nil {
		return nil, err
	}
	for _, each := range workers {
		if each.ID == t.Worker {
			return new(each.Silence.Seconds()), nil
		}
	}
	return nil, nil
}

// view is what the caller sees of a task. Who may only look is offered no button.
func view(r *http.Request, t *gtf.Task, now time.Time, client string) *Task {
	cancel := gtf.DecideCancel(t, gtf.ActorFrom(r.Context()), gtf.CancelOpts{Client: client})
	if !auth.From(r.Context()).Write {
		cancel = gtf.CancelDecision{State: gtf.CancelHidden, Force: gtf.ForceNone, Reason: "you have no permission to cancel", Others: cancel.Others}
	}
	return newTask(t, now, cancel)
}

var clientNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// clientOf is the first text that can name a client of the caller; others are ignored (S11).
func clientOf(names ...string) string {
	for _, name := range names {
		if clientNames.MatchString(name) {
			return name
		}
	}
	return ""
}

func tagOf(v *Task) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode task %s: %w", v.ID, err)
	}
	sum := sha256.Sum256(text)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, nil // weak: the bytes differ with the clock
}

// hasTag compares as RFC 9110 has it for If-None-Match: weakly.
func hasTag(headers []string, tag string) bool {
	for _, header := range headers {
		for each := range strings.SplitSeq(header, ",") {
			each = strings.TrimSpace(each)
			if each == "*" || strings.TrimPrefix(each, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// send answers with 200, once it is clear that the answer can be written.
func send(w http.ResponseWriter, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // who has gone does not need it
	return nil
}
