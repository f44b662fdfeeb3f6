package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/globaltask/gtf/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long tests wait for what should come at once: the machine may be busy.
const patience = 30 * time.Second

// logged is a log that tests read.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// lines are the entries with a message.
func (l *logged) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for line := range strings.Lines(l.b.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// line is the only entry with a message.
func (l *logged) line(t *testing.T, message string) map[string]any {
	t.Helper()
	found := l.lines(t, message)
	if len(found) != 1 {
		t.Fatalf("%d lines say %q, want 1: %v", len(found), message, found)
	}
	return found[0]
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// reply is an answer that has been read.
type reply struct {
	StatusCode int
	Header     http.Header
	Body       string
}

// read takes an answer from a network.
func read(t *testing.T, resp *http.Response) reply {
	t.Helper()
	raw, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(raw)}
}

// ask sends a request to a wrapped handler, without a network.
func ask(h http.HandlerFunc, o web.Options, r *http.Request) reply {
	w := httptest.NewRecorder()
	web.Wrap(h, o).ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, http.NoBody) }

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func problem(t *testing.T, resp reply) web.Problem {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal([]byte(resp.Body), &p); err != nil {
		t.Fatalf("the answer %d is no problem: %v", resp.StatusCode, err)
	}
	if p.Status != resp.StatusCode || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the answer %d %s tells the status %d", resp.StatusCode, resp.Header.Get("Content-Type"), p.Status)
	}
	return p
}
