package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/globaltask/gtf"
)

// Problem is the body of an answer that is an error (S11.5): the reference's message beside the fields of RFC 9457.
type Problem struct {
	Message   string   `json:"message"`
	Type      string   `json:"type"` // "about:blank": the status says it all
	Title     string   `json:"title"`
	Status    int      `json:"status"`
	Detail    string   `json:"detail,omitempty"`
	Code      string   `json:"code,omitempty"` // for programs, where the status does not say it all: finished, not_abortable, …
	Errors    []Reason `json:"errors,omitempty"`
	Effect    string   `json:"effect,omitempty"` // 409: what a cancel would do now
	RequestID string   `json:"request_id,omitempty"`
}

// Reason is why one field was refused.
type Reason struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// NewProblem is a problem that says a sentence.
func NewProblem(status int, message string) *Problem {
	return &Problem{Status: status, Message: message}
}

// Invalid is the problem of a request whose fields were refused.
func Invalid(err *gtf.ValidationError) *Problem {
	p := NewProblem(http.StatusBadRequest, err.Error())
	for _, each := range err.Problems {
		p.Errors = append(p.Errors, Reason(each))
	}
	return p
}

// NotFound answers whatever leads nowhere.
func NotFound(w http.ResponseWriter, r *http.Request) {
	NewProblem(http.StatusNotFound, "there is nothing here").Write(w, r)
}

// Write answers a request with the problem.
func (p *Problem) Write(w http.ResponseWriter, r *http.Request) {
	p.Type, p.Title, p.Detail, p.RequestID = "about:blank", http.StatusText(p.Status), p.Message, RequestID(r.Context())
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	h.Del("Content-Length")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // who has gone does not need the answer
}

// tooLarge is the problem of a body beyond the limit.
func tooLarge(limit int64) *Problem {
	return NewProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit))
}

// BodyProblem is the problem of a body that could not be read, or was not what it should be: 413 beyond the limit, 408 if it
// did not arrive in time, else 400.
func BodyProblem(err error) *Problem {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return NewProblem(http.StatusRequestTimeout, "the body did not arrive in time")
	}
	return NewProblem(http.StatusBadRequest, "the body cannot be read: "+err.Error())
}
