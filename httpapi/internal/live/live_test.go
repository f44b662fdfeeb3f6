package live_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/live"
)

var discard = slog.New(slog.DiscardHandler)

var number = regexp.MustCompile(`(retry"?: ?)\d+`)

// bubble runs a test by its own clock, with a hub inside.
func bubble(t *testing.T, o live.Options, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, o)) })
}

const (
	pending = gtf.StatusPending
	running = gtf.StatusInProgress
	success = gtf.StatusSuccess
)

func TestServe(t *testing.T) {
	t.Parallel()
	t.Run("tells each viewer what they may see, and where to go on", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('x', 1, pending, ada))
			a, b, all := w.open(t, live.Stream{Viewer: ada}), w.open(t, live.Stream{Viewer: bob}), w.open(t, live.Stream{Viewer: admin})
			for _, r := range []*reader{a, b, all} {
				r.wants(t, "retry", "hello c1")
			}
			w.change(t, task('a', 1, pending, ada), task('b', 2, running, bob, ada), task('c', 3, success))
			a.wants(t, "task a 1 pending", "task b 2 in_progress", "id c4")
			b.wants(t, "task b 2 in_progress", "id c4")
			all.wants(t, "task a 1 pending", "task b 2 in_progress", "task c 3 success", "id c4")
		})
	})
	t.Run("keeps system tasks from their subscribers, and types from guests and whoever did not ask (S10.1)", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			few := ada
			few.Types = []string{"t.a"}
			system := task('s', 1, running, ada)
			system.Scope = gtf.ScopeSystem
			a, guest, one := w.open(t, live.Stream{Viewer: ada}), w.open(t, live.Stream{Viewer: few}), w.open(t, live.Stream{Viewer: ada, Types: []string{"t.b"}})
			w.change(t, system, task('a', 1, running, ada), task('b', 1, running, ada))
			a.wants(t, "retry", "hello c0", "task a 1 in_progress", "task b 1 in_progress", "id c3")
			guest.wants(t, "retry", "hello c0", "task a 1 in_progress", "id c3")
			one.wants(t, "retry", "hello c0", "task b 1 in_progress", "id c3")
		})
	})
	t.Run("follows one task until it ends, and sends back who comes again", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, pending, ada), task('b', 1, pending, ada))
			r := w.open(t, live.Stream{Viewer: ada, Only: named('a')})
			r.wants(t, "retry", "hello c2", "task a 1 pending")
			w.change(t, task('b', 2, running, ada), task('a', 2, running, ada), task('a', 3, running, ada))
			r.wants(t, "task a 3 in_progress", "id c5")
			time.Sleep(time.Second)
			w.change(t, task('a', 4, success, ada))
			r.wants(t, "task a 4 success", "end")
			if !r.isOver() {
				t.Error("the stream goes on behind the end")
			}
			again := w.open(t, live.Stream{Viewer: ada, Only: named('a'), After: "c2"})
			again.wants(t, "retry", "hello c6", "task a 4 success", "end")
			answer := w.do(t, w.request(t, http.MethodGet, live.Stream{Viewer: ada, Only: named('a'), After: "end"}))
			if answer.status != http.StatusNoContent {
				t.Errorf("status %d behind the end, want 204: an EventSource then gives up", answer.status)
			}
		})
	})
	t.Run("ends the stream of a task that its viewer left (S10.1)", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, running, ada, bob))
			r := w.open(t, live.Stream{Viewer: ada, Only: named('a')})
			w.change(t, task('a', 2, running, bob))
			r.wants(t, "retry", "hello c1", "task a 1 in_progress", "end")
			gone := w.open(t, live.Stream{Viewer: ada, Only: named('a')})
			gone.wants(t, "retry", "hello c2", "end")
		})
	})
	t.Run("says how far a task is", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			answer := w.do(t, w.request(t, http.MethodGet, live.Stream{Viewer: admin}))
			body := make(chan []byte)
			go func() {
				all, err := io.ReadAll(answer.body)
				if err != nil {
					t.Error(err)
				}
				body <- all
			}()
			synctest.Wait()
			for _, p := range []gtf.Progress{
				{}, {Form: gtf.FormFraction, Ratio: 0.5}, {Form: gtf.FormCount, Current: 7}, {Form: gtf.FormTotal, Current: 3, Total: 4},
			} {
				c := task('a', 9, running)
				c.Progress = p
				w.store.set(func() { w.store.changes = append(w.store.changes, c) })
			}
			w.signal(t)
			w.hub.Close()
			head := "event: task\ndata: {\"id\":\"00000000-0000-0000-0000-000000000061\",\"version\":9,\"status\":\"in_progress\",\"progress\":"
			want := "retry: N\n\nevent: hello\nid: c0\ndata: {}\n\n" +
				head + "null,\"progress_current\":null,\"progress_total\":null}\n\n" +
				head + "0.5,\"progress_current\":null,\"progress_total\":null}\n\n" +
				head + "null,\"progress_current\":7,\"progress_total\":null}\n\n" +
				head + "0.75,\"progress_current\":3,\"progress_total\":4}\n\n" +
				"id: c4\n\nretry: N\n\nevent: bye\ndata: {\"retry\":N}\n\n"
			if got := number.ReplaceAllString(string(<-body), "${1}N"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for name, want := range map[string]string{
				"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
			} {
				if got := answer.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	})
	t.Run("keeps idle connections open, and moves their cursor on", func(t *testing.T) {
		bubble(t, live.Options{Heartbeat: time.Minute}, func(t *testing.T, w *world) {
			r := w.open(t, live.Stream{Viewer: ada})
			w.change(t, task('b', 1, running, bob))
			r.wants(t, "retry", "hello c0")
			time.Sleep(time.Minute)
			r.wants(t, ":", "id c1")
			time.Sleep(2 * time.Minute) // longer than the server's timeouts for requests
			r.wants(t, ":", ":")
			w.change(t, task('a', 1, running, ada))
			r.wants(t, "task a 1 in_progress", "id c2")
		})
	})
	t.Run("sends only the head to who asks for it", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			answer := w.do(t, w.request(t, http.MethodHead, live.Stream{Viewer: ada}))
			if answer.status != http.StatusOK || answer.header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("got %d, %v", answer.status, answer.header)
			}
		})
	})
}

