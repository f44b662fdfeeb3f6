package webui_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
	"github.com/globaltask/gtf/webui"
)

// TestBrowser runs the tests in e2e, which use the pages by a real browser. They need node, chromium, and the packages of
// e2e/package-lock.json (npm ci). GTF_BROWSER_TESTS names some of them, GTF_BROWSER_PICTURES a folder that pictures of the
// pages are put into.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes a while")
	}
	node, chromium := needBrowser(t)
	s := newStage(t)
	files, err := filepath.Glob(cmp.Or(os.Getenv("GTF_BROWSER_TESTS"), "e2e/*.test.mjs"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append([]string{"--test", "--test-reporter=spec", "--test-concurrency=1"}, files...)...)
	cmd.Env = append(os.Environ(), "GTF_BROWSER_URL="+s.server.URL+stageBase, "GTF_CHROMIUM="+chromium)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	} else if testing.Verbose() {
		t.Log(out.String())
	}
}

// needBrowser finds what the tests need, or leaves them out and says so.
func needBrowser(t *testing.T) (node, chromium string) {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("GTF_TEST_ALL") == "yes" {
			t.Fatalf("%s is missing", what)
		}
		t.Skipf("SKIP the pages in a browser: %s is missing", what)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node")
	}
	if chromium, err = exec.LookPath(cmp.Or(os.Getenv("GTF_CHROMIUM"), "chromium")); err != nil {
		missing("chromium")
	}
	if _, err := os.Stat("e2e/node_modules/playwright-core"); err != nil {
		missing("e2e/node_modules (npm ci)")
	}
	return node, chromium
}

const stageBase = "/ops"

// stage is a server with tasks that tests steer over HTTP.
type stage struct {
	client  *gtf.Client
	server  *httptest.Server
	streams atomic.Int64
	broken  atomic.Bool // streams are refused, and cut

	mu    sync.Mutex
	acts  map[gtf.ID]chan act
	begun chan gtf.ID
	cut   chan struct{} // closed to cut the streams
}

// act is what a running task is told to do.
type act struct {
	done, total int
	payload     string
	end         bool
	fails       string
	handled     chan struct{}
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{acts: map[gtf.ID]chan act{}, begun: make(chan gtf.ID), cut: make(chan struct{})}
	cfg := gtf.Config{Queues: map[string]int{runningQueue: 500}, Throttle: gtf.None}
	for _, def := range []*gtf.Definition[input, string]{privateWork, sharedWork, systemWork} {
		cfg.Handlers = append(cfg.Handlers, def.Handler(s.work))
	}
	s.client = gtftest.Start(t, &cfg)
	people := auth.Demo(false)
	api, err := httpapi.New(s.client, &httpapi.Options{Authenticator: people, CancelRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := webui.New(s.client, &webui.Options{Authenticator: people, Base: stageBase, People: auth.DemoPeople(), LimitCancel: api.LimitCancel})
	if err != nil {
		t.Fatal(err)
	}
	under := http.NewServeMux()
	under.Handle("/api/", s.breakable(api))
	under.Handle("/", pages)
	people.Mount(under)
	mux := http.NewServeMux()
	mux.Handle(stageBase+"/", http.StripPrefix(stageBase, under))
	mux.HandleFunc("POST /control/{what}", s.control)
	s.server = httptest.NewServer(web.Wrap(mux, web.Options{}))
	t.Cleanup(func() {
		api.Close()
		s.server.Close()
	})
	return s
}

// breakable counts event streams, and cuts them on demand.
func (s *stage) breakable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			next.ServeHTTP(w, r)
			return
		}
		if s.broken.Load() {
			http.Error(w, "the stream is broken", http.StatusBadGateway)
			return
		}
		s.streams.Add(1)
		defer s.streams.Add(-1)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		s.mu.Lock()
		cut := s.cut
		s.mu.Unlock()
		var watch sync.WaitGroup
		watch.Go(func() {
			select {
			case <-cut:
				cancel()
			case <-ctx.Done():
			}
		})
		next.ServeHTTP(w, r.WithContext(ctx))
		cancel()
		watch.Wait()
	})
}

