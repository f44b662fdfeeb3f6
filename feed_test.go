package gtf_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// ledger is a store whose changes a test makes up: Tasks answers the next reads, one each, and later reads find nothing.
type ledger struct {
	gtf.Store

	mu      sync.Mutex
	answers []ledgerAnswer
	reads   []ledgerRead
	cursor  int
}

type ledgerAnswer struct {
	changes gtf.Changes // without a cursor: the next one if there are tasks
	err     error
}

type ledgerRead struct {
	at     time.Time
	params gtf.ChangesParams
	viewer gtf.Viewer
}

func (l *ledger) Changes(_ context.Context, p *gtf.ChangesParams, v gtf.Viewer) (*gtf.Changes, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads = append(l.reads, ledgerRead{time.Now(), *p, v})
	var next ledgerAnswer
	if len(l.answers) > 0 {
		next, l.answers = l.answers[0], l.answers[1:]
	}
	if len(next.changes.Tasks) > 0 {
		l.cursor++
	}
	next.changes.Cursor = "c" + strconv.Itoa(l.cursor)
	return &next.changes, next.err
}

func (l *ledger) answer(next ...ledgerAnswer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, next...)
}

// all are the reads so far.
func (l *ledger) all() []ledgerRead {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.reads)
}

// since is how long after begun each read was.
func (l *ledger) since(begun time.Time) []time.Duration {
	var all []time.Duration
	for _, r := range l.all() {
		all = append(all, r.at.Sub(begun))
	}
	return all
}

// follower keeps what a feed yields: the cursors, "reset", and the error at the end.
type follower struct {
	mu   sync.Mutex
	got  []string
	err  error
	over bool
}

func follow(ctx context.Context, c *gtf.Client, after string) *follower {
	f := &follower{}
	go func() {
		for changes, err := range c.Feed(ctx, after) {
			f.mu.Lock()
			switch {
			case err != nil:
				f.err = err
			case changes.Reset:
				f.got = append(f.got, "reset "+changes.Cursor)
			default:
				f.got = append(f.got, changes.Cursor)
			}
			f.mu.Unlock()
		}
		f.mu.Lock()
		f.over = true
		f.mu.Unlock()
	}()
	synctest.Wait()
	return f
}

func (f *follower) wants(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.got, want) {
		t.Errorf("the feed yielded %q, want %q", f.got, want)
	}
}

func (f *follower) wantsEnd(t *testing.T, want error) {
	t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over || !errors.Is(f.err, want) {
		t.Errorf("over %v with %v, want the end with %v", f.over, f.err, want)
	}
}

// oneChange answers a read with a change.
var oneChange = ledgerAnswer{changes: gtf.Changes{Tasks: []gtf.Change{{}}}}

// feeding is a client of a ledger, and the wire that brings its signals. Time has passed since it was linked.
func feeding(t *testing.T) (*ledger, *wire, *gtf.Client) {
	t.Helper()
	store, between := &ledger{}, &wire{}
	return store, between, newClient(t, store, &gtf.Config{Signals: between})
}

func (w *wire) signal(kind gtf.SignalKind) {
	w.each(func(l gtf.Listener) { l.Signal(gtf.Signal{Kind: kind}) })
}

