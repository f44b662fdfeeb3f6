package httpapi_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
)

// stream is an open stream of events.
type stream struct {
	t      *testing.T
	status int
	hangUp func()
	lines  *bufio.Scanner
	text   strings.Builder // all that was read
}

// open begins to read a stream of events. Hang up.
func (w *world) open(token, path string, headers ...string) *stream {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+list+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := plain(w.server).Do(r) //nolint:bodyclose // hangUp does
	if err != nil {
		w.t.Fatal(err)
	}
	return &stream{t: w.t, status: response.StatusCode, lines: bufio.NewScanner(response.Body), hangUp: func() {
		cancel()
		_ = response.Body.Close() // what is left is not wanted
	}}
}

// until reads up to the block in which there is a text, and returns everything that was read by then.
func (s *stream) until(text string) string {
	s.t.Helper()
	block := ""
	for s.lines.Scan() {
		line := s.lines.Text()
		s.text.WriteString(line + "\n")
		if line != "" {
			block += line + "\n"
			continue
		}
		if strings.Contains(block, text) {
			return s.text.String()
		}
		block = ""
	}
	s.t.Fatalf("the stream ends (%v) before %q: %s", s.lines.Err(), text, s.text.String())
	return ""
}
