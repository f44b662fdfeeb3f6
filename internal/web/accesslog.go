package web

import (
	"log/slog"
	"net/http"
	"time"
)

// end reports a request that has been answered.
func (req *request) end(r *http.Request, o Options, took time.Duration) {
	served := Served{Method: r.Method, Route: req.route, Status: http.StatusOK, Took: took}
	if a := req.answer; a != nil {
		served.Bytes = a.bytes
		if a.status != 0 {
			served.Status = a.status
		}
	}
	if o.Observe != nil {
		o.Observe(served)
	}
	if o.Logger != nil {
		req.log(r, o.Logger, served)
	}
}

// log writes the request's line: at info if it changed something, at warn if it failed here, else at debug. The query is left
// out: it may hold a token.
func (req *request) log(r *http.Request, log *slog.Logger, served Served) {
	req.mu.Lock()
	defer req.mu.Unlock()
	level := log.Debug
	switch {
	case req.quiet:
	case served.Status >= 500:
		level = log.Warn
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions:
		level = log.Info
	}
	attrs := []any{
		slog.String("method", shown(r.Method, 20)), slog.String("path", shownPath(r)), slog.Int("status", served.Status),
		slog.Int64("bytes", served.Bytes), slog.Duration("took", served.Took), slog.String("request", req.id),
		slog.String("remote", r.RemoteAddr),
	}
	if req.aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	for _, attr := range req.attrs {
		attrs = append(attrs, attr)
	}
	level("request", attrs...)
}

func shownPath(r *http.Request) string { return shown(r.URL.EscapedPath(), 200) }

// shown is a text of the client's as the log shows it.
func shown(text string, limit int) string {
	if len(text) > limit {
		return text[:limit] + "…"
	}
	return text
}
