package web_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf/internal/web"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, given string
		kept        bool
	}{
		{"one of a proxy is kept", "3f2a.B-7_c", true},
		{"of 64 characters it is kept", strings.Repeat("a", 64), true},
		{"a longer one is replaced", strings.Repeat("a", 65), false},
		{"none is replaced", "", false},
		{"one with a space is replaced", "a b", false},
		{"one that looks like a log line is replaced", "a\nlevel=ERROR", false},
		{"one with other letters is replaced", "é", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := get("/")
			r.Header["X-Request-Id"] = []string{tt.given}
			var inside string
			resp := ask(func(_ http.ResponseWriter, r *http.Request) { inside = web.RequestID(r.Context()) }, web.Options{}, r)
			got := resp.Header.Get("X-Request-Id")
			if got != inside || got == "" || (got == tt.given) != tt.kept {
				t.Errorf("the answer has %q, the handler %q; the request had %q", got, inside, tt.given)
			}
		})
	}
	t.Run("is empty outside of a request", func(t *testing.T) {
		t.Parallel()
		web.Annotate(t.Context(), slog.String("by", "ada")) // does nothing
		web.Quietly(t.Context())
		if got := web.RequestID(t.Context()); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	tests := []struct {
		name    string
		method  string
		handler http.HandlerFunc
		level   string
		status  float64
	}{
		{"a GET is for debugging", http.MethodGet, hello, "DEBUG", 200},
		{"a GET of what is not there, too", http.MethodGet, status(404), "DEBUG", 404},
		{"a handler that writes nothing has answered 200", http.MethodGet, func(http.ResponseWriter, *http.Request) {}, "DEBUG", 200},
		{"a POST changes something", http.MethodPost, hello, "INFO", 200},
		{"a refused POST is somebody's act as well", http.MethodPost, status(403), "INFO", 403},
		{"a failure is a warning", http.MethodGet, status(503), "WARN", 503},
		{"a quiet failure is not", http.MethodGet, func(w http.ResponseWriter, r *http.Request) {
			web.Quietly(r.Context())
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "DEBUG", 503},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := &logged{}
			ask(tt.handler, web.Options{Logger: log.logger()}, httptest.NewRequest(tt.method, "/x", http.NoBody))
			if line := log.line(t, "request"); line["level"] != tt.level || line["status"] != tt.status || line["method"] != tt.method {
				t.Errorf("the line is %v, want %s and %v", line, tt.level, tt.status)
			}
		})
	}
	t.Run("tells who asked for what, and no secret", func(t *testing.T) {
		t.Parallel()
		log := &logged{}
		r := get("/a%20b/" + strings.Repeat("c", 300) + "?token=secret")
		r.Header.Set("Authorization", "Bearer secret")
		r.RemoteAddr = "192.0.2.1:1234"
		resp := ask(func(w http.ResponseWriter, r *http.Request) {
			web.Annotate(r.Context(), slog.String("by", "ada"), slog.String("auth", "token"))
			hello(w, r)
		}, web.Options{Logger: log.logger()}, r)
		line := log.line(t, "request")
		path, _ := line["path"].(string)
		if !strings.HasPrefix(path, "/a%20b/ccc") || len(path) > 210 || line["by"] != "ada" || line["auth"] != "token" ||
			line["bytes"] != 5.0 || line["remote"] != "192.0.2.1:1234" || line["request"] != resp.Header.Get("X-Request-Id") {
			t.Errorf("the line is %v", line)
		}
		if strings.Contains(log.b.String(), "secret") {
			t.Errorf("the log has the secret: %s", log.b.String())
		}
	})
}

