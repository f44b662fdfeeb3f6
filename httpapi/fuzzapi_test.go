package httpapi_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf/httpapi"
)

var (
	fuzzRequests = flag.Int("requests", 1500, "how many requests TestAPIHoldsAgainstItsDocument makes")
	fuzzSeed     = flag.Uint64("seed", 0, "its seed; 0: another each time")
)

// Requests made of the document, good and bad, by everybody, about tasks of every kind: no answer is an error of the server,
// none is outside of the document (apitest sees to that), and none shows what its caller may not see.
func TestAPIHoldsAgainstItsDocument(t *testing.T) {
	seed := *fuzzSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test ./httpapi -run '^%s$' -requests %d -seed %d", t.Name(), *fuzzRequests, seed)
	random := rand.New(rand.NewPCG(seed, 1))
	f := &apiFuzzer{fuzzWorld: newFuzzWorld(t, random), answers: map[string]map[int]int{}, held: []string{"x"}, tags: []string{`"x"`}}
	f.read()
	for range 150 {
		f.add()
	}
	f.settle()
	for n := range *fuzzRequests {
		if n%50 == 49 {
			f.add()
		}
		f.ask()
		if t.Failed() {
			t.Fatalf("stopped after %d requests", n+1)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.answers)) {
		t.Logf("%-40s %v", name, f.answers[name])
	}
	for _, o := range f.operations {
		if *fuzzRequests >= 1000 && f.answers[o.name()][http.StatusOK] == 0 {
			t.Errorf("%s was never answered with 200", o.name())
		}
	}
}

// fuzzOperation is an operation of the document.
type fuzzOperation struct {
	method, path string
	Parameters   []fuzzParameter `json:"parameters"`
	Body         *struct{}       `json:"requestBody"`
}

func (o *fuzzOperation) name() string { return o.method + " " + o.path }

type fuzzParameter struct {
	Ref    string `json:"$ref"`
	Name   string `json:"name"`
	In     string `json:"in"`
	Schema struct {
		Type    any  `json:"type"`
		Maximum *int `json:"maximum"`
	} `json:"schema"`
}

// apiFuzzer makes requests and judges the answers.
type apiFuzzer struct {
	*fuzzWorld
	operations []*fuzzOperation
	answers    map[string]map[int]int // by operation and status
	held       []string               // cursors it was given
	tags       []string               // and ETags
}

func (f *apiFuzzer) read() {
	var doc struct {
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Components struct {
			Parameters map[string]fuzzParameter `json:"parameters"`
		} `json:"components"`
	}
	if err := json.Unmarshal(httpapi.OpenAPI(), &doc); err != nil {
		f.t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			if method == "parameters" {
				continue
			}
			o := &fuzzOperation{method: strings.ToUpper(method), path: path}
			if err := json.Unmarshal(doc.Paths[path][method], o); err != nil {
				f.t.Fatal(err)
			}
			for i, p := range o.Parameters {
				if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					o.Parameters[i] = doc.Components.Parameters[name]
				}
			}
			f.operations = append(f.operations, o)
		}
	}
}

// ask makes a request and judges the answer.
func (f *apiFuzzer) ask() {
	o := pick(f, f.operations)
	if public(o) && f.chance(80) {
		o = pick(f, f.operations) // which are always the same
	}
	if f.chance(30) { // what has the most parameters deserves the most requests
		o = f.operations[slices.IndexFunc(f.operations, func(o *fuzzOperation) bool { return o.path == list })]
	}
	token := pick(f, []string{"ada", "grace", "alan", "guest", "root", "root", "viewer", "limited"})
	if f.chance(20) {
		token = pick(f, f.names) // among them who may not, and nobody
	}
	r, body := f.request(o, token)
	for r == nil {
		r, body = f.request(o, token)
	}
	asked := fmt.Sprint(r.URL, " ", r.URL.Path, r.URL.Query(), r.Header, body)
	seesBefore := f.visible(token)
	ctx, stop := context.WithTimeout(f.t.Context(), 20*time.Second) // far more than any request takes
	defer stop()
	w := &streamReader{ResponseRecorder: httptest.NewRecorder(), stop: stop, writes: 1}
	if strings.HasSuffix(r.URL.Path, "/events") && f.chance(10) {
		w.writes = 3
		late := time.AfterFunc(20*time.Millisecond, stop) // there may be nothing more to read
		defer late.Stop()
	}
	f.handler.ServeHTTP(w, r.WithContext(ctx))
	if ctx.Err() == context.DeadlineExceeded {
		f.t.Errorf("%s %s does not come to an end", r.Method, r.URL)
	}
	if ctx.Err() != nil && w.Code == http.StatusServiceUnavailable {
		return // it was given up before it began
	}
	f.judge(o, r, token, body, asked, seesBefore, w.ResponseRecorder)
}

