package web

import (
	"net/http"
	"runtime/debug"
	"strings"
)

// guard turns a panic of the handler into 500 without details.
func guard(next http.Handler, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := requestOf(r.Context())
		req.answer = newAnswer(w)
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value is this very one
				req.aborted = true
				panic(p)
			}
			if log := o.Logger; log != nil {
				log.Error("request panicked", "request", req.id, "method", r.Method, "path", shownPath(r), "panic", p,
					"stack", string(debug.Stack()))
			}
			if req.answer.status != 0 {
				req.aborted = true
				panic(http.ErrAbortHandler) // half an answer must not look whole
			}
			NewProblem(http.StatusInternalServerError, "something went wrong here").Write(req.answer, r)
		}()
		next.ServeHTTP(req.answer, r)
	})
}

// answer is a response writer that knows what was answered, and completes the header.
type answer struct {
	http.ResponseWriter
	status int // 0: nothing is written yet
	bytes  int64
}

func newAnswer(w http.ResponseWriter) *answer { return &answer{ResponseWriter: w} }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if status >= 200 {
		a.begin(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.begin(http.StatusOK)
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// FlushError is for http.ResponseController.
func (a *answer) FlushError() error {
	a.begin(http.StatusOK)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() } // who wants the error asks http.ResponseController

func (a *answer) begin(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	h := a.Header()
	switch kind, _, _ := strings.Cut(h.Get("Content-Type"), ";"); {
	case kind == "text/event-stream":
		// Around the compression, which would hold events back. A flush that comes before any event must also get through.
		if below, ok := a.ResponseWriter.(interface{ Unwrap() http.ResponseWriter }); ok {
			a.ResponseWriter = below.Unwrap()
		}
	case strings.HasSuffix(kind, "json"):
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // whoever opens it as a page
	default:
		return
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
}
