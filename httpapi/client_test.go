package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
)

// gateway is what a command line needs of tasks, here or elsewhere.
type gateway interface {
	Cancel(ctx context.Context, id gtf.ID, opts *gtf.CancelOpts) (*gtf.Canceled, error)
	Changes(ctx context.Context, params *gtf.ChangesParams) (*gtf.Changes, error)
	Distinct(ctx context.Context, params *gtf.DistinctParams) ([]gtf.DistinctValue, error)
	Get(ctx context.Context, id gtf.ID) (*gtf.Task, error)
	List(ctx context.Context, params *gtf.ListParams) (*gtf.TaskPage, error)
	Logs(ctx context.Context, id gtf.ID, after int64, limit int) ([]gtf.LogLine, error)
	Status(ctx context.Context, id gtf.ID) (gtf.Status, error)
}

var (
	_ gateway = (*gtf.Client)(nil)
	_ gateway = (*httpapi.Client)(nil)
)

// remote is a client of the world's API.
func (w *world) remote(token string) *httpapi.Client {
	w.t.Helper()
	c, err := httpapi.NewClient(w.server.URL+"/", &httpapi.ClientOpts{HTTPClient: plain(w.server), Token: token})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// sameTask compares what goes over the wire.
var sameTask = cmp.Options{
	cmpopts.IgnoreFields(gtf.Subscriber{}, "Clients"), cmpopts.IgnoreFields(gtf.Task{}, "PerClient"), cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(gtf.Change{}, "Type", "Scope", "Subscribers"),
	cmpopts.SortSlices(func(a, b gtf.Change) bool { return a.ID.String() < b.ID.String() }),
}

func TestClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	start, err := w.client.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.pending(sharedWork, "waits, with a comma", ada, grace, guest)
	runs := w.running(privateWork, input{Key: "runs", Abortable: true}, ada)
	done := w.finished(privateWork, "done", ada)
	w.pending(systemWork, "system")
	w.pending(privateWork, "of a guest", guest)
	if _, err := w.client.Cancel(gtf.WithPrincipal(t.Context(), ada), runs, nil); err != nil {
		t.Fatal(err)
	}
	hour := time.Now().Add(-time.Hour)
	for token, who := range map[string]gtf.Principal{"ada": ada, "root": root, "guest": guest, "alan": alan} {
		t.Run("sees as "+token+" what the same principal sees in the process", func(t *testing.T) {
			t.Parallel()
			ctx := gtf.WithPrincipal(t.Context(), who)
			far := w.remote(token)
			for _, p := range []*gtf.ListParams{
				nil, {}, {PageSize: 1, Order: gtf.OrderType}, {PageSize: 1, Offset: 1, Order: gtf.OrderCreated, Descending: true},
				{Statuses: []gtf.Status{gtf.StatusPending, gtf.StatusSuccess}}, {Types: []string{"test.private"}, Scopes: gtf.Scopes()},
				{CreatedBy: ada}, {Subscriber: guest}, {Queues: []string{"nobody"}, NoCount: true}, {CreatedAfter: hour}, {CreatedBefore: hour},
				{Text: "comma"}, {Text: "o", Types: []string{"test.private", "test.shared"}, Order: gtf.OrderStatus, Descending: true, PageSize: 3},
				{Text: "o", CreatedBy: ada, CreatedAfter: hour}, {Text: "o", PageSize: 1, Offset: 1},
				{Where: []gtf.Condition{{Column: gtf.FilterKey, Op: gtf.OpIn, Texts: []string{"waits, with a comma", "runs"}}}},
				{Where: []gtf.Condition{{Column: gtf.FilterKey, Op: gtf.OpEqual, Texts: []string{"waits, with a comma"}}}, Text: "waits"},
				{Where: []gtf.Condition{{Column: gtf.FilterName, Op: gtf.OpContains, Texts: []string{"it's !n (1,2)"}}}},
			} {
				here, err := w.client.List(ctx, p)
				if err != nil {
					t.Fatal(err)
				}
				there, err := far.List(t.Context(), p)
				if err != nil {
					t.Fatalf("%+v: %v", p, err)
				}
				if diff := cmp.Diff(here, there, sameTask, cmpopts.IgnoreFields(gtf.TaskPage{}, "Next")); diff != "" || (here.Next == "") != (there.Next == "") {
					t.Errorf("%+v: the page differs (-here +there):\n%s", p, diff)
				}
			}
			for _, id := range []gtf.ID{runs, done} {
				here, hereErr := w.client.Get(ctx, id)
				there, thereErr := far.Get(t.Context(), id)
				if diff := cmp.Diff(here, there, sameTask); diff != "" || errors.Is(hereErr, gtf.ErrNotFound) != errors.Is(thereErr, gtf.ErrNotFound) {
					t.Errorf("the task differs, or its error (%v, %v):\n%s", hereErr, thereErr, diff)
				}
				hereLogs, _ := w.client.Logs(ctx, id, 0, 0)
				thereLogs, err := far.Logs(t.Context(), id, 0, 0)
				if diff := cmp.Diff(hereLogs, thereLogs); diff != "" || errors.Is(hereErr, gtf.ErrNotFound) != errors.Is(err, gtf.ErrNotFound) {
					t.Errorf("the log differs (%v):\n%s", err, diff)
				}
				hereStatus, _ := w.client.Status(ctx, id)
				if there, _ := far.Status(t.Context(), id); there != hereStatus {
					t.Errorf("the status is %q, here %q", there, hereStatus)
				}
			}
			params := &gtf.ChangesParams{After: start.Cursor, Types: []string{"test.private", "test.shared"}}
			here, err := w.client.Changes(ctx, params)
			if err != nil {
				t.Fatal(err)
			}
			there, err := far.Changes(t.Context(), params)
			if diff := cmp.Diff(here, there, sameTask, cmpopts.IgnoreFields(gtf.Changes{}, "Cursor")); diff != "" || err != nil {
				t.Errorf("the changes differ (%v):\n%s", err, diff)
			}
			for _, p := range []gtf.DistinctParams{
				{Column: gtf.FilterCreatedBy}, {Column: gtf.FilterSubscribers, Text: "e"}, {Column: gtf.FilterType, Limit: 1},
			} {
				here, err := w.client.Distinct(ctx, &p)
				if err != nil {
					t.Fatal(err)
				}
				there, err := far.Distinct(t.Context(), &p)
				if diff := cmp.Diff(here, there, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(gtf.DistinctValue{}, "Kind")); diff != "" || err != nil {
					t.Errorf("the values of %s differ (%v):\n%s", p.Column, err, diff)
				}
			}
			info, err := far.Info(t.Context())
			if err != nil || info.User.ID != who.ID || info.User.Kind != who.Kind || info.User.Admin != who.Admin {
				t.Errorf("the caller is %+v, %v", info, err)
			}
		})
	}
	t.Run("goes on behind a cursor", func(t *testing.T) {
		t.Parallel()
		var ids []gtf.ID
		for p := (&gtf.ListParams{PageSize: 2}); ; {
			page, err := w.remote("root").List(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range page.Tasks {
				ids = append(ids, task.ID)
			}
			if p.Cursor = page.Next; page.Next == "" {
				break
			}
		}
		if len(ids) != 5 {
			t.Errorf("read %v, want 5 tasks", ids)
		}
	})
	t.Run("gets what the server says of a task besides", func(t *testing.T) {
		t.Parallel()
		v, err := w.remote("ada").View(t.Context(), runs)
		if err != nil || v.Actions.Cancel.State != gtf.CancelHidden || v.Duration == nil {
			t.Errorf("got %+v, %v", v, err)
		}
	})
	t.Run("refuses by itself what the server could not be asked", func(t *testing.T) {
		t.Parallel()
		far := w.remote("ada")
		comma := gtf.Condition{Column: gtf.FilterKey, Op: gtf.OpIn, Texts: []string{"a,b", "c"}}
		_, offset := far.List(t.Context(), &gtf.ListParams{Offset: 3, PageSize: 2})
		_, text := far.List(t.Context(), &gtf.ListParams{Text: "x", Where: []gtf.Condition{comma}})
		_, column := far.Distinct(t.Context(), &gtf.DistinctParams{Column: gtf.FilterQueue})
		for field, err := range map[string]error{"offset": offset, "filters.task_key": text, "column": column} {
			if invalid, ok := errors.AsType[*gtf.ValidationError](err); !ok || invalid.Problems[0].Field != field {
				t.Errorf("got %v, want a problem of %s", err, field)
			}
		}
	})
}

// Errors are the same, here and over HTTP.
func TestClientErrors(t *testing.T) {
	t.Parallel()
	store := &faulty{Store: gtftest.NewStore(t)}
	w := newWorld(t, worldOpts{store: store})
	ctx := func(p gtf.Principal) context.Context { return gtf.WithPrincipal(t.Context(), p) }
	both := func(token string, p gtf.Principal, id gtf.ID, o *gtf.CancelOpts) (here, there error) {
		_, here = w.client.Cancel(ctx(p), id, o)
		_, there = w.remote(token).Cancel(t.Context(), id, o)
		return here, there
	}
	finished, running := w.finished(privateWork, "finished", ada), w.running(privateWork, input{Key: "running"}, ada)
	shared := w.pending(sharedWork, "shared", ada, grace)
	for name, tt := range map[string]struct {
		token string
		who   gtf.Principal
		id    gtf.ID
		opts  *gtf.CancelOpts
		want  error
	}{
		"a task that is not there":      {"ada", ada, gtf.NewID(), nil, gtf.ErrNotFound},
		"a task that is hidden":         {"alan", alan, shared, nil, gtf.ErrNotFound},
		"force by who is no admin":      {"ada", ada, shared, &gtf.CancelOpts{Force: true}, gtf.ErrForbidden},
		"a shared task, without force":  {"root", root, shared, nil, gtf.ErrForbidden},
		"a finished task":               {"ada", ada, finished, nil, gtf.ErrFinished},
		"a task without abort handler":  {"ada", ada, running, nil, gtf.ErrNotAbortable},
		"a task that was to be stopped": {"ada", ada, shared, &gtf.CancelOpts{Expect: gtf.EffectAbort}, gtf.ErrConflict},
		"an effect that there is not":   {"ada", ada, shared, &gtf.CancelOpts{Expect: "explode"}, &gtf.ValidationError{}},
	} {
		here, there := both(tt.token, tt.who, tt.id, tt.opts)
		_, invalid := tt.want.(*gtf.ValidationError) //nolint:errorlint // it is the one above
		for where, err := range map[string]error{"here": here, "there": there} {
			got, ok := errors.AsType[*gtf.ValidationError](err)
			if !invalid && !errors.Is(err, tt.want) || invalid && (!ok || got.Problems[0].Field != "expect") {
				t.Errorf("cancel of %s gives %v %s, want %v", name, err, where, tt.want)
			}
		}
		if now, ok := errors.AsType[*gtf.ExpectError](there); ok && (now.Now != gtf.EffectUnsubscribe || now.Expected != gtf.EffectAbort) {
			t.Errorf("the conflict is %+v", now)
		}
	}
	did, err := w.remote("ada").Cancel(t.Context(), shared, &gtf.CancelOpts{Expect: gtf.EffectUnsubscribe})
	if err != nil || did.Effect != gtf.EffectUnsubscribe || did.Task.ID != shared || len(did.Task.Subscribers) != 1 {
		t.Errorf("left with %+v, %v", did, err)
	}
	_, err = w.remote("nobody we know").Get(t.Context(), shared)
	if !errors.Is(err, httpapi.ErrUnauthorized) {
		t.Errorf("with a bad token: %v, want ErrUnauthorized", err)
	}
	store.fail(errors.New("disk on fire"))
	_, err = w.remote("ada").Get(t.Context(), shared)
	if broken, ok := errors.AsType[*httpapi.AnswerError](err); !ok || broken.Status != http.StatusInternalServerError || broken.RequestID == "" {
		t.Errorf("an internal error: %v, want an *AnswerError with the request", err)
	}
	store.err.Store(nil)
	w.client.SetEnabled(false)
	if _, err = w.remote("ada").List(t.Context(), nil); !errors.Is(err, gtf.ErrDisabled) {
		t.Errorf("switched off: %v, want ErrDisabled", err)
	}
}

func TestNewClient(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "example.com", "ftp://example.com", "http://", "http://example.com/?a=b", "http://ada:geheim@exa mple/", "://ada:geheim@x"} {
		_, err := httpapi.NewClient(text, nil)
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	id := w.running(privateWork, input{Key: "one", Abortable: true}, ada)
	var seen []string
	for task, err := range w.remote("ada").Watch(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprint(task.Status))
		switch {
		case len(seen) == 1:
			w.server.CloseClientConnections() // it comes back by itself
			if _, err := w.client.Cancel(gtf.WithPrincipal(t.Context(), ada), id, nil); err != nil {
				t.Fatal(err)
			}
		case task.Status == gtf.StatusAborting:
			w.release <- struct{}{}
		}
	}
	if got := slices.Compact(seen); !slices.Equal(got, []string{"in_progress", "aborting", "aborted"}) {
		t.Errorf("saw %v", seen)
	}
	t.Run("ends for who leaves", func(t *testing.T) {
		t.Parallel()
		shared := w.pending(sharedWork, "leave", ada, grace)
		var last error
		for task, err := range w.remote("ada").Watch(t.Context(), shared) {
			if last = err; task != nil {
				if _, err := w.remote("ada").Cancel(t.Context(), shared, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !errors.Is(last, gtf.ErrNotFound) {
			t.Errorf("it ends with %v, want ErrNotFound", last)
		}
	})
	t.Run("ends with its context, not the task", func(t *testing.T) {
		t.Parallel()
		waits := w.pending(privateWork, "waits", ada)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for task, err := range w.remote("ada").Watch(ctx, waits) {
			if last = err; task != nil {
				cancel()
			}
		}
		if wait, ok := errors.AsType[*gtf.WaitError](last); !ok || wait.ID != waits || !errors.Is(last, context.Canceled) {
			t.Errorf("it ends with %v, want a *WaitError", last)
		}
	})
	t.Run("of a hidden task is an error", func(t *testing.T) {
		t.Parallel()
		hidden := w.pending(privateWork, "hidden", grace)
		for task, err := range w.remote("ada").Watch(t.Context(), hidden) {
			if task != nil || !errors.Is(err, gtf.ErrNotFound) {
				t.Errorf("got %v, %v", task, err)
			}
		}
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	var ids []gtf.ID
	var cursor string
	far := w.remote("ada")
	for e, err := range far.Events(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Kind == httpapi.EventHello:
			if len(ids) == 0 {
				cursor = e.Cursor
				ids = append(ids, w.pending(privateWork, "first", ada))
			}
			continue
		case e.Kind != httpapi.EventTask || e.ID != ids[len(ids)-1]:
			continue // one may come twice
		}
		if e.Status != gtf.StatusPending {
			t.Errorf("got %+v", e)
		}
		if len(ids) == 2 {
			break
		}
		w.server.CloseClientConnections() // what happens now is not lost
		ids = append(ids, w.pending(privateWork, "second", ada))
	}
	missed := map[gtf.ID]bool{}
	for e, err := range far.Events(t.Context(), &httpapi.EventsParams{After: cursor, Types: []string{"test.private"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if missed[e.ID] = true; missed[ids[0]] && missed[ids[1]] {
			break
		}
	}
	for _, err := range w.remote("nobody we know").Events(t.Context(), nil) {
		if !errors.Is(err, httpapi.ErrUnauthorized) {
			t.Errorf("with a bad token: %v", err)
		}
	}
}
