package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
)

// cancel does what the table of S7 says, and answers {message, action, task}. The task is as the deed has left it: whoever
// leaves one sees it here for the last time.
func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) error {
	if wait, ok := h.limits.take(auth.From(r.Context()).Principal); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return refused(http.StatusTooManyRequests, "you have cancelled too many tasks at once: wait a moment")
	}
	id, err := taskID(r)
	if err != nil {
		return err
	}
	opts, err := cancelOpts(r)
	if err != nil {
		return err
	}
	did, err := h.client.Cancel(r.Context(), id, opts)
	switch {
	case errors.Is(err, gtf.ErrForbidden) && opts.Force:
		return refused(http.StatusForbidden, "only an admin can force")
	case errors.Is(err, gtf.ErrForbidden):
		return refused(http.StatusForbidden, "you do not follow this task: use force to stop it for everyone")
	case err != nil:
		return err
	}
	return send(w, cancelAnswer{
		Message: canceledText(did), Action: did.Effect.Action(), Task: view(r, did.Task, time.Now(), opts.Client),
	})
}

type cancelAnswer struct {
	Message string `json:"message"`
	Action  string `json:"action"`
	Task    *Task  `json:"task"`
}

func canceledText(did *gtf.Canceled) string {
	switch {
	case did.Effect == gtf.EffectUnsubscribe:
		return "You have left the task. It goes on for the others."
	case did.Effect == gtf.EffectDetach:
		return "This client has left the task. It goes on for your other ones."
	case did.Task.Status == gtf.StatusAborting:
		return "The task has been asked to stop."
	}
	return "The task has been aborted."
}

// effectText says what a cancel would do now, to whom had expected something else.
func effectText(now gtf.CancelEffect) string {
	switch now {
	case gtf.EffectUnsubscribe:
		return "the task has changed: you would now only leave it, and it would go on for the others"
	case gtf.EffectDetach:
		return "the task has changed: only this client would now leave it"
	}
	return "the task has changed: it would now stop for everyone"
}

// cancelOpts reads the body, which may be missing. Members that it does not know are ignored.
func cancelOpts(r *http.Request) (*gtf.CancelOpts, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, &refusal{web.BodyProblem(err)}
	}
	var members map[string]json.RawMessage
	if body = bytes.TrimSpace(body); len(body) > 0 {
		if err := json.Unmarshal(body, &members); err != nil || members == nil { // nil: null
			return nil, invalid("body", "is not a JSON object")
		}
	}
	var force bool
	var expect, client, tab string
	var bad []gtf.Problem
	for _, field := range []struct {
		name   string
		target any
		want   string
	}{
		{"force", &force, "true or false"}, {"expect", &expect, "a text"}, {"client", &client, "a text"}, {"tab_id", &tab, "a text"},
	} {
		if raw, given := members[field.name]; given && json.Unmarshal(raw, field.target) != nil {
			bad = append(bad, gtf.Problem{Field: field.name, Reason: "must be " + field.want})
		}
	}
	if len(bad) > 0 {
		return nil, &gtf.ValidationError{Problems: bad}
	}
	return &gtf.CancelOpts{Client: clientOf(client, tab), Expect: gtf.CancelEffect(expect), Force: force}, nil
}
