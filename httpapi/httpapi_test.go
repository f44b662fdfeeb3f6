package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
)

func TestNew(t *testing.T) {
	t.Parallel()
	client := gtftest.Client(t, gtftest.NewStore(t), nil)
	for name, tt := range map[string]struct {
		opts *httpapi.Options
		want string // "": no error
	}{
		"wants to know who asks":            {nil, "no Authenticator"},
		"takes an authenticator":            {&httpapi.Options{Authenticator: everybody()}, ""},
		"believes the host":                 {&httpapi.Options{HostAuthenticates: true}, ""},
		"does not take both":                {&httpapi.Options{Authenticator: everybody(), HostAuthenticates: true}, "both"},
		"refuses an origin that is none":    {&httpapi.Options{HostAuthenticates: true, Origins: []string{"https://example.com/page"}}, "example.com/page"},
		"refuses every origin as an origin": {&httpapi.Options{HostAuthenticates: true, Origins: []string{"*"}}, `"*"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := httpapi.New(client, tt.opts)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	prefix := func(h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/some/where/", http.StripPrefix("/some/where", h))
		mux.Handle("/", h)
		return mux
	}
	w := newWorld(t, worldOpts{wrap: prefix, anyPath: true})
	id := w.pending(privateWork, "one", ada).String()
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string // of 405
	}{
		{"GET", "/api/v1/task/", 200, ""}, {"GET", "/api/v1/task", 200, ""}, {"HEAD", "/api/v1/task", 200, ""},
		{"GET", "/api/v1/task/" + id, 200, ""}, {"GET", "/api/v1/task/" + strings.ToUpper(id), 200, ""},
		{"GET", "/api/v1/task/_info", 200, ""}, {"GET", "/api/v1/openapi.json", 200, ""}, {"GET", "/api/v1/docs", 200, ""},
		{"POST", "/api/v1/task/" + id, 405, "GET, HEAD"}, {"POST", "/api/v1/task/", 405, "GET, HEAD"}, {"DELETE", "/api/v1/task", 405, "GET, HEAD"},
		{"DELETE", "/api/v1/task/" + id, 405, "GET, HEAD"}, {"OPTIONS", "/api/v1/task/", 405, "GET, HEAD"},
		{"GET", "/api/v1/task/" + id + "/cancel", 405, "POST"}, {"HEAD", "/api/v1/task/" + id + "/cancel", 405, "POST"},
		{"POST", "/api/v1/openapi.json", 405, "GET, HEAD"}, {"PUT", "/api/v1/docs", 405, "GET, HEAD"},
		{"GET", "/", 404, ""}, {"GET", "/api", 404, ""}, {"GET", "/api/v1/tasks", 404, ""}, {"GET", "/api/v1/task/" + id + "/", 404, ""},
		{"GET", "/api/v1/task/" + id + "/nothing", 404, ""}, {"GET", "/api/v1/task/related/worker", 404, ""},
		{"GET", "/api/v1/task/distinct/created_by", 404, ""}, {"GET", "/api/v1/task/none", 404, ""}, {"GET", "/api/v1/task/none/status", 404, ""},
		{"GET", "/api/v1/task/none/logs", 404, ""}, {"GET", "/api/v1/task/none/events", 404, ""}, {"POST", "/api/v1/task/none/cancel", 404, ""},
	} {
		for _, mounted := range []string{"", "/some/where"} {
			t.Run(fmt.Sprintf("%s %s%s answers %d", tt.method, mounted, tt.path, tt.status), func(t *testing.T) {
				t.Parallel()
				a := w.do(tt.method, "ada", mounted+tt.path, "")
				wantStatus(t, a, tt.status)
				if got := a.header.Get("Allow"); got != tt.allow {
					t.Errorf("Allow is %q, want %q", got, tt.allow)
				}
				if kind := a.header.Get("Content-Type"); tt.status >= 400 && kind != "application/problem+json" {
					t.Errorf("the content type is %q", kind)
				}
				if tt.status >= 400 && tt.method != "HEAD" && (a.at("status") != float64(tt.status) || a.at("message") == "" || a.at("request_id") == nil) {
					t.Errorf("the problem is %s", a.text)
				}
			})
		}
	}
	t.Run("a path that is not clean is not redirected out of the mount", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/api//v1/task/", "/api/v1/task/../task/", "/api/v1/./task/", "/api/v1/task/%2e%2e/task", "//api/v1/task/"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			answer := httptest.NewRecorder()
			w.api.ServeHTTP(answer, r)
			if answer.Code != http.StatusNotFound || answer.Header().Get("Location") != "" {
				t.Errorf("%s answers %d to %q", path, answer.Code, answer.Header().Get("Location"))
			}
		}
	})
}

// Off, on, off again (S1).
func TestOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	id := w.pending(privateWork, "one", ada).String()
	paths := []string{"", id, id + "/status", id + "/logs", id + "/events", "events", "status_changes", "_info", "related/created_by",
		"related/subscribers", "distinct/task_type"}
	for range 2 {
		w.client.SetEnabled(false)
		for _, path := range paths {
			for _, token := range []string{"", "ada"} {
				if a := w.get(token, path); a.status != http.StatusNotFound {
					t.Errorf("off, %q answers %d to %q", path, a.status, token)
				}
			}
		}
		wantStatus(t, w.do(http.MethodPost, "ada", list+id+"/cancel", ""), http.StatusNotFound)
		wantStatus(t, w.do(http.MethodGet, "", "/api/v1/task", ""), http.StatusNotFound)
		wantStatus(t, w.do(http.MethodGet, "", "/api/v1/openapi.json", ""), http.StatusOK)
		w.client.SetEnabled(true)
		wantStatus(t, w.get("ada", id), http.StatusOK)
		wantStatus(t, w.get("", id), http.StatusUnauthorized)
	}
}

// authenticator answers with what a test wants.
type authenticator func(r *http.Request) (*auth.Identity, error)

func (a authenticator) Authenticate(r *http.Request) (*auth.Identity, error) { return a(r) }

func TestAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	t.Run("bad credentials are 401, and say how to do better", func(t *testing.T) {
		t.Parallel()
		a := w.get("nobody we know", "")
		wantStatus(t, a, http.StatusUnauthorized)
		if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
			t.Errorf("WWW-Authenticate is %q", got)
		}
	})
	for name, tt := range map[string]struct {
		who    *auth.Identity
		err    error
		status int
	}{
		"an identity without a principal is nobody, not the host": {&auth.Identity{Read: true, Write: true}, nil, 401},
		"a principal with a name only is nobody":                  {&auth.Identity{Principal: gtf.Principal{Name: "x", Admin: true}, Read: true}, nil, 401},
		"what cannot be found out is 500":                         {nil, errors.New("directory of secrets is down"), 500},
		"what cannot be found out now is 503":                     {nil, fmt.Errorf("ask: %w", gtf.ErrUnavailable), 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOpts{api: httpapi.Options{
				Authenticator: authenticator(func(*http.Request) (*auth.Identity, error) { return tt.who, tt.err }),
			}})
			w.pending(systemWork, "one")
			a := w.get("", "")
			wantStatus(t, a, tt.status)
			if strings.Contains(a.text, "secrets") {
				t.Errorf("it tells of internals: %s", a.text)
			}
		})
	}
	t.Run("the host may do it, by the context", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOpts{api: httpapi.Options{HostAuthenticates: true}, wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Host-User") == "ada" {
					who := &auth.Identity{Principal: ada, Read: true}
					r = r.WithContext(who.Context(r.Context()))
				}
				if r.Header.Get("Host-User") == "principal only" {
					r = r.WithContext(gtf.WithPrincipal(r.Context(), root))
				}
				next.ServeHTTP(w, r)
			})
		}})
		id := w.pending(privateWork, "one", ada).String()
		wantStatus(t, w.get("", id, "Host-User", "ada"), http.StatusOK)
		wantStatus(t, w.do(http.MethodPost, "", list+id+"/cancel", "", "Host-User", "ada"), http.StatusForbidden)
		wantStatus(t, w.get("", id, "Host-User", "principal only"), http.StatusUnauthorized)
		wantStatus(t, w.get("ada", id), http.StatusUnauthorized)
	})
	t.Run("who asks is remembered, and found by name where only an id was stored", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOpts{})
		id := w.pending(sharedWork, "one", gtf.Principal{ID: grace.ID}, ada).String()
		if got := w.get("ada", id).at("result.created_by.name"); got != grace.ID {
			t.Errorf("the creator is %v, want the id", got)
		}
		w.get("grace", "_info")
		if got := w.get("ada", id).at("result.created_by.name"); got != grace.Name {
			t.Errorf("the creator is %v, want the name", got)
		}
	})
}

// forgetful is a store that takes as long to remember somebody as it is told to.
type forgetful struct {
	gtf.Store
	hold chan struct{}
	done atomic.Bool
}

func (s *forgetful) Remember(ctx context.Context, people []gtf.Principal) error {
	<-s.hold
	defer s.done.Store(true)
	return s.Store.Remember(ctx, people)
}

func TestReadsDoNotWaitForMemory(t *testing.T) {
	t.Parallel()
	store := &forgetful{Store: gtftest.NewStore(t), hold: make(chan struct{})}
	w := newWorld(t, worldOpts{store: store})
	wantStatus(t, w.get("ada", ""), http.StatusOK)
	wantStatus(t, w.get("ada", ""), http.StatusOK)
	if store.done.Load() {
		t.Fatal("ada is remembered already")
	}
	close(store.hold)
	w.api.Close()
	if !store.done.Load() {
		t.Error("the handler is closed while it remembers ada")
	}
	wantStatus(t, w.get("grace", ""), http.StatusOK)
}

// faulty is a store that fails when it is told to.
type faulty struct {
	gtf.Store
	err atomic.Pointer[error]
}

func (s *faulty) fail(err error) { s.err.Store(&err) }

func (s *faulty) fault() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *faulty) Get(ctx context.Context, id gtf.ID, v gtf.Viewer) (*gtf.Task, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, id, v)
}

func (s *faulty) Status(ctx context.Context, id gtf.ID, v gtf.Viewer) (gtf.Status, error) {
	if err := s.fault(); err != nil {
		return "", err
	}
	return s.Store.Status(ctx, id, v)
}

func (s *faulty) List(ctx context.Context, p *gtf.ListParams, v gtf.Viewer) (*gtf.TaskPage, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, p, v)
}

func (s *faulty) Distinct(ctx context.Context, p *gtf.DistinctParams, v gtf.Viewer) ([]gtf.DistinctValue, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Distinct(ctx, p, v)
}

func (s *faulty) Changes(ctx context.Context, p *gtf.ChangesParams, v gtf.Viewer) (*gtf.Changes, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Changes(ctx, p, v)
}

func (s *faulty) Cancel(ctx context.Context, id gtf.ID, decide func(*gtf.Task) (gtf.Deed, error)) (*gtf.Task, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Cancel(ctx, id, decide)
}

func (s *faulty) Remember(ctx context.Context, people []gtf.Principal) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.Remember(ctx, people)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		status int
		retry  string
		logged bool
	}{
		{"a store that cannot be reached is 503", fmt.Errorf("dial db.internal: %w", gtf.ErrUnavailable), 503, "5", true},
		{"a row that is locked is 503", fmt.Errorf("db.internal: %w", gtf.ErrLocked), 503, "5", true},
		{"a store that takes too long is 503", fmt.Errorf("db.internal: %w", context.DeadlineExceeded), 503, "5", true},
		{"a store that cannot be written is 503", fmt.Errorf("db.internal: %w", gtf.ErrReadOnly), 503, "5", true},
		{"anything else is 500", errors.New("no such table at db.internal"), 500, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &faulty{Store: gtftest.NewStore(t)}
			w := newWorld(t, worldOpts{store: store})
			id := w.pending(privateWork, "one", ada)
			store.fail(tt.err)
			asks := []*answer{w.cancel("ada", id, "")}
			for _, path := range []string{"", id.String(), id.String() + "/status", id.String() + "/logs", id.String() + "/events",
				"status_changes", "related/created_by", "related/subscribers", "distinct/task_type"} {
				asks = append(asks, w.get("ada", path))
			}
			for _, a := range asks {
				wantStatus(t, a, tt.status)
				if strings.Contains(a.text, "db.internal") || a.header.Get("Retry-After") != tt.retry {
					t.Errorf("answered %s with Retry-After %q, want %q and no internals", a.text, a.header.Get("Retry-After"), tt.retry)
				}
				if id, _ := a.at("request_id").(string); id == "" || !strings.Contains(w.log.String(), id) {
					t.Errorf("the log does not know request %q:\n%s", id, w.log)
				}
			}
			if !strings.Contains(w.log.String(), "db.internal") || !strings.Contains(w.log.String(), "cannot remember who asks") {
				t.Errorf("the log does not say what went wrong:\n%s", w.log)
			}
			store.err.Store(nil)
			wantStatus(t, w.get("ada", id.String()), http.StatusOK)
		})
	}
}

func TestCancelRate(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, rate float64) (cancel func(token string) *httptest.ResponseRecorder, api *httpapi.Handler) {
		client := gtftest.Client(t, gtftest.NewStore(t), &gtf.Config{Logger: slog.New(slog.DiscardHandler)})
		keys := authenticator(func(r *http.Request) (*auth.Identity, error) {
			p, err := httpapi.ParsePrincipal(r.Header.Get("Authorization"))
			return &auth.Identity{Principal: p, Write: true}, err
		})
		api, err := httpapi.New(client, &httpapi.Options{Authenticator: keys, CancelBurst: 3, CancelRate: rate})
		if err != nil {
			t.Fatal(err)
		}
		return func(token string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, list+gtf.NewID().String()+"/cancel", http.NoBody)
			r.Header.Set("Authorization", token)
			answer := httptest.NewRecorder()
			api.ServeHTTP(answer, r)
			return answer
		}, api
	}
	t.Run("each principal has a number of turns, which come back with time", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			cancel, _ := start(t, 0.5)
			want := func(token string, status int, retry string) {
				t.Helper()
				if a := cancel(token); a.Code != status || a.Header().Get("Retry-After") != retry {
					t.Errorf("%s: answered %d with Retry-After %q, want %d with %q", token, a.Code, a.Header().Get("Retry-After"), status, retry)
				}
			}
			for range 3 {
				want("7", http.StatusNotFound, "")
			}
			want("7", http.StatusTooManyRequests, "2")
			want("guest:7", http.StatusNotFound, "") // somebody else, with the same id
			time.Sleep(500 * time.Millisecond)
			want("7", http.StatusTooManyRequests, "2")
			time.Sleep(1500 * time.Millisecond)
			want("7", http.StatusNotFound, "")
			want("7", http.StatusTooManyRequests, "2")
		})
	})
	t.Run("a negative rate is no limit", func(t *testing.T) {
		t.Parallel()
		cancel, _ := start(t, -1)
		for range 100 {
			if a := cancel("7"); a.Code != http.StatusNotFound {
				t.Fatalf("answered %d", a.Code)
			}
		}
	})
	t.Run("who has not come for a while is forgotten", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			cancel, api := start(t, 1)
			for i := range 3000 {
				cancel(fmt.Sprint("user-", i))
				time.Sleep(10 * time.Millisecond)
			}
			if n := httpapi.CancelBuckets(api); n > 1500 {
				t.Errorf("%d principals are known, want those of the last seconds", n)
			}
		})
	})
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	const ours, other = "https://pages.example.com", "https://evil.example.com"
	closed := newWorld(t, worldOpts{})
	open := newWorld(t, worldOpts{api: httpapi.Options{Origins: []string{ours}}, anyPath: true})
	t.Run("a page of another origin cannot cancel", func(t *testing.T) {
		t.Parallel()
		for _, w := range []*world{closed, open} {
			id := w.pending(privateWork, "cross", ada)
			for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", other}} {
				a := w.do(http.MethodPost, "ada", list+id.String()+"/cancel", "", headers...)
				wantStatus(t, a, http.StatusForbidden)
				if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("answered %v", a.header)
				}
			}
			wantStatus(t, w.do(http.MethodPost, "ada", list+id.String()+"/cancel", "", "Sec-Fetch-Site", "same-origin"), http.StatusOK)
		}
	})
	t.Run("unless it was configured, nothing is said to other origins", func(t *testing.T) {
		t.Parallel()
		for _, a := range []*answer{
			closed.get("ada", "", "Origin", ours), open.get("ada", "", "Origin", other),
			open.do(http.MethodOptions, "", list, "", "Origin", other, "Access-Control-Request-Method", "GET"),
		} {
			if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("it allows %q", got)
			}
		}
	})
	t.Run("a configured origin may ask, also beforehand, and cancel", func(t *testing.T) {
		t.Parallel()
		a := open.do(http.MethodOptions, "", list, "", "Origin", ours, "Access-Control-Request-Method", "POST")
		wantStatus(t, a, http.StatusNoContent)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": ours, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "GET, HEAD, POST",
			"Vary": "Origin",
		} {
			if got := a.header.Values(name); !slices.Contains(got, want) {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if got := open.get("ada", "", "Origin", ours).header.Get("Access-Control-Allow-Origin"); got != ours {
			t.Errorf("it allows %q", got)
		}
		id := open.pending(privateWork, "allowed", ada)
		wantStatus(t, open.do(http.MethodPost, "ada", list+id.String()+"/cancel", "", "Origin", ours, "Sec-Fetch-Site", "cross-site"), http.StatusOK)
	})
}

// Streams end when they should, and not before (S1, S11).
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	t.Run("close tells them to come back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOpts{})
		s := w.open("ada", "events")
		defer s.hangUp()
		s.until("hello")
		w.api.Close()
		s.until("event: bye")
	})
	t.Run("so does the switch", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOpts{})
		s := w.open("ada", "events")
		defer s.hangUp()
		s.until("hello")
		w.client.SetEnabled(false)
		s.until("event: bye")
		wantStatus(t, w.get("ada", "events"), http.StatusNotFound)
	})
	for name, later := range map[string]struct {
		who *auth.Identity
		err error
		end bool
	}{
		"a token that is revoked ends its stream":           {nil, auth.ErrCredentials, true},
		"credentials that are gone end it":                  {nil, nil, true},
		"so does a permission that is taken away":           {&auth.Identity{Principal: ada, Write: true}, nil, true},
		"so does somebody else behind the same credentials": {&auth.Identity{Principal: guest, Read: true}, nil, true},
		"so do other types":                                 {&auth.Identity{Principal: ada, Read: true, Types: []string{"x"}}, nil, true},
		"who is no admin any more or one now begins anew":   {&auth.Identity{Principal: gtf.Principal{Kind: ada.Kind, ID: ada.ID, Admin: true}, Read: true}, nil, true},
		"what cannot be found out for a while ends nothing": {nil, errors.New("the directory is down"), false},
		"credentials that are good end nothing":             {&auth.Identity{Principal: ada, Read: true}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := gtftest.Client(t, gtftest.NewStore(t), &gtf.Config{Logger: slog.New(slog.DiscardHandler)})
				var changed atomic.Bool
				api, err := httpapi.New(client, &httpapi.Options{Authenticator: authenticator(func(*http.Request) (*auth.Identity, error) {
					if changed.Load() {
						return later.who, later.err
					}
					return &auth.Identity{Principal: ada, Read: true}, nil
				})})
				if err != nil {
					t.Fatal(err)
				}
				defer api.Close()
				ctx, cancel := context.WithCancel(t.Context())
				answer, done := httptest.NewRecorder(), make(chan struct{})
				go func() {
					defer close(done)
					api.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, list+"events", http.NoBody))
				}()
				time.Sleep(time.Minute)
				changed.Store(true)
				time.Sleep(20 * time.Second)
				synctest.Wait()
				ended := false
				select {
				case <-done:
					ended = true
				default:
				}
				cancel()
				<-done
				if ended != later.end || strings.Contains(answer.Body.String(), "event: bye") != later.end {
					t.Errorf("it has ended: %v, want %v: %s", ended, later.end, answer.Body)
				}
			})
		})
	}
}