func TestServeResumes(t *testing.T) {
	t.Parallel()
	t.Run("behind a cursor, with all that was missed and nothing of others", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, running, ada), task('b', 1, running, bob), task('a', 2, running, ada), task('c', 1, running, ada))
			r := w.open(t, live.Stream{Viewer: ada, After: "c1"})
			r.wants(t, "retry", "hello", "task a 2 in_progress", "task c 1 in_progress", "id c4")
			one := w.open(t, live.Stream{Viewer: ada, After: "c1", Types: []string{"t.c"}})
			one.wants(t, "retry", "hello", "task c 1 in_progress", "id c4")
			reads := w.store.count()
			now := w.open(t, live.Stream{Viewer: ada, After: "c4"})
			now.wants(t, "retry", "hello c4")
			if more := w.store.count() - reads; more != 0 {
				t.Errorf("%d reads for a client that missed nothing", more)
			}
		})
	})
	t.Run("behind the Last-Event-ID rather than the cursor of the address", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, running, ada), task('a', 2, running, ada))
			request := w.request(t, http.MethodGet, live.Stream{Viewer: ada, After: "c0"})
			request.Header.Set("Last-Event-ID", "c1")
			r := w.do(t, request)
			go r.read()
			r.wants(t, "retry", "hello", "task a 2 in_progress", "id c2")
		})
	})
	t.Run("without a gap before what happens meanwhile", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, running, ada))
			w.open(t, live.Stream{Viewer: bob}) // so that changes are followed
			w.store.set(func() {
				w.store.onRead = func() {
					w.store.onRead = nil
					w.store.changes = append(w.store.changes, task('a', 2, success, ada))
				}
			})
			r := w.open(t, live.Stream{Viewer: ada, After: "c0"})
			w.signal(t)
			r.wants(t, "retry", "hello", "task a 1 in_progress", "id c1", "task a 2 success", "id c2")
		})
	})
	t.Run("page by page", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			var many []gtf.Change
			for range gtf.MaxChanges + 1 {
				many = append(many, task('a', 1, running, ada))
			}
			w.change(t, many...)
			r := w.open(t, live.Stream{Viewer: ada, After: "c0"})
			synctest.Wait()
			if n := len(r.blocks); n != 2+gtf.MaxChanges+1+1+1 || r.blocks[n-1] != "id c1001" || r.blocks[2+gtf.MaxChanges] != "id c1000" {
				t.Errorf("%d blocks, the last is %q", n, r.blocks[n-1])
			}
		})
	})
	t.Run("by a reset where it cannot be known what was missed", func(t *testing.T) {
		bubble(t, live.Options{MaxMissed: 1000}, func(t *testing.T, w *world) {
			w.open(t, live.Stream{Viewer: bob})
			invalid := w.open(t, live.Stream{Viewer: ada, After: "nonsense"})
			invalid.wants(t, "retry", "hello", "reset c0")
			w.change(t, task('a', 1, running, ada))
			invalid.wants(t, "task a 1 in_progress", "id c1")
			w.store.set(func() { w.store.reset = true })
			lost := w.open(t, live.Stream{Viewer: ada, After: "c0"})
			lost.wants(t, "retry", "hello", "reset c1")
			for range 1000 {
				w.store.set(func() { w.store.changes = append(w.store.changes, task('a', 1, running, bob, ada)) })
			}
			synctest.Wait()
			much := w.open(t, live.Stream{Viewer: ada, After: "c0"})
			synctest.Wait()
			if n := len(much.blocks); much.blocks[n-1] != "reset c1" {
				t.Errorf("%d blocks, the last is %q, want a reset", n, much.blocks[n-1])
			}
			if resets := w.hub.Stats().Resets; resets != 3 {
				t.Errorf("%d resets are counted, want 3", resets)
			}
		})
	})
	t.Run("later where what was missed cannot be read", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.change(t, task('a', 1, running, ada))
			w.open(t, live.Stream{Viewer: bob})
			w.store.set(func() { w.store.err = gtf.ErrUnavailable })
			r := w.open(t, live.Stream{Viewer: ada, After: "c0"})
			r.wants(t, "retry", "hello", "retry", "bye")
			one := w.open(t, live.Stream{Viewer: ada, Only: named('a')})
			one.wants(t, "retry", "hello c1", "retry", "bye")
		})
	})
}

