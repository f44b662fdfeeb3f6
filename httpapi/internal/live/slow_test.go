package live_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf/httpapi/internal/live"
)

// Connections here have no buffers: the first thing that a client does not read stops its stream.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	t.Run("hold up nobody, and are cut after a while", func(t *testing.T) {
		bubble(t, live.Options{WriteTimeout: 10 * time.Second}, func(t *testing.T, w *world) {
			for range 10 {
				w.do(t, w.request(t, http.MethodGet, live.Stream{Viewer: ada}))
			}
			r := w.open(t, live.Stream{Viewer: ada})
			r.wants(t, "retry", "hello c0")
			for version := range int64(5) {
				w.change(t, task('a', version, running, ada))
			}
			r.wants(t, "task a 0 in_progress", "id c1", "task a 1 in_progress", "id c2", "task a 2 in_progress", "id c3",
				"task a 3 in_progress", "id c4", "task a 4 in_progress", "id c5")
			time.Sleep(9 * time.Second)
			if got := w.hub.Stats(); got.Open != 11 || got.Cut != 0 {
				t.Errorf("after nine seconds: %+v, want nobody cut", got)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := w.hub.Stats(); got.Open != 1 || got.Cut != 10 {
				t.Errorf("after ten seconds: %+v, want ten cut", got)
			}
		})
	})
	t.Run("are told to reset instead of what does not fit their buffer, and then go on", func(t *testing.T) {
		bubble(t, live.Options{Buffer: 2}, func(t *testing.T, w *world) {
			r := w.do(t, w.request(t, http.MethodGet, live.Stream{Viewer: ada}))
			w.change(t, task('a', 1, running, ada), task('b', 1, running, ada))
			if got := w.hub.Stats().Resets; got != 0 {
				t.Errorf("%d resets with a full buffer, want none", got)
			}
			w.change(t, task('c', 1, running, ada))
			w.change(t, task('d', 1, running, ada))
			go r.read()
			r.wants(t, "retry", "hello c0", "reset c4")
			w.change(t, task('d', 2, running, ada))
			r.wants(t, "task d 2 in_progress", "id c5")
			if got := w.hub.Stats().Resets; got != 1 {
				t.Errorf("%d resets, want 1", got)
			}
		})
	})
	t.Run("of one task get the newest of it alone", func(t *testing.T) {
		bubble(t, live.Options{Buffer: 1}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, pending, ada))
			r := w.do(t, w.request(t, http.MethodGet, live.Stream{Viewer: ada, Only: named('a')}))
			w.change(t, task('a', 2, running, ada))
			w.change(t, task('a', 3, running, ada))
			w.change(t, task('a', 4, success, ada))
			go r.read()
			synctest.Wait()
			if n := len(r.blocks); n < 4 || r.blocks[n-2] != "task a 4 success" || r.blocks[n-1] != "end" || w.hub.Stats().Resets != 0 {
				t.Errorf("got %q, want the end last and no reset", r.blocks)
			}
		})
	})
}

func TestReset(t *testing.T) {
	t.Parallel()
	bubbleOf := func(t *testing.T, s live.Stream, want ...string) {
		t.Helper()
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, running, ada))
			r := w.open(t, s)
			synctest.Wait()
			r.blocks = nil
			w.store.set(func() { w.store.reset = true })
			w.signal(t)
			r.wants(t, want...)
		})
	}
	t.Run("is passed on when the store cannot tell what changed", func(t *testing.T) {
		bubbleOf(t, live.Stream{Viewer: ada}, "reset c1")
	})
	t.Run("shows a stream of one task how that is now", func(t *testing.T) {
		bubbleOf(t, live.Stream{Viewer: ada, Only: named('a')}, "reset c1", "task a 1 in_progress")
	})
}

func TestHub(t *testing.T) {
	t.Parallel()
	t.Run("reads once for all, from the first stream to a while after the last", func(t *testing.T) {
		bubble(t, live.Options{Linger: time.Minute, Heartbeat: time.Hour}, func(t *testing.T, w *world) {
			time.Sleep(time.Hour)
			reads := func(want int, when string) {
				t.Helper()
				synctest.Wait()
				if got := w.store.count(); got != want {
					t.Errorf("%d reads %s, want %d", got, when, want)
				}
			}
			reads(0, "before the first stream")
			var open []*reader
			for range 20 {
				open = append(open, w.open(t, live.Stream{Viewer: ada}))
			}
			reads(1, "for the first streams")
			w.change(t, task('a', 1, running, ada))
			reads(2, "after a change")
			for _, r := range open {
				r.wants(t, "retry", "hello c0", "task a 1 in_progress", "id c1")
				if err := r.body.Close(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(59 * time.Second)
			w.open(t, live.Stream{Viewer: ada}).wants(t, "retry", "hello c1")
			reads(3, "within the minute after the last: it has looked once")
			time.Sleep(time.Minute)
			reads(5, "with another stream: it looks every half minute")
		})
	})
	t.Run("stops reading a while after the last stream", func(t *testing.T) {
		bubble(t, live.Options{Linger: time.Minute}, func(t *testing.T, w *world) {
			if err := w.open(t, live.Stream{Viewer: ada}).body.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(61 * time.Second)
			synctest.Wait()
			before := w.store.count()
			w.change(t, task('a', 1, running, ada))
			time.Sleep(time.Hour)
			synctest.Wait()
			if more := w.store.count() - before; more != 0 {
				t.Errorf("%d reads with nobody there", more)
			}
			w.open(t, live.Stream{Viewer: ada}).wants(t, "retry", "hello c1")
		})
	})
	t.Run("lets few clients read at once what they missed", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, running, ada))
			w.open(t, live.Stream{Viewer: bob})
			w.store.set(func() { w.store.slow = time.Second })
			begun := time.Now()
			var open []*reader
			for range 17 {
				r := w.do(t, w.request(t, http.MethodGet, live.Stream{Viewer: ada, After: "c0"}))
				go r.read()
				open = append(open, r)
			}
			time.Sleep(3 * time.Second)
			for _, r := range open {
				r.wants(t, "retry", "hello", "task a 1 in_progress", "id c1")
			}
			if most := w.store.most.Load(); most != 8 || time.Since(begun) != 3*time.Second {
				t.Errorf("%d read at once, want 8", most)
			}
		})
	})
	t.Run("takes cursors from requests", func(t *testing.T) {
		t.Parallel()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/events?cursor=old", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := live.After(request); got != "old" {
			t.Errorf("got %q, want that of the address", got)
		}
		request.Header.Set("Last-Event-ID", "new")
		if got := live.After(request); got != "new" {
			t.Errorf("got %q, want that of the header", got)
		}
	})
}