func (s *stage) work(ctx context.Context, in input) (string, error) {
	x := gtf.FromContext(ctx)
	if in.Abortable {
		x.OnAbort(func(context.Context) error { return nil })
	}
	acts := make(chan act)
	s.mu.Lock()
	s.acts[x.ID()] = acts
	s.mu.Unlock()
	s.begun <- x.ID()
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case a := <-acts:
			if a.payload != "" {
				_ = x.Payload(map[string]any{"note": a.payload})
			}
			if a.total > 0 {
				x.Progress(a.done, a.total)
			}
			x.Logger().Info("told", "done", a.done)
			_ = x.Flush(ctx)
			close(a.handled)
			switch {
			case a.fails != "":
				return "", fmt.Errorf("%s", a.fails)
			case a.end:
				return "done", nil
			}
		}
	}
}

// control does what a test wants: form values in, a text out.
func (s *stage) control(w http.ResponseWriter, r *http.Request) {
	answer, err := s.obey(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprint(w, answer)
}

func (s *stage) obey(r *http.Request) (string, error) {
	switch r.PathValue("what") {
	case "task":
		return s.submit(r)
	case "act":
		return "", s.act(r)
	case "leave":
		id, err := gtf.ParseID(r.FormValue("id"))
		if err == nil {
			_, err = s.client.Cancel(gtf.WithPrincipal(r.Context(), demoPerson(r.FormValue("by"))), id, nil)
		}
		return "", err
	case "break":
		s.broken.Store(r.FormValue("on") == "1")
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.cut)
		s.cut = make(chan struct{})
		return "", nil
	case "switch":
		s.client.SetEnabled(r.FormValue("on") == "1")
		return "", nil
	case "streams":
		return strconv.FormatInt(s.streams.Load(), 10), nil
	}
	return "", fmt.Errorf("%q is nothing to do", r.PathValue("what"))
}

func demoPerson(id string) gtf.Principal {
	for _, who := range auth.DemoPeople() {
		if who.Principal.ID == id {
			p := who.Principal
			p.Admin = false
			return p
		}
	}
	return gtf.Principal{ID: id}
}

func (s *stage) submit(r *http.Request) (string, error) {
	def := map[string]*gtf.Definition[input, string]{"shared": sharedWork, "system": systemWork}[r.FormValue("scope")]
	if def == nil {
		def = privateWork
	}
	opts := &gtf.ScheduleOpts{Name: r.FormValue("name"), Queue: "nobody"}
	if r.FormValue("running") != "" {
		opts.Queue = runningQueue
	}
	if r.FormValue("timeout") != "" {
		opts.Timeout = time.Hour
	}
	in := input{Key: r.FormValue("name"), Abortable: r.FormValue("abortable") != ""}
	var h *gtf.Handle[string]
	created := false
	for by := range strings.SplitSeq(r.FormValue("by"), ",") {
		var err error
		if h, err = def.Schedule(gtf.WithPrincipal(r.Context(), demoPerson(by)), s.client, in, opts); err != nil {
			return "", err
		}
		created = created || !h.Joined
	}
	if created && opts.Queue == runningQueue {
		select {
		case <-s.begun:
		case <-r.Context().Done():
			return "", r.Context().Err()
		}
	}
	return h.ID.String(), nil
}

func (s *stage) act(r *http.Request) error {
	id, err := gtf.ParseID(r.FormValue("id"))
	if err != nil {
		return err
	}
	s.mu.Lock()
	acts := s.acts[id]
	s.mu.Unlock()
	a := act{payload: r.FormValue("payload"), end: r.FormValue("end") != "", fails: r.FormValue("fails"), handled: make(chan struct{})}
	a.done, _ = strconv.Atoi(r.FormValue("done")) // none is 0
	a.total, _ = strconv.Atoi(r.FormValue("total"))
	select {
	case acts <- a:
	case <-r.Context().Done():
		return r.Context().Err()
	}
	<-a.handled
	return nil
}
