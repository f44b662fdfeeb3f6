package live_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/live"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// The same id is a user and a guest; some see two types alone, one no type at all.
var viewers = []gtf.Viewer{
	{Kind: gtf.KindUser, ID: "7"}, {Kind: gtf.KindGuest, ID: "7"}, {Kind: gtf.KindUser, ID: "8"}, {All: true, Kind: gtf.KindUser, ID: "1"},
	{Kind: gtf.KindGuest, ID: "7", Types: []string{"live.private", "live.system"}}, {All: true, Kind: gtf.KindUser, ID: "1", Types: []string{"live.shared"}},
	{Kind: gtf.KindUser, ID: "7", Types: []string{}},
}

var scoped = map[gtf.Scope]*gtf.Definition[string, string]{
	gtf.ScopePrivate: gtf.Define[string, string]("live.private", &gtf.DefineOpts[string]{Key: func(in string) string { return in }}),
	gtf.ScopeShared: gtf.Define[string, string]("live.shared", &gtf.DefineOpts[string]{Scope: gtf.ScopeShared,
		Key: func(in string) string { return in }}),
	gtf.ScopeSystem: gtf.Define[string, string]("live.system", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem,
		Key: func(in string) string { return in }}),
}

// People submit, join and leave at random. Then every viewer opens a stream from before all that, and one from now on, and all
// tasks that are left change: the first tells of exactly the tasks that the list shows, and the second of those among them that
// have changed (S10.2).
func TestStreamsTellOfWhatListsShow(t *testing.T) {
	t.Parallel()
	dir, began := t.TempDir(), time.Now()
	rapid.Check(t, func(t *rapid.T) {
		if time.Since(began) > 10*time.Second {
			return
		}
		rapid.SyncTest(t, func(t *rapid.T) {
			path := filepath.Join(dir, "gtf.db")
			for _, end := range []string{"", "-wal", "-shm"} {
				if err := os.RemoveAll(path + end); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, path)
		})
	})
}

func compare(t *rapid.T, path string) {
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	store, err := sqlitestore.Open(ctx, path, nil)
	check(err)
	defer func() { check(store.Close()) }()
	var handlers []gtf.Handler
	for _, def := range scoped {
		handlers = append(handlers, def.Handler(func(_ context.Context, in string) (string, error) { return in, nil }))
	}
	client, err := gtf.New(store, &gtf.Config{Logger: discard, Handlers: handlers})
	check(err)
	defer func() { check(client.Stop(ctx)) }()
	hub := live.New(client, live.Options{})
	defer hub.Close()
	begin, err := client.Changes(ctx, nil)
	check(err)

	people := []gtf.Principal{{Kind: gtf.KindUser, ID: "7"}, {Kind: gtf.KindGuest, ID: "7"}, {Kind: gtf.KindUser, ID: "8"}, {}}
	for range rapid.IntRange(1, 20).Draw(t, "steps") {
		who := gtf.WithPrincipal(ctx, rapid.SampledFrom(people).Draw(t, "who"))
		scopes := gtf.Scopes()
		if _, somebody := gtf.PrincipalFrom(who); !somebody {
			scopes = scopes[1:] // a private task belongs to somebody
		}
		if def := scoped[rapid.SampledFrom(scopes).Draw(t, "scope")]; rapid.IntRange(0, 3).Draw(t, "leave") > 0 {
			_, err := def.Schedule(who, client, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"), nil)
			check(err)
		} else if page, err := client.List(who, nil); err == nil && len(page.Tasks) > 0 {
			_, _ = client.Cancel(who, rapid.SampledFrom(page.Tasks).Draw(t, "task").ID, nil) // some may not
		}
	}

	var missed, now []*answer
	var shown, left [][]string
	for _, v := range viewers {
		page, err := store.List(ctx, &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 100}, v)
		check(err)
		shown = append(shown, ids(page.Tasks))
		left = append(left, ids(slices.DeleteFunc(page.Tasks, func(t *gtf.Task) bool { return t.Status.Terminal() })))
		missed = append(missed, listen(hub, live.Stream{Viewer: v, After: begin.Cursor}))
		now = append(now, listen(hub, live.Stream{Viewer: v}))
	}
	synctest.Wait()
	for i, v := range viewers {
		if got := missed[i].told(); !slices.Equal(got, shown[i]) {
			t.Fatalf("%+v was told of %v, and the list shows %v", v, got, shown[i])
		}
	}
	check(client.Start(ctx))
	time.Sleep(time.Minute)
	for i, v := range viewers {
		if got := now[i].told(); !slices.Equal(got, left[i]) {
			t.Fatalf("%+v was told of changes of %v, and the list shows %v", v, got, left[i])
		}
	}
	hub.Close()
	synctest.Wait()
}

func ids(tasks []*gtf.Task) []string {
	all := []string{}
	for _, t := range tasks {
		all = append(all, t.ID.String())
	}
	slices.Sort(all)
	return all
}

// answer is a stream that is kept instead of sent.
type answer struct {
	header http.Header

	mu   sync.Mutex
	text bytes.Buffer
}

func listen(hub *live.Hub, s live.Stream) *answer {
	a := &answer{header: http.Header{}}
	go hub.Serve(a, httptest.NewRequest(http.MethodGet, "/", http.NoBody), s)
	return a
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(int)     {}
func (a *answer) Flush()              {}

func (a *answer) Write(text []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text.Write(text)
}

var taskID = regexp.MustCompile(`(?m)^data: {"id":"([^"]+)"`)

// told are the ids of the events so far, each once.
func (a *answer) told() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := []string{}
	for _, found := range taskID.FindAllSubmatch(a.text.Bytes(), -1) {
		all = append(all, string(found[1]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
