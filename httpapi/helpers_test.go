package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/httpapi/internal/apitest"
)

// The people of the tests. Ada and the guest have one id, on purpose.
var (
	ada   = gtf.Principal{Kind: gtf.KindUser, ID: "7", Name: "Ada King Lovelace"}
	guest = gtf.Principal{Kind: gtf.KindGuest, ID: "7", Name: "Some Body"}
	grace = gtf.Principal{Kind: gtf.KindUser, ID: "8", Name: "Grace Hopper"}
	alan  = gtf.Principal{Kind: gtf.KindUser, ID: "9", Name: "Alan Turing"}
	root  = gtf.Principal{Kind: gtf.KindUser, ID: "1", Name: "Root", Admin: true}
)

// tokens is an authenticator of the tests: a bearer token is the name of an identity.
type tokens map[string]auth.Identity

// everybody may do everything that their principal may.
func everybody() tokens {
	all := tokens{}
	for name, p := range map[string]gtf.Principal{"ada": ada, "guest": guest, "grace": grace, "alan": alan, "root": root} {
		all[name] = auth.Identity{Principal: p, Read: true, Write: true, Method: "test"}
	}
	return all
}

func (k tokens) Authenticate(r *http.Request) (*auth.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, nil
	}
	who, ok := k[token]
	if !ok {
		return nil, auth.ErrCredentials
	}
	return &who, nil
}

// input is that of every type of the tests.
type input struct {
	Key       string
	Abortable bool // registers an abort handler
	Done      bool // returns at once
}

func keyOf(in input) string { return in.Key }

var (
	privateWork   = gtf.Define[input, string]("test.private", &gtf.DefineOpts[input]{Key: keyOf})
	sharedWork    = gtf.Define[input, string]("test.shared", &gtf.DefineOpts[input]{Key: keyOf, Scope: gtf.ScopeShared})
	systemWork    = gtf.Define[input, string]("test.system", &gtf.DefineOpts[input]{Key: keyOf, Scope: gtf.ScopeSystem})
	perClientWork = gtf.Define[input, string]("test.per_client", &gtf.DefineOpts[input]{Key: keyOf, Scope: gtf.ScopeShared, PerClient: true})
)

// world is a store with an API, and functions that run until they are told to end.
type world struct {
	t       *testing.T
	client  *gtf.Client // works on the queue "running"; what is in others stays pending
	api     *httpapi.Handler
	server  *httptest.Server
	store   gtf.Store
	started chan gtf.ID
	release chan struct{}
	log     *safeBuffer
}

// worldOpts are what a test wants to be otherwise.
type worldOpts struct {
	api     httpapi.Options
	config  gtf.Config
	defs    []*gtf.Definition[input, string] // further types
	store   gtf.Store
	wrap    func(http.Handler) http.Handler // around the API
	anyPath bool                            // answers are not compared with the document
}

const runningQueue = "running"

func newWorld(t *testing.T, o worldOpts) *world {
	t.Helper()
	w := &world{t: t, store: o.store, started: make(chan gtf.ID, 100), release: make(chan struct{}), log: &safeBuffer{}}
	if w.store == nil {
		w.store = gtftest.NewStore(t)
	}
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	cfg := o.config
	cfg.Logger = logger
	cfg.Queues = map[string]int{runningQueue: 100}
	for _, def := range append(o.defs, privateWork, sharedWork, systemWork, perClientWork) {
		cfg.Handlers = append(cfg.Handlers, def.Handler(w.work))
	}
	w.client = gtftest.Client(t, w.store, &cfg)
	if err := w.client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w.serve(o)
}

func (w *world) serve(o worldOpts) *world {
	t := w.t
	if o.api.Authenticator == nil && !o.api.HostAuthenticates {
		o.api.Authenticator = everybody()
	}
	api, err := httpapi.New(w.client, &o.api)
	if err != nil {
		t.Fatal(err)
	}
	w.api = api
	handler := http.Handler(api)
	if !o.anyPath {
		handler = apitest.Check(t, api)
	}
	if o.wrap != nil {
		handler = o.wrap(handler)
	}
	w.server = httptest.NewServer(handler)
	t.Cleanup(func() {
		close(w.release)
		api.Close()
		w.server.Close()
	})
	return w
}