func TestServeRefuses(t *testing.T) {
	bubble(t, live.Options{MaxStreams: 3, MaxPerPrincipal: 2}, func(t *testing.T, w *world) {
		refused := func(s live.Stream, status int) {
			t.Helper()
			answer := w.do(t, w.request(t, http.MethodGet, s))
			if answer.status != status || answer.header.Get("Content-Type") != "application/problem+json" ||
				(status != http.StatusUnauthorized) != (answer.header.Get("Retry-After") != "") {
				t.Errorf("got %d with %v, want %d", answer.status, answer.header, status)
			}
		}
		refused(live.Stream{}, http.StatusUnauthorized)
		first := w.open(t, live.Stream{Viewer: ada})
		w.open(t, live.Stream{Viewer: ada})
		refused(live.Stream{Viewer: ada}, http.StatusTooManyRequests)
		w.open(t, live.Stream{Viewer: bob})
		refused(live.Stream{Viewer: admin}, http.StatusServiceUnavailable)
		if err := first.body.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.open(t, live.Stream{Viewer: ada})
		want := live.Stats{Open: 3, Opened: 4, Refused: 2}
		if got := w.hub.Stats(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		w.hub.Close()
		refused(live.Stream{Viewer: ada}, http.StatusServiceUnavailable)
	})
}

func TestServeDoesNotWaitForABodyForEver(t *testing.T) {
	bubble(t, live.Options{}, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := w.request(t, http.MethodGet, live.Stream{Viewer: ada}).WithContext(ctx)
		body, promised := io.Pipe()
		r.Body, r.ContentLength = body, 10
		stream := w.do(t, r) // as long as the server lets a request take
		go stream.read()
		synctest.Wait()
		if open := w.hub.Stats().Open; open != 0 || !stream.isOver() {
			t.Errorf("%d streams are open, want none", open)
		}
		if err := promised.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestServeSaysBye(t *testing.T) {
	t.Parallel()
	opened := []string{"retry", "hello c0"}
	t.Run("when the hub is closed", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			r := w.open(t, live.Stream{Viewer: ada})
			w.hub.Close()
			r.wants(t, append(opened, "retry", "bye")...)
			w.hub.Close()
		})
	})
	t.Run("when gtf is switched off (S1.2)", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			r := w.open(t, live.Stream{Viewer: ada})
			w.client.SetEnabled(false)
			time.Sleep(time.Second)
			r.wants(t, append(opened, "retry", "bye")...)
			w.client.SetEnabled(true)
			w.open(t, live.Stream{Viewer: ada}).wants(t, opened...)
		})
	})
	t.Run("when the client is stopped", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			r := w.open(t, live.Stream{Viewer: ada})
			if err := w.client.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.wants(t, append(opened, "retry", "bye")...)
		})
	})
	t.Run("when the right to the stream is gone", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			asked := 0
			r := w.open(t, live.Stream{Viewer: ada, Alive: func(context.Context) bool { asked++; return asked < 3 }})
			time.Sleep(time.Minute)
			r.wants(t, append(opened, ":", ":", "retry", "bye")...)
		})
	})
	t.Run("when the stream is old", func(t *testing.T) {
		bubble(t, live.Options{Heartbeat: 24 * time.Hour}, func(t *testing.T, w *world) {
			r := w.open(t, live.Stream{Viewer: ada})
			time.Sleep(53 * time.Minute)
			r.wants(t, opened...)
			time.Sleep(7 * time.Minute)
			r.wants(t, "retry", "bye")
		})
	})
	t.Run("when changes cannot be followed, or not yet", func(t *testing.T) {
		bubble(t, live.Options{}, func(t *testing.T, w *world) {
			w.store.set(func() { w.store.err = errors.New("broken") })
			w.open(t, live.Stream{Viewer: ada}).wants(t, "retry", "retry", "bye")
			w.store.set(func() { w.store.err = gtf.ErrUnavailable })
			r := w.open(t, live.Stream{Viewer: ada})
			r.wants(t, "retry")
			time.Sleep(11 * time.Second)
			r.wants(t, "retry", "bye")
		})
	})
}
