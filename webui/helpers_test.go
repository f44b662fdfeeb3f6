package webui_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/webui"
)

// The people of the tests.
var (
	grace   = gtf.Principal{Kind: gtf.KindUser, ID: "grace", Name: "Grace Hopper"}
	alan    = gtf.Principal{Kind: gtf.KindUser, ID: "alan", Name: "Alan Turing"}
	visitor = gtf.Principal{Kind: gtf.KindGuest, ID: "grace", Name: "Some Body"} // the id of a user, on purpose
	root    = gtf.Principal{Kind: gtf.KindUser, ID: "root", Name: "Root", Admin: true}
)

// tokens is an authenticator: a bearer token is the name of an identity.
type tokens map[string]*auth.Identity

func everybody() tokens {
	all := tokens{"viewer": {Principal: grace, Read: true}, "blind": {Principal: grace}, "nameless": {Read: true, Write: true}}
	for _, p := range []gtf.Principal{grace, alan, root} {
		all[p.ID] = &auth.Identity{Principal: p, Read: true, Write: true, Method: "session"}
	}
	all["visitor"] = &auth.Identity{Principal: visitor, Read: true, Write: true}
	return all
}

func (k tokens) Authenticate(r *http.Request) (*auth.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, nil
	}
	if who := k[token]; who != nil {
		return who, nil
	}
	return nil, auth.ErrCredentials
}

// input is that of every type of the tests.
type input struct {
	Key       string
	Abortable bool
	Fails     string
	Done      bool
}

var (
	privateWork = gtf.Define[input, string]("test.private", nil)
	sharedWork  = gtf.Define[input, string]("test.shared", &gtf.DefineOpts[input]{Scope: gtf.ScopeShared, Key: func(in input) string { return in.Key }})
	systemWork  = gtf.Define[input, string]("test.system", &gtf.DefineOpts[input]{Scope: gtf.ScopeSystem})
)

// world is a store with pages, and functions that run until they are told to end.
type world struct {
	t       *testing.T
	client  *gtf.Client
	pages   http.Handler
	started chan gtf.ID
	release chan struct{}
}

const runningQueue = "running"

func newWorld(t *testing.T, opts *webui.Options) *world {
	t.Helper()
	return newWorldOn(t, gtftest.NewStore(t), opts)
}

func newWorldOn(t *testing.T, store gtf.Store, opts *webui.Options) *world {
	t.Helper()
	w := &world{t: t, started: make(chan gtf.ID), release: make(chan struct{})}
	cfg := gtf.Config{Queues: map[string]int{runningQueue: 100}, Throttle: gtf.None}
	for _, def := range []*gtf.Definition[input, string]{privateWork, sharedWork, systemWork} {
		cfg.Handlers = append(cfg.Handlers, def.Handler(w.work))
	}
	w.client = gtftest.Client(t, store, &cfg)
	if err := w.client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(w.release) })
	o := webui.Options{Base: "/ops"}
	if opts != nil {
		o = *opts
	}
	if o.Authenticator == nil && !o.HostAuthenticates {
		o.Authenticator = everybody()
	}
	pages, err := webui.New(w.client, &o)
	if err != nil {
		t.Fatal(err)
	}
	w.pages = http.StripPrefix(o.Base, pages)
	return w
}

func (w *world) work(ctx context.Context, in input) (string, error) {
	x := gtf.FromContext(ctx)
	if in.Abortable {
		x.OnAbort(func(context.Context) error { return nil })
	}
	x.Logger().Info("works", "key", in.Key)
	x.Progress(9, 60)
	if err := x.Payload(map[string]any{"note": "</script>" + in.Key, "big": uint64(9007199254740993)}); err != nil {
		return "", err
	}
	if err := x.Flush(ctx); err != nil {
		return "", err
	}
	w.started <- x.ID()
	switch {
	case in.Fails != "":
		return "", fmt.Errorf("%s", in.Fails)
	case !in.Done:
		<-w.release
	}
	return "done", nil
}

// task schedules a task for each of some people, and waits until it is as wanted: pending, running or ended.
func (w *world) task(def *gtf.Definition[input, string], in input, state gtf.Status, people ...gtf.Principal) gtf.ID {
	w.t.Helper()
	opts := &gtf.ScheduleOpts{Name: in.Key, Queue: runningQueue}
	if state == gtf.StatusPending {
		opts.Queue = "nobody"
	}
	var h *gtf.Handle[string]
	for _, p := range people {
		var err error
		if h, err = def.Schedule(gtf.WithPrincipal(w.t.Context(), p), w.client, in, opts); err != nil {
			w.t.Fatal(err)
		}
	}
	if state != gtf.StatusPending {
		if id := <-w.started; id != h.ID {
			w.t.Fatalf("%s runs, want %s", id, h.ID)
		}
	}
	if state.Terminal() {
		if _, err := h.Wait(w.t.Context()); (err == nil) != (state == gtf.StatusSuccess) {
			w.t.Fatalf("the task ended with %v, want %s", err, state)
		}
	}
	return h.ID
}

// answer is a page.
type answer struct {
	status int
	header http.Header
	text   string
	doc    *html.Node
}

func (w *world) get(who, path string, header ...string) *answer {
	w.t.Helper()
	return w.do(httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil), who, header...)
}

func (w *world) post(who, path string, form url.Values, header ...string) *answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.do(r, who, header...)
}

func (w *world) do(r *http.Request, who string, header ...string) *answer {
	w.t.Helper()
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.pages.ServeHTTP(rec, r)
	body, err := io.ReadAll(rec.Result().Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &answer{status: rec.Code, header: rec.Header(), text: string(body)}
	if a.doc, err = html.Parse(strings.NewReader(a.text)); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// all are the elements that match: a tag or "", and attributes; an attribute with the value "*" only has to be there.
func all(n *html.Node, tag string, attrs ...string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (tag == "" || d.Data == tag) && has(d, attrs) {
			found = append(found, d)
		}
	}
	return found
}

func has(n *html.Node, attrs []string) bool {
	for i := 0; i+1 < len(attrs); i += 2 {
		value, ok := attr(n, attrs[i])
		if !ok || attrs[i+1] != "*" && value != attrs[i+1] {
			return false
		}
	}
	return true
}

func attr(n *html.Node, name string) (string, bool) {
	i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
	if i < 0 {
		return "", false
	}
	return n.Attr[i].Val, true
}

// one is the only element that matches.
func (w *world) one(n *html.Node, tag string, attrs ...string) *html.Node {
	w.t.Helper()
	found := all(n, tag, attrs...)
	if len(found) != 1 {
		w.t.Fatalf("%d elements are %s %q, want one", len(found), tag, attrs)
	}
	return found[0]
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func href(n *html.Node) string {
	value, _ := attr(n, "href")
	return value
}

// row is a task in the list, nil if it is not there.
func (a *answer) row(id gtf.ID) *html.Node {
	found := all(a.doc, "tr", "id", "task-"+id.String())
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func cell(row *html.Node, class string) string {
	for _, c := range append(all(row, "td", "class", class), all(row, "th", "class", class)...) {
		return text(c)
	}
	return "(no cell)"
}

// form is what a form would send.
func form(n *html.Node) url.Values {
	values := url.Values{}
	for _, in := range all(n, "input", "name", "*") {
		name, _ := attr(in, "name")
		value, _ := attr(in, "value")
		kind, _ := attr(in, "type")
		_, checked := attr(in, "checked")
		_, disabled := attr(in, "disabled")
		if !disabled && (checked || kind != "checkbox" && kind != "radio") {
			values.Add(name, value)
		}
	}
	return values
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