// streamReader goes away after some writes of a stream.
type streamReader struct {
	*httptest.ResponseRecorder
	stop   func()
	writes int
}

func (s *streamReader) Write(p []byte) (int, error) {
	if s.writes--; s.writes <= 0 && s.Header().Get("Content-Type") == "text/event-stream" {
		s.stop()
	}
	return s.ResponseRecorder.Write(p)
}

func (f *apiFuzzer) judge(o *fuzzOperation, r *http.Request, token, body, asked string, sees int, w *httptest.ResponseRecorder) {
	report := func(format string, args ...any) {
		f.t.Errorf("%s %s as %q %v\n%.500q\nwas answered with %d\n%.2000s\n%s", r.Method, r.URL, token, r.Header, body, w.Code, w.Body, fmt.Sprintf(format, args...))
	}
	if r.Method == o.method {
		if f.answers[o.name()] == nil {
			f.answers[o.name()] = map[int]int{}
		}
		f.answers[o.name()][w.Code]++
	}
	if w.Code >= http.StatusInternalServerError {
		report("which is an error of the server")
	}
	if _, known := f.tokens[token]; !known && w.Code < http.StatusBadRequest && !public(o) {
		report("although nobody asked")
	}
	if leaks := f.leaks(token, asked, w.Body.String()+fmt.Sprint(w.Header())); len(leaks) > 0 && !public(o) {
		report("which shows what the caller may not see: %v", leaks)
	}
	var answer struct {
		Count  *int   `json:"count"`
		Next   any    `json:"next"`
		Cursor string `json:"cursor"`
		Action string `json:"action"`
		Task   struct {
			ID string `json:"id"`
		} `json:"task"`
	}
	if w.Code == http.StatusOK && json.Unmarshal(w.Body.Bytes(), &answer) == nil {
		if o.path == list && answer.Count != nil && *answer.Count > sees {
			report("although the caller sees only %d tasks", sees)
		}
		if next, ok := answer.Next.(string); ok {
			f.held = append(f.held, next)
		}
		if answer.Cursor != "" {
			f.held = append(f.held, answer.Cursor)
		}
		if answer.Action != "" {
			f.again(answer.Task.ID)
		}
	}
	if tag := w.Header().Get("ETag"); tag != "" {
		f.tags = append(f.tags, tag)
	}
	f.held, f.tags = f.held[max(0, len(f.held)-100):], f.tags[max(0, len(f.tags)-100):]
}

// public tells what anybody may ask for.
func public(o *fuzzOperation) bool { return !strings.HasPrefix(o.path, list) }

// request makes one, mostly as the document has it; nil if it cannot be written at all.
func (f *apiFuzzer) request(o *fuzzOperation, token string) (r *http.Request, body string) {
	method := o.method
	if f.chance(5) {
		method = pick(f, []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"})
	}
	path := strings.ReplaceAll(o.path, "{uuid}", url.PathEscape(f.uuid(o, token)))
	if f.chance(4) {
		path = f.mutate(path, "/.%2f%00%ff;?~é")
	}
	query := url.Values{}
	header := http.Header{}
	few := 100 / (4 + len(o.Parameters)/2) // or one of many would be bad most of the time
	for _, p := range o.Parameters {
		for f.chance(few) {
			switch value := f.value(p); p.In {
			case "query":
				query.Add(p.Name, value)
			case "header":
				header.Add(p.Name, value)
			}
		}
	}
	if query.Has("q") && !f.chance(10) { // or all else would be refused
		query = url.Values{"q": query["q"][:1]}
	}
	if f.chance(3) {
		query.Add(pick(f, []string{"offset", "", "q[]", "stauts", "page"}), pick(f, junk))
	}
	raw := query.Encode()
	if f.chance(2) {
		raw = f.mutate(raw, "&=%;+\x00\xff")
	}
	u, err := url.Parse(path)
	if err != nil {
		return nil, ""
	}
	u.RawQuery = raw
	body = f.body(o)
	r = httptest.NewRequestWithContext(f.t.Context(), method, "/", strings.NewReader(body))
	r.URL = u
	if f.chance(20) {
		r.ContentLength = -1 // unknown
	}
	r.Header = header
	f.headers(r, token)
	return r, body
}

// headers adds who asks, and noise.
func (f *apiFuzzer) headers(r *http.Request, token string) {
	for _, name := range []string{"X-Request-Id", "Content-Type", "Accept", "Origin", "Sec-Fetch-Site", "X-Forwarded-User", "Range", "Cookie", "Authorization"} {
		if f.chance(3) {
			r.Header.Set(name, pick(f, append([]string{"cross-site", "https://evil.example", "text/plain", "root", "bytes=0-1", "Basic eDp5", "bearer root"}, junk...)))
		}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
}