func TestFeed(t *testing.T) {
	t.Parallel()
	t.Run("yields where it begins, and then what is committed, at once", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between, c := feeding(t)
			ctx, cancel := context.WithCancel(t.Context())
			f := follow(ctx, c, "")
			f.wants(t, "c0")
			time.Sleep(time.Second)
			for i, kind := range []gtf.SignalKind{gtf.SignalChanged, gtf.SignalFinished, gtf.SignalWork, gtf.SignalAny} {
				store.answer(oneChange)
				begun := time.Now()
				between.signal(kind)
				f.wants(t, []string{"c0", "c1", "c2", "c3", "c4"}[:i+2]...)
				if took := time.Since(begun); took != 0 {
					t.Errorf("after %v, want at once", took)
				}
				time.Sleep(time.Second)
			}
			reads := len(store.all())
			between.signal(gtf.SignalAbort)
			between.signal(gtf.SignalChanged)
			f.wants(t, "c0", "c1", "c2", "c3", "c4")
			if more := len(store.all()) - reads; more != 1 {
				t.Errorf("%d reads, want one for the change and none for the abort", more)
			}
			cancel()
			f.wantsEnd(t, context.Canceled)
		})
	})
	t.Run("reads with subscribers behind the last cursor, for the principal of its context", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between, c := feeding(t)
			ctx, cancel := context.WithCancel(t.Context())
			store.answer(oneChange)
			host := follow(ctx, c, "from here")
			time.Sleep(time.Second)
			between.signal(gtf.SignalChanged)
			synctest.Wait()
			reads := store.all()
			for i, want := range []string{"from here", "c1", "c1"} {
				if p := reads[i].params; p.After != want || !p.Subscribers || p.Limit != gtf.MaxChanges || !reads[i].viewer.All {
					t.Errorf("read %d asked for %+v as %+v", i, p, reads[i].viewer)
				}
			}
			user := follow(as(ctx, "ada"), c, "")
			if v := store.all()[3].viewer; v.All || v.ID != "ada" {
				t.Errorf("the feed of a user read as %+v", v)
			}
			cancel()
			host.wantsEnd(t, context.Canceled)
			user.wantsEnd(t, context.Canceled)
		})
	})
	t.Run("reads ten times a second at most, however many signals there are, and once behind the last", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between, c := feeding(t)
			ctx, cancel := context.WithCancel(t.Context())
			f := follow(ctx, c, "")
			time.Sleep(time.Second)
			before := len(store.all())
			for range 1000 {
				between.signal(gtf.SignalChanged)
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Second)
			if n := len(store.all()) - before; n != 11 {
				t.Errorf("%d reads in a second of signals, want 11: the first at once, and the last behind all", n)
			}
			cancel()
			f.wantsEnd(t, context.Canceled)
		})
	})
	t.Run("reads on while there is more", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, _, c := feeding(t)
			ctx, cancel := context.WithCancel(t.Context())
			more := oneChange
			more.changes.More = true
			store.answer(more, more, oneChange)
			begun := time.Now()
			f := follow(ctx, c, "c0")
			f.wants(t, "c1", "c2", "c3")
			if took := time.Since(begun); took != 0 {
				t.Errorf("it took %v, want no pause", took)
			}
			cancel()
			f.wantsEnd(t, context.Canceled)
		})
	})
	t.Run("looks without a signal as waits do (S9.8)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between, c := feeding(t)
			ctx, cancel := context.WithCancel(t.Context())
			begun := time.Now()
			f := follow(ctx, c, "")
			time.Sleep(61 * time.Second)
			linked := store.since(begun)
			between.each(func(l gtf.Listener) { l.Link(errors.New("cut")) })
			time.Sleep(5 * time.Second)
			want := []time.Duration{0, 100 * time.Millisecond, 30100 * time.Millisecond, 60100 * time.Millisecond}
			if !slices.Equal(linked, want) {
				t.Errorf("with signals it read after %v, want %v", linked, want)
			}
			cutOff := store.since(begun)[len(linked):]
			if want := []time.Duration{61 * time.Second, 63 * time.Second, 65 * time.Second}; !slices.Equal(cutOff, want) {
				t.Errorf("without signals it read after %v, want %v", cutOff, want)
			}
			cancel()
			f.wantsEnd(t, context.Canceled)
		})
	})
	t.Run("passes a reset on, and goes on behind it", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between, c := feeding(t)
			ctx, cancel := context.WithCancel(t.Context())
			store.answer(ledgerAnswer{}, ledgerAnswer{}, ledgerAnswer{changes: gtf.Changes{Reset: true}}, oneChange)
			f := follow(ctx, c, "")
			for range 3 {
				time.Sleep(time.Second)
				between.signal(gtf.SignalChanged)
			}
			f.wants(t, "c0", "reset c0", "c1")
			cancel()
			f.wantsEnd(t, context.Canceled)
		})
	})
	t.Run("outlives a store that cannot be reached, and later any error", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between, c := feeding(t)
			ctx, cancel := context.WithCancel(t.Context())
			broken := ledgerAnswer{err: errors.New("broken")}
			unreachable := ledgerAnswer{err: gtf.ErrUnavailable}
			store.answer(unreachable, unreachable, oneChange, broken, unreachable, oneChange)
			f := follow(ctx, c, "c0")
			for range 5 {
				time.Sleep(time.Second)
				between.signal(gtf.SignalChanged)
			}
			f.wants(t, "c1", "c2")
			cancel()
			f.wantsEnd(t, context.Canceled)
		})
	})
	t.Run("ends with the error of its first read", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, _, c := feeding(t)
			store.answer(ledgerAnswer{err: gtf.ErrSchema})
			follow(t.Context(), c, "").wantsEnd(t, gtf.ErrSchema)
		})
	})
	t.Run("ends with the client, after what was stored until then", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, _, c := feeding(t)
			f := follow(t.Context(), c, "c0")
			time.Sleep(time.Second)
			store.answer(oneChange)
			must[any](t)(nil, c.Stop(t.Context()))
			f.wants(t, "c0", "c1")
			f.wantsEnd(t, gtf.ErrStopped)
			follow(t.Context(), c, "").wantsEnd(t, gtf.ErrStopped)
		})
	})
	t.Run("ends where its reader stops", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between, c := feeding(t)
			for _, err := range c.Feed(t.Context(), "") {
				must[any](t)(nil, err)
				break
			}
			between.signal(gtf.SignalChanged)
			time.Sleep(time.Hour)
			if len(store.all()) != 1 {
				t.Errorf("%d reads, want the first alone", len(store.all()))
			}
		})
	})
}