// work is what runs: it says when it does, and goes on whatever is asked of it.
func (w *world) work(ctx context.Context, in input) (string, error) {
	x := gtf.FromContext(ctx)
	if in.Abortable {
		x.OnAbort(func(context.Context) error { return nil })
	}
	x.Logger().Info("works", "on", "log-of-"+in.Key)
	x.Progress(1, 4)
	if err := x.Payload(map[string]any{"note": "payload-of-" + in.Key}); err != nil {
		return "", err
	}
	if err := x.Flush(ctx); err != nil {
		return "", err
	}
	w.started <- x.ID()
	if !in.Done {
		<-w.release
	}
	return "result-of-" + in.Key, nil
}

// pending schedules a task that nobody works on, for each of some people.
func (w *world) pending(def *gtf.Definition[input, string], key string, people ...gtf.Principal) gtf.ID {
	w.t.Helper()
	return w.schedule(def, input{Key: key}, &gtf.ScheduleOpts{Queue: "nobody", Name: "name-of-" + key}, people...)
}

// running schedules a task and waits until it runs.
func (w *world) running(def *gtf.Definition[input, string], in input, people ...gtf.Principal) gtf.ID {
	w.t.Helper()
	id := w.schedule(def, in, &gtf.ScheduleOpts{Queue: runningQueue, Name: "name-of-" + in.Key}, people...)
	if got := <-w.started; got != id {
		w.t.Fatalf("%s runs, want %s", got, id)
	}
	return id
}

// finished runs a task to its end.
func (w *world) finished(def *gtf.Definition[input, string], key string, people ...gtf.Principal) gtf.ID {
	w.t.Helper()
	id := w.running(def, input{Key: key, Done: true}, people...)
	if _, err := def.Attach(w.client, id).Wait(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) schedule(def *gtf.Definition[input, string], in input, opts *gtf.ScheduleOpts, people ...gtf.Principal) (id gtf.ID) {
	w.t.Helper()
	if len(people) == 0 {
		people = []gtf.Principal{{}}
	}
	for _, p := range people {
		h, err := def.Schedule(gtf.WithPrincipal(w.t.Context(), p), w.client, in, opts)
		if err != nil {
			w.t.Fatal(err)
		}
		id = h.ID
	}
	return id
}

// answer is what the API says.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any // if it is an object
}

// at finds a member by a path like "task.actions.cancel.state".
func (a *answer) at(path string) any {
	var here any = a.body
	for name := range strings.SplitSeq(path, ".") {
		members, _ := here.(map[string]any)
		here = members[name]
	}
	return here
}

// members are the names at a path, sorted.
func (a *answer) members(path string) []string {
	members, _ := a.at(path).(map[string]any)
	return slices.Sorted(maps.Keys(members))
}

// plain does not ask for compression by itself.
func plain(server *httptest.Server) *http.Client {
	c := *server.Client()
	transport := c.Transport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // it is that of httptest
	transport.DisableCompression = true
	transport.DisableKeepAlives = true
	c.Transport = transport
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// do sends a request for whoever the token names; headers are name and value in turn.
func (w *world) do(method, token, path, body string, headers ...string) *answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := plain(w.server).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it is read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &answer{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body) // what is no object has no members
	return a
}

const list = "/api/v1/task/"

func (w *world) get(token, path string, headers ...string) *answer {
	w.t.Helper()
	return w.do(http.MethodGet, token, list+path, "", headers...)
}

func (w *world) cancel(token string, id gtf.ID, body string) *answer {
	w.t.Helper()
	return w.do(http.MethodPost, token, fmt.Sprint(list, id, "/cancel"), body)
}

// task reads a task as the host.
func (w *world) task(id gtf.ID) *gtf.Task {
	w.t.Helper()
	t, err := w.client.Get(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func wantStatus(t testing.TB, a *answer, want int) {
	t.Helper()
	if a.status != want {
		t.Errorf("answered %d, want %d: %s", a.status, want, a.text)
	}
}

// safeBuffer takes a log.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
