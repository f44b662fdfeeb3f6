package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
)

// What [web.Problem] has as codes, for clients that tell errors apart.
const (
	codeFinished     = "finished"
	codeNotAbortable = "not_abortable"
	codeNotFound     = "task_not_found"
)

// retrySeconds is when to come back to a store that cannot be reached.
const retrySeconds = 5

// refuse answers with an error (S11.5). What is nobody's business goes into the log.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="gtf"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
	}
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		h.log.Error("request failed", "request", web.RequestID(r.Context()), "error", err)
	}
	p.Write(w, r)
}

// Explain is what the API answers to an error of it or of a [gtf.Client]: a status, and a sentence for people.
func Explain(err error) (status int, message string) {
	p := problemOf(err)
	return p.Status, p.Message
}

// problemOf is the one table from errors to answers.
func problemOf(err error) *web.Problem {
	if p, ok := errors.AsType[*refusal](err); ok {
		return p.problem
	}
	if p, ok := errors.AsType[*gtf.ValidationError](err); ok {
		return web.Invalid(p)
	}
	if p, ok := errors.AsType[*gtf.ExpectError](err); ok {
		problem := web.NewProblem(http.StatusConflict, effectText(p.Now))
		problem.Effect = string(p.Now)
		return problem
	}
	for _, known := range []struct {
		err     error
		status  int
		code    string
		message string
	}{
		{errNobody, http.StatusUnauthorized, "", "say who you are"},
		{auth.ErrCredentials, http.StatusUnauthorized, "", "the credentials are not valid"},
		{gtf.ErrForbidden, http.StatusForbidden, "", "you may not do this"},
		{gtf.ErrNotFound, http.StatusNotFound, codeNotFound, "there is no such task"},
		{gtf.ErrFinished, http.StatusUnprocessableEntity, codeFinished, "the task has finished already"},
		{gtf.ErrNotAbortable, http.StatusUnprocessableEntity, codeNotAbortable, "the task cannot be aborted: it has no abort handler"},
		{gtf.ErrUnavailable, http.StatusServiceUnavailable, "", "the store of the tasks cannot be reached"},
		{gtf.ErrLocked, http.StatusServiceUnavailable, "", "the task is being changed by somebody else"},
		{gtf.ErrReadOnly, http.StatusServiceUnavailable, "", "the store of the tasks cannot be written"},
		{gtf.ErrStopped, http.StatusServiceUnavailable, "", "the server is stopping"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "", "it took too long"},
		{context.Canceled, http.StatusServiceUnavailable, "", "the request was given up"},
	} {
		if errors.Is(err, known.err) {
			problem := web.NewProblem(known.status, known.message)
			problem.Code = known.code
			return problem
		}
	}
	return web.NewProblem(http.StatusInternalServerError, "something went wrong here")
}

// refusal is an error that knows its answer.
type refusal struct{ problem *web.Problem }

func (e *refusal) Error() string { return e.problem.Message }

func refused(status int, message string) error { return &refusal{web.NewProblem(status, message)} }

// invalid refuses one parameter.
func invalid(field, reason string) error {
	return &gtf.ValidationError{Problems: []gtf.Problem{{Field: field, Reason: reason}}}
}