func TestPanic(t *testing.T) {
	t.Parallel()
	t.Run("is 500 without details, and a line with the stack", func(t *testing.T) {
		t.Parallel()
		log := &logged{}
		resp := ask(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"1"`)
			panic("the password is 1234")
		}, web.Options{Logger: log.logger()}, get("/x"))
		p := problem(t, resp)
		if resp.StatusCode != http.StatusInternalServerError || strings.Contains(fmt.Sprint(p), "1234") || p.RequestID == "" || resp.Header.Get("ETag") != "" {
			t.Errorf("the answer is %d %v %v", resp.StatusCode, p, resp.Header)
		}
		line := log.line(t, "request panicked")
		stack, _ := line["stack"].(string)
		if line["panic"] != "the password is 1234" || line["request"] != p.RequestID || !strings.Contains(stack, "wrap_test.go") {
			t.Errorf("the line is %v", line)
		}
		if line := log.line(t, "request"); line["status"] != 500.0 || line["level"] != "WARN" {
			t.Errorf("the line is %v", line)
		}
	})
	tests := []struct {
		name    string
		handler http.HandlerFunc
		said    int // lines about a panic
	}{
		{"within an answer breaks it off", func(w http.ResponseWriter, r *http.Request) {
			hello(w, r)
			_ = http.NewResponseController(w).Flush()
			panic("oh")
		}, 1},
		{"that means to break the answer off does so", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := &logged{}
			server := httptest.NewServer(web.Wrap(tt.handler, web.Options{Logger: log.logger()}))
			defer server.Close()
			resp, err := server.Client().Get(server.URL)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("reading the answer returned %v, want an end that was not expected", err)
			}
			eventually(t, "the request is logged", func() bool { return len(log.lines(t, "request")) == 1 })
			if got := len(log.lines(t, "request panicked")); got != tt.said {
				t.Errorf("%d lines tell of a panic, want %d", got, tt.said)
			}
			line := log.line(t, "request")
			if aborted, _ := line["aborted"].(bool); !aborted {
				t.Errorf("the line is %v, want it to say aborted", line)
			}
		})
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`{"status":"pending"},`, 200)
	answer := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := []struct {
		name, kind, body, accepts string
		want                      bool
	}{
		{"a long answer is compressed", "application/json", long, "gzip", true},
		{"a problem, too", "application/problem+json", long, "deflate, gzip;q=0.5", true},
		{"a short one is not", "application/json", "{}", "gzip", false},
		{"nor one for who does not know how", "application/json", long, "", false},
		{"nor one for who does not want it", "application/json", long, "gzip;q=0", false},
		{"nor a stream of events", "text/event-stream", long, "gzip", false},
		{"nor what is compressed already", "application/zip", long, "gzip", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := get("/")
			r.Header.Set("Accept-Encoding", tt.accepts)
			resp := ask(answer(tt.kind, tt.body), web.Options{}, r)
			if got := resp.Header.Get("Content-Encoding"); (got == "gzip") != tt.want {
				t.Fatalf("the encoding is %q, want gzip: %v", got, tt.want)
			}
			if !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") {
				t.Errorf("Vary is %q", resp.Header.Get("Vary"))
			}
			var body io.Reader = strings.NewReader(resp.Body)
			if tt.want {
				unzipped, err := gzip.NewReader(body)
				if err != nil {
					t.Fatal(err)
				}
				if unzipped.Comment == "" {
					t.Error("the length is not disguised")
				}
				body = unzipped
			}
			if got, err := io.ReadAll(body); err != nil || string(got) != tt.body {
				t.Errorf("got %d bytes and %v, want the %d that were sent", len(got), err, len(tt.body))
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, kind, cache string
		want              string
		guarded           bool
	}{
		{"JSON is not kept", "application/json", "", "no-store", true},
		{"nor is a problem", "application/problem+json; charset=utf-8", "", "no-store", true},
		{"nor is a stream", "text/event-stream", "", "no-store", false},
		{"unless the handler says how", "application/json", "private, no-cache", "private, no-cache", true},
		{"a page decides for itself", "text/html", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := ask(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				if tt.cache != "" {
					w.Header().Set("Cache-Control", tt.cache)
				}
				w.WriteHeader(http.StatusAccepted)
			}, web.Options{}, get("/")).Header
			if h.Get("Cache-Control") != tt.want || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
				(h.Get("Content-Security-Policy") != "") != tt.guarded {
				t.Errorf("the header is %v", h)
			}
		})
	}
}

// readAll answers with what it has read, or why it could not.
func readAll(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		web.BodyProblem(err).Write(w, r)
		return
	}
	_, _ = w.Write(body)
}

func TestMaxBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		limit    int64
		size     int
		declared bool
		want     int
	}{
		{"a body of the limit is read", 100, 100, true, 200},
		{"one that declares more is refused", 100, 101, true, 413},
		{"one that has more is refused while it is read", 100, 101, false, 413},
		{"the default is 64 KiB", 0, 64<<10 + 1, false, 413},
		{"there may be no limit", -1, 1 << 20, true, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", tt.size)))
			if !tt.declared {
				r.ContentLength = -1
			}
			resp := ask(readAll, web.Options{MaxBody: tt.limit}, r)
			if resp.StatusCode != tt.want {
				t.Errorf("the answer is %d, want %d", resp.StatusCode, tt.want)
			}
			if tt.want != 200 {
				problem(t, resp)
			}
		})
	}
	if p := web.BodyProblem(io.ErrUnexpectedEOF); p.Status != 400 {
		t.Errorf("a body that ends too early is %d, want 400", p.Status)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	o := web.Options{Timeout: time.Minute, Streams: func(r *http.Request) bool { return r.URL.Path == "/events" }}
	tests := []struct {
		name, path string
		want       time.Duration
	}{
		{"ends what a handler does", "/other", time.Minute},
		{"leaves a stream to its client", "/events", time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // the client's
				defer cancel()
				began := time.Now()
				ask(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, o, get(tt.path).WithContext(ctx))
				if took := time.Since(began); took != tt.want {
					t.Errorf("the context ended after %v, want %v", took, tt.want)
				}
			})
		})
	}
}

func TestWrapWithinWrap(t *testing.T) {
	t.Parallel()
	log := &logged{}
	var served []web.Served
	o := web.Options{Logger: log.logger(), Observe: func(s web.Served) { served = append(served, s) }}
	inner := http.NewServeMux()
	inner.HandleFunc("GET /task/{uuid}", hello)
	inner.HandleFunc("POST /task/{uuid}", readAll)
	outer := http.NewServeMux()
	outer.Handle("/api/", http.StripPrefix("/api", web.Wrap(inner, web.Options{Logger: log.logger(), MaxBody: 3})))
	h := web.Wrap(outer, o)
	tests := []struct {
		r      *http.Request
		route  string
		status int
	}{
		{get("/api/task/7"), "GET /task/{uuid}", 200},
		{httptest.NewRequest(http.MethodPost, "/api/task/7", strings.NewReader("long")), "/api/", 413},
		{get("/api/nothing"), "/api/", 404},
		{get("/nothing"), "", 404},
	}
	for i, tt := range tests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, tt.r)
		if len(served) != i+1 || len(log.lines(t, "request")) != i+1 {
			t.Fatalf("%s is reported %d times and logged %d times", tt.r.URL, len(served), len(log.lines(t, "request")))
		}
		if got := served[i]; got.Route != tt.route || got.Status != tt.status || got.Method != tt.r.Method {
			t.Errorf("%s is reported as %+v, want route %q and status %d", tt.r.URL, got, tt.route, tt.status)
		}
	}
}
