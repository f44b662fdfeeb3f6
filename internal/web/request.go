package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"sync"
)

type requestKey struct{}

// request is what is known of a request beside itself.
type request struct {
	id      string
	route   string
	answer  *answer // nil until the handler is reached
	aborted bool

	mu    sync.Mutex
	quiet bool
	attrs []slog.Attr
}

func requestOf(ctx context.Context) *request {
	req, _ := ctx.Value(requestKey{}).(*request)
	return req
}

// RequestID names the request of ctx in answers and in the log; empty outside of one.
func RequestID(ctx context.Context) string {
	if req := requestOf(ctx); req != nil {
		return req.id
	}
	return ""
}

// Annotate adds attributes to the request's line in the log: who asks, for instance. Outside of a request it does nothing.
func Annotate(ctx context.Context, attrs ...slog.Attr) {
	if req := requestOf(ctx); req != nil {
		req.mu.Lock()
		defer req.mu.Unlock()
		req.attrs = append(req.attrs, attrs...)
	}
}

// Quietly keeps the request's line in the log at debug, whatever the answer: for what asks again and again.
func Quietly(ctx context.Context) {
	if req := requestOf(ctx); req != nil {
		req.mu.Lock()
		defer req.mu.Unlock()
		req.quiet = true
	}
}

// saneID is what a proxy before us may call a request. Anything else could pretend to be something in a log.
var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); saneID.MatchString(id) {
		return id
	}
	return rand.Text()
}
