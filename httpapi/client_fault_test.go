package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

// script answers requests in turn, the last one again and again, and notes when they came.
type script struct {
	answers []scripted
	asked   []*http.Request
	at      []time.Duration // since the first
	began   time.Time
}

type scripted struct {
	status int // 0: the connection breaks
	retry  string
	kind   string // of the content
	body   string
	hang   bool // after the body, until the request's context ends
	breaks bool // after the body
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	a := s.answers[min(len(s.asked), len(s.answers)-1)]
	s.asked, s.at = append(s.asked, r), append(s.at, time.Since(s.began))
	if a.status == 0 {
		return nil, errors.New("connection refused")
	}
	header := http.Header{"Content-Type": {a.kind}}
	if a.retry != "" {
		header.Set("Retry-After", a.retry)
	}
	body := io.Reader(strings.NewReader(a.body))
	if a.hang {
		body = io.MultiReader(body, hanging{r.Context()})
	}
	if a.breaks {
		body = io.MultiReader(body, iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(body), Request: r}, nil
}

type hanging struct{ ctx context.Context } //nolint:containedctx // it is the request's

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

func (s *script) client(t *testing.T, retries int) *httpapi.Client {
	t.Helper()
	c, err := httpapi.NewClient("https://example.com/gtf", &httpapi.ClientOpts{HTTPClient: &http.Client{Transport: s}, Retries: retries, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	busy       = scripted{status: 503, retry: "5", kind: "application/problem+json", body: `{"message":"the server is stopping","status":503}`}
	badGateway = scripted{status: 502, kind: "text/html", body: "<h1>Bad Gateway</h1>"}
	refused    = scripted{}
	pending    = scripted{status: 200, kind: "application/json", body: `{"status":"pending"}`}
)

func TestClientRetries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []scripted
		retries int
		asked   int
		ok      bool
	}{
		{"what works is asked once", []scripted{pending}, 0, 1, true},
		{"a connection that breaks is tried again", []scripted{refused, refused, pending}, 0, 3, true},
		{"a server that is busy is asked again", []scripted{busy, badGateway, {status: 504}, pending}, 0, 4, true},
		{"half an answer is asked for again", []scripted{{status: 200, body: `{"sta`, breaks: true}, pending}, 0, 2, true},
		{"an empty one is not", []scripted{{status: 200}, pending}, 0, 1, false},
		{"it is given up in the end", []scripted{refused}, 0, 4, false},
		{"as often as one likes", []scripted{refused}, 7, 8, false},
		{"or never", []scripted{busy}, -1, 1, false},
		{"what is wrong is not asked again", []scripted{{status: 500}, pending}, 0, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: tt.answers}
				status, err := s.client(t, tt.retries).Status(t.Context(), gtf.NewID())
				if len(s.asked) != tt.asked || (err == nil) != tt.ok || tt.ok && status != gtf.StatusPending {
					t.Errorf("asked %d times for %q, %v, want %d", len(s.asked), status, err, tt.asked)
				}
				last := tt.answers[len(tt.answers)-1]
				if away := last.status == 0 || last.status == 503; away != errors.Is(err, gtf.ErrUnavailable) {
					t.Errorf("the error is %v, want ErrUnavailable: %v", err, away)
				}
				for _, r := range s.asked {
					if r.Header.Get("Authorization") != "Bearer secret" || !strings.HasPrefix(r.URL.Path, "/gtf/api/v1/task/") {
						t.Errorf("asked for %s with %q", r.URL, r.Header)
					}
				}
			})
		})
	}
	t.Run("waits as long as the server asks for, or longer each time", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: []scripted{busy, refused, refused, pending}}
			if _, err := s.client(t, 0).Status(t.Context(), gtf.NewID()); err != nil {
				t.Fatal(err)
			}
			for i, most := range []time.Duration{5 * time.Second, 400 * time.Millisecond, 800 * time.Millisecond} {
				if pause := s.at[i+1] - s.at[i]; pause < most/2 || pause > most {
					t.Errorf("pause %d took %v, want up to %v, half of it at least", i, pause, most)
				}
			}
		})
	})
	t.Run("a wait ends with its context", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			s := &script{answers: []scripted{busy}}
			if _, err := s.client(t, 0).Status(ctx, gtf.NewID()); !errors.Is(err, context.DeadlineExceeded) || time.Since(s.began) != time.Second {
				t.Errorf("after %v: %v", time.Since(s.began), err)
			}
		})
	})
	t.Run("a cancel is sent once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: []scripted{refused}}
			if _, err := s.client(t, 0).Cancel(t.Context(), gtf.NewID(), nil); !errors.Is(err, gtf.ErrUnavailable) || len(s.asked) != 1 {
				t.Errorf("sent %d times: %v", len(s.asked), err)
			}
		})
	})
}

