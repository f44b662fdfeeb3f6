package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

// ErrUnauthorized says that the server does not know who asks, or does not believe it.
var ErrUnauthorized = errors.New("not signed in, or no longer")

// RateError says that the caller has asked for too much at once.
type RateError struct {
	RetryAfter time.Duration // when to come back; 0 if the server does not say
	Message    string
}

func (e *RateError) Error() string { return e.Message }

// AnswerError is an answer of the server for which gtf has no error of its own.
type AnswerError struct {
	Status    int // of HTTP
	Message   string
	RequestID string // by which the server's log knows it; empty if it does not say
}

func (e *AnswerError) Error() string {
	text := fmt.Sprintf("the server answers %d: %s", e.Status, e.Message)
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// unavailable is ErrUnavailable with what the server has said.
type unavailable struct {
	message    string
	retryAfter time.Duration
}

func (e *unavailable) Error() string { return e.message }

func (e *unavailable) Unwrap() error { return gtf.ErrUnavailable }

// retryAfter is what the server asked for; 0 for nothing.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*unavailable](err); ok {
		return e.retryAfter
	}
	if e, ok := errors.AsType[*RateError](err); ok {
		return e.RetryAfter
	}
	return 0
}

// unreachable says that there was no answer, or half of one. If that is because ctx has ended, it says so.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &unavailable{message: "the server cannot be reached: " + err.Error()}
}

const maxProblem = 1 << 20 // bytes

// faultOf turns an answer that is no success back into the error that it was made of.
func faultOf(response *http.Response) error {
	var p web.Problem
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	ours := kind == "application/problem+json"
	if ours {
		ours = json.NewDecoder(io.LimitReader(response.Body, maxProblem)).Decode(&p) == nil
	}
	if p.Message == "" {
		p.Message = http.StatusText(response.StatusCode)
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // 0 if it is a date or missing
	after := time.Duration(seconds) * time.Second
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: %s", ErrUnauthorized, p.Message)
	case http.StatusTooManyRequests:
		return &RateError{RetryAfter: after, Message: p.Message}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &unavailable{message: fmt.Sprintf("the server answers %d: %s", response.StatusCode, p.Message), retryAfter: after}
	}
	if !ours {
		return &AnswerError{Status: response.StatusCode, Message: p.Message}
	}
	switch {
	case p.Status == http.StatusForbidden:
		return fmt.Errorf("%w: %s", gtf.ErrForbidden, p.Message)
	case p.Code == codeNotFound:
		return gtf.ErrNotFound
	case p.Status == http.StatusNotFound:
		return fmt.Errorf("nothing is served at this address: %w", gtf.ErrDisabled)
	case p.Code == codeFinished:
		return gtf.ErrFinished
	case p.Code == codeNotAbortable:
		return gtf.ErrNotAbortable
	case p.Status == http.StatusConflict && p.Effect != "":
		return &gtf.ExpectError{Now: gtf.CancelEffect(p.Effect)}
	case p.Status == http.StatusBadRequest && len(p.Errors) > 0:
		invalid := &gtf.ValidationError{}
		for _, each := range p.Errors {
			invalid.Problems = append(invalid.Problems, gtf.Problem(each))
		}
		return invalid
	}
	return &AnswerError{Status: p.Status, Message: p.Message, RequestID: p.RequestID}
}
