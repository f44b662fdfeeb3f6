package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/live"
)

// changes answers with what has changed since a cursor: {statuses, cursor}. Without a cursor it is the one that begins now.
// more says that there are changes already behind the new cursor, reset that nobody knows what has changed: read everything
// again.
func (h *Handler) changes(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	types, err := typesOf(query)
	if err != nil {
		return err
	}
	changes, err := h.client.Changes(r.Context(), &gtf.ChangesParams{After: query.Get("cursor"), Types: types})
	if err != nil {
		return err
	}
	answer := changesAnswer{
		Statuses: make(map[string]changeAnswer, len(changes.Tasks)), Cursor: changes.Cursor, More: changes.More, Reset: changes.Reset,
	}
	for _, c := range changes.Tasks {
		a := changeAnswer{Status: c.Status, Version: c.Version}
		a.Progress, a.Current, a.Total = c.Progress.Parts()
		answer.Statuses[c.ID.String()] = a
	}
	return send(w, answer)
}

type changesAnswer struct {
	Statuses map[string]changeAnswer `json:"statuses"`
	Cursor   string                  `json:"cursor"`
	More     bool                    `json:"more"`
	Reset    bool                    `json:"reset"`
}

type changeAnswer struct {
	Status   gtf.Status `json:"status"`
	Progress *float64   `json:"progress"` // 0 to 1, null if unknown, as in the reference
	Current  *int64     `json:"progress_current"`
	Total    *int64     `json:"progress_total"`
	Version  int64      `json:"version"`
}

// events streams what changes among the tasks that the caller sees; ?task_type= narrows it, and may be repeated.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	types, err := typesOf(query)
	if err != nil {
		return err
	}
	h.stream(w, r, live.Stream{Types: types})
	return nil
}

// taskEvents streams what changes of one task.
func (h *Handler) taskEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := taskID(r)
	if err != nil {
		return err
	}
	if _, err := queryOf(r); err != nil {
		return err
	}
	if _, err := h.client.Status(r.Context(), id); err != nil {
		return err
	}
	h.stream(w, r, live.Stream{Only: id})
	return nil
}

func (h *Handler) stream(w http.ResponseWriter, r *http.Request, s live.Stream) {
	s.Viewer, s.After, s.Alive = gtf.ViewerFrom(r.Context()), live.After(r), h.stillMay(r)
	h.hub.Serve(w, r, s)
}

// typesOf leaves out empty ones, which forms send: without any, it is all types. A stream asks no store that would refuse a
// text that is none.
func typesOf(query url.Values) ([]string, error) {
	var types []string
	for _, t := range query["task_type"] {
		if !utf8.ValidString(t) || strings.Contains(t, "\x00") {
			return nil, invalid("task_type", "is not a text")
		}
		if t != "" {
			types = append(types, t)
		}
	}
	return types, nil
}
