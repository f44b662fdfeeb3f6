package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"
)

// Options of [Wrap].
type Options struct {
	// Logger takes a line for each request. Default: none is written.
	Logger *slog.Logger
	// MaxBody is the largest body in bytes: what declares more is answered with 413, and reading beyond is an error. Default
	// 64 KiB; negative: no limit.
	MaxBody int64
	// Observe is told of each request when it has been answered. It is called by many goroutines. Default none.
	Observe func(Served)
	// Streams says which requests are answered for as long as the client listens, whatever the Timeout. Default: none.
	Streams func(*http.Request) bool
	// Timeout ends the context of a request. Default: none.
	Timeout time.Duration
}

const defaultMaxBody = 64 << 10

// Served is a request that has been answered.
type Served struct {
	Method string // as the client wrote it: anything
	Route  string // the pattern of the innermost mux that knew it; empty if none did
	Status int
	Bytes  int64 // of the body, before compression
	Took   time.Duration
}

// Wrap puts between the network and a handler what every face needs: a request id, a line in the log, 500 for a panic, gzip,
// headers that browsers heed, and limits. In a handler that is itself inside of a wrapped one only the limits are applied
// again, so that a part of a server may be wrapped by itself.
//
// A response writer of it has no more methods than [http.ResponseWriter] and [http.Flusher]; [http.ResponseController] finds
// the others.
func Wrap(next http.Handler, o Options) http.Handler {
	limited := limit(next, o)
	full := compress(guard(limited, o))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen := requestOf(r.Context()); seen != nil {
			limited.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		id := requestID(r)
		req := &request{id: id}
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, req))
		defer func() { req.end(r, o, time.Since(began)) }()
		full.ServeHTTP(w, r)
	})
}

// compress answers with gzip where that is worth it. The length of what is compressed is disguised, because an answer may hold
// both what an attacker has sent and what he wants to know.
func compress(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false), gzhttp.RandomJitter(32, 0, false))
	if err != nil {
		panic("web: " + err.Error()) // a mistake in the line above
	}
	return wrap(next)
}

// limit applies the options that hold for one part of a server.
func limit(next http.Handler, o Options) http.Handler {
	size := o.MaxBody
	if size == 0 {
		size = defaultMaxBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer := r
		defer func() { route(outer, r) }()
		if size > 0 && r.ContentLength > size {
			tooLarge(size).Write(w, r)
			return
		}
		ctx := r.Context()
		if o.Timeout > 0 && (o.Streams == nil || !o.Streams(r)) {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, o.Timeout)
			defer cancel()
		}
		r = r.WithContext(ctx) // a copy: the mux behind writes its pattern into it
		if size > 0 {
			r.Body = http.MaxBytesReader(w, r.Body, size)
		}
		next.ServeHTTP(w, r)
	})
}

// route hands the pattern that the inner request met to the outer one. The innermost wins.
func route(outer, inner *http.Request) {
	if req := requestOf(outer.Context()); req != nil && req.route == "" {
		req.route = inner.Pattern
	}
}