// Answers of which gtf has no error, or which are not gtf's.
func TestClientAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer scripted
		want   string
		is     error
	}{
		{"too many cancels", scripted{status: 429, retry: "7", kind: "application/problem+json", body: `{"message":"slow down","status":429}`}, "slow down", nil},
		{"another server's 404", scripted{status: 404, kind: "text/html", body: "<h1>nothing</h1>"}, "answers 404", nil},
		{"a page of another server", scripted{status: 200, kind: "text/html", body: "<h1>welcome</h1>"}, "not that of gtf", nil},
		{"a broken problem", scripted{status: 403, kind: "application/problem+json", body: "{"}, "answers 403", nil},
		{"an unknown conflict", scripted{status: 409, kind: "application/problem+json", body: `{"message":"odd","status":409}`}, "answers 409: odd", nil},
		{"a problem with a name", scripted{status: 500, kind: "application/problem+json", body: `{"message":"odd","status":500,"request_id":"R1"}`}, "request R1", nil},
		{"a permission", scripted{status: 403, kind: "application/problem+json", body: `{"message":"no","status":403}`}, "no", gtf.ErrForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: []scripted{tt.answer}}
			_, err := s.client(t, -1).Get(t.Context(), gtf.NewID())
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) || errors.Is(err, gtf.ErrNotFound) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if limit, ok := errors.AsType[*httpapi.RateError](err); ok != (tt.answer.status == 429) || ok && limit.RetryAfter != 7*time.Second {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// The streams of a server that behaves oddly.
func TestClientStreams(t *testing.T) {
	t.Parallel()
	const kind = "text/event-stream"
	const one = "0199b6a0-2c7e-7d4f-9c55-6b1d5a3f0e21"
	const task = "event: task\ndata: {\"id\":\"" + one + "\",\"version\":3,\"status\":\"pending\",\"progress\":0.5}\n\n"
	hello := scripted{status: 200, kind: kind, body: "event: hello\nid: c1\ndata: {}\n\n" + task + "id: c2\n\n"}
	read := func(t *testing.T, s *script, params *httpapi.EventsParams, most int) (kinds string, err error) {
		t.Helper()
		n := 0
		for e, fault := range s.client(t, 0).Events(t.Context(), params) {
			if fault != nil {
				return kinds, fault
			}
			kinds += string(e.Kind) + "@" + e.Cursor + " "
			if n++; n == most {
				break
			}
		}
		return kinds, nil
	}
	t.Run("a stream that breaks goes on behind the last cursor", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: []scripted{hello, refused, busy, {status: 200, kind: kind, body: "event: hello\ndata: {}\n\nevent: reset\r\nid: c9\r\ndata: {}\r\n\r\n"}}}
			kinds, err := read(t, s, &httpapi.EventsParams{Types: []string{"a", "b"}}, 4)
			if err != nil || kinds != "hello@c1 task@c1 hello@c2 reset@c9 " {
				t.Errorf("read %q, %v", kinds, err)
			}
			if got := s.asked[3].Header.Get("Last-Event-ID"); got != "c2" || s.asked[0].Header.Get("Last-Event-ID") != "" {
				t.Errorf("it came back with %q, want c2", got)
			}
			if got := s.asked[3].URL.RawQuery; got != "task_type=a&task_type=b" {
				t.Errorf("it asks for %q", got)
			}
		})
	})
	t.Run("comes back when the server says", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: []scripted{{status: 200, kind: kind, body: "event: bye\ndata: {\"retry\":4000}\n\n", hang: true}, hello}}
			if kinds, err := read(t, s, nil, 1); err != nil || kinds != "hello@c1 " || s.at[1] != 4*time.Second {
				t.Errorf("read %q, %v, at %v", kinds, err, s.at)
			}
		})
	})
	t.Run("a stream that is silent for a minute is broken", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: []scripted{{status: 200, kind: kind, body: ": alive\n\n", hang: true}, hello}}
			if kinds, err := read(t, s, nil, 1); err != nil || kinds != "hello@c1 " || s.at[1] < time.Minute || s.at[1] > time.Minute+time.Second {
				t.Errorf("read %q, %v, at %v", kinds, err, s.at)
			}
		})
	})
	t.Run("what it does not know is left out, and nonsense is an error", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			odd := "event: weather\ndata: sunny\n\ncolour: red\n\n"
			for _, bad := range []string{"event: task\ndata: {\n\n", "event: bye\ndata: soon\n\n"} {
				s := &script{answers: []scripted{{status: 200, kind: kind, body: odd + bad}}}
				if kinds, err := read(t, s, nil, 9); kinds != "" || err == nil || !strings.Contains(err.Error(), "not that of gtf") {
					t.Errorf("read %q, %v", kinds, err)
				}
			}
		})
	})
	t.Run("an event has what the server said of the task", func(t *testing.T) {
		t.Parallel()
		s := &script{answers: []scripted{hello}}
		for e, err := range s.client(t, 0).Events(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == httpapi.EventHello {
				continue
			}
			want := gtf.Progress{Form: gtf.FormFraction, Ratio: 0.5}
			if e.ID.String() != one || e.Version != 3 || e.Status != gtf.StatusPending || e.Progress != want {
				t.Errorf("got %+v", e)
			}
			break
		}
	})
	t.Run("a watch looks again when the server is back", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			detail := scripted{status: 200, kind: "application/json", body: `{"result":{"uuid":"` + one + `","status":"success","version":4,"result":null}}`}
			s := &script{answers: []scripted{refused, {status: 200, kind: kind, body: task}, busy, busy, busy, busy, {status: 200, kind: kind, body: task}, detail}}
			id, err := gtf.ParseID(one)
			if err != nil {
				t.Fatal(err)
			}
			var seen []*gtf.Task
			for task, err := range s.client(t, 0).Watch(t.Context(), id) {
				if err != nil {
					t.Fatal(err)
				}
				seen = append(seen, task)
			}
			if len(seen) != 1 || seen[0].Version != 4 || string(seen[0].Result) != "null" {
				t.Errorf("saw %+v", seen)
			}
		})
	})
}
