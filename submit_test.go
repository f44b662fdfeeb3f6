package gtf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	t.Run("stores who submitted, subscribed, in every scope (S4.1, S4.5)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		for _, def := range []*gtf.Definition[string, string]{privateWork, sharedWork, systemWork} {
			for _, p := range []gtf.Principal{ada, guest} {
				h := schedule(asOne(t.Context(), p), t, c, def, "of "+string(p.Kind), nil)
				task := get(t, c, h.ID)
				if h.Joined || task.Status != gtf.StatusPending || task.Mode != gtf.ModeAsync || task.CreatedBy != p {
					t.Errorf("%s: joined %v, %s, %s, by %+v", def.Type(), h.Joined, task.Status, task.Mode, task.CreatedBy)
				}
				if got, want := subscribers(task), []string{string(p.Kind) + "/" + p.ID}; !slices.Equal(got, want) {
					t.Errorf("%s: subscribers are %v, want %v", def.Type(), got, want)
				}
				if s := task.Subscribers[0]; s.Name != p.Name || s.Since.IsZero() {
					t.Errorf("%s: the subscription is %+v, want the name and the time", def.Type(), s)
				}
			}
		}
	})
	t.Run("never stores who is an admin (S4.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := startClient(t, open(t), executes(func(ctx context.Context, _ string) (string, error) {
				p, ok := gtf.PrincipalFrom(ctx)
				return fmt.Sprintf("%s %v %v", p.ID, ok, p.Admin), nil
			}))
			h := schedule(asAdmin(t.Context(), "root"), t, c, systemWork, "key", nil)
			if got := must[string](t)(h.Wait(t.Context())); got != "root true false" {
				t.Errorf("inside, the principal is %s, want root without the rank", got)
			}
			if by := get(t, c, h.ID).CreatedBy; by.Admin {
				t.Error("the task remembers that its creator was an admin")
			}
		})
	})
	t.Run("without principal subscribes nobody; private is refused (S4.1)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		for _, def := range []*gtf.Definition[string, string]{sharedWork, systemWork} {
			h := schedule(t.Context(), t, c, def, "key", nil)
			if task := get(t, c, h.ID); len(task.Subscribers) != 0 || !task.CreatedBy.IsZero() {
				t.Errorf("%s: by %+v, subscribers %v, want nobody", def.Type(), task.CreatedBy, subscribers(task))
			}
		}
		_, err := privateWork.Schedule(t.Context(), c, "key", nil)
		wantProblems(t, err, "principal")
		_, err = privateWork.Schedule(gtf.WithPrincipal(t.Context(), gtf.Principal{Name: "nobody"}), c, "key", nil)
		wantProblems(t, err, "principal")
	})
	t.Run("without key makes a random one that nothing joins (S4.2)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		keyless := gtf.Define[string, string]("test.keyless", nil)
		one := schedule(as(t.Context(), "ada"), t, c, keyless, "in", nil)
		two := schedule(as(t.Context(), "ada"), t, c, keyless, "in", nil)
		if one.ID == two.ID || two.Joined {
			t.Error("the second joined the first")
		}
		if a, b := get(t, c, one.ID).Key, get(t, c, two.ID).Key; a == b || a == "" {
			t.Errorf("keys are %q and %q, want two", a, b)
		}
	})
	t.Run("a shared type needs a key (S2.5)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		_, err := sharedWork.Schedule(t.Context(), c, "", nil)
		wantProblems(t, err, "key")
		if h := schedule(t.Context(), t, c, sharedWork, "", &gtf.ScheduleOpts{Key: "key"}); h.Joined {
			t.Error("joined something")
		}
		if tasks := all(t, c); len(tasks) != 1 {
			t.Errorf("%d tasks, want 1", len(tasks))
		}
	})
	t.Run("with a context that has ended writes nothing", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), executes(echo))
		ctx, cancel := context.WithCancel(as(t.Context(), "ada"))
		cancel()
		_, err := privateWork.Schedule(ctx, c, "key", nil)
		wantErr(t, "Schedule", err, context.Canceled)
		_, err = privateWork.ScheduleMany(ctx, c, []gtf.Item[string]{{In: "key"}})
		wantErr(t, "ScheduleMany", err, context.Canceled)
		_, err = privateWork.Run(ctx, c, "key", nil)
		wantErr(t, "Run", err, context.Canceled)
		if n := len(all(t, c)); n != 0 {
			t.Errorf("%d tasks were written", n)
		}
	})
	t.Run("in a stopped client is ErrStopped, ScheduleMany and Run too", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), executes(echo))
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx := as(t.Context(), "ada")
		_, err := privateWork.Schedule(ctx, c, "key", nil)
		wantErr(t, "Schedule", err, gtf.ErrStopped)
		_, err = privateWork.Run(ctx, c, "key", nil)
		wantErr(t, "Run", err, gtf.ErrStopped)
		_, err = privateWork.ScheduleMany(ctx, c, []gtf.Item[string]{{In: "key"}})
		wantErr(t, "ScheduleMany", err, gtf.ErrStopped)
	})
}

func TestScheduleJoins(t *testing.T) {
	t.Parallel()
	t.Run("ignores the new call's name, options and input (S4.5)", func(t *testing.T) {
		t.Parallel()
		store := open(t)
		c := newClient(t, store, nil)
		h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "first", &gtf.ScheduleOpts{Key: "key", Name: "First"})
		before := get(t, c, h.ID)
		joined := schedule(as(t.Context(), "grace"), t, c, sharedWork, "second", &gtf.ScheduleOpts{
			Key: "key", Name: "Second", Queue: "other", Priority: 1, MaxAttempts: 7, Timeout: time.Hour, Delay: time.Hour, MaxQueueTime: time.Hour,
		})
		if !joined.Joined || joined.ID != h.ID {
			t.Fatalf("got %s, joined %v, want %s joined", joined.ID, joined.Joined, h.ID)
		}
		after := get(t, c, h.ID)
		if after.Version <= before.Version || after.DedupeCount != 1 || !slices.Equal(subscribers(after), []string{"user/ada", "user/grace"}) {
			t.Errorf("version %d after %d, joined %d times, subscribers %v", after.Version, before.Version, after.DedupeCount, subscribers(after))
		}
		if after.Name != before.Name || after.Queue != before.Queue || after.Priority != before.Priority || after.MaxAttempts != before.MaxAttempts ||
			after.Timeout != before.Timeout || !after.DueAt.Equal(before.DueAt) || after.CreatedBy != before.CreatedBy {
			t.Errorf("the join changed the task from %+v to %+v", before, after)
		}
		claimed, err := store.Claim(t.Context(), &gtf.ClaimParams{
			Worker: "w", Queues: []gtf.QueueSlots{{Queue: gtf.DefaultQueue, Free: 1}}, Types: []string{sharedWork.Type()},
		})
		if err != nil || len(claimed.Jobs) != 1 || string(claimed.Jobs[0].Input) != `"first"` {
			t.Errorf("the input is %+v, %v, want that of the first", claimed, err)
		}
	})
	t.Run("again by the same person subscribes once (S4.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), nil)
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			since := get(t, c, h.ID).Subscribers[0].Since
			time.Sleep(time.Minute)
			for range 3 {
				schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			}
			task := get(t, c, h.ID)
			if len(task.Subscribers) != 1 || !task.Subscribers[0].Since.Equal(since) || task.DedupeCount != 3 {
				t.Errorf("subscribers %+v, joined %d times, want one since %v, 3 times", task.Subscribers, task.DedupeCount, since)
			}
		})
	})
	t.Run("after leaving subscribes again (S4.5)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
		schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
		must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil))
		if again := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil); again.ID != h.ID {
			t.Errorf("got another task")
		}
		if got := subscribers(get(t, c, h.ID)); len(got) != 2 {
			t.Errorf("subscribers are %v, want both", got)
		}
	})
	t.Run("without principal subscribes nobody, and counts (S4.1)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
		if joined := schedule(t.Context(), t, c, sharedWork, "key", nil); !joined.Joined {
			t.Error("the host did not join")
		}
		if task := get(t, c, h.ID); len(task.Subscribers) != 1 || task.DedupeCount != 1 {
			t.Errorf("subscribers %v, joined %d times, want ada, once", subscribers(task), task.DedupeCount)
		}
	})
	t.Run("not across types, scopes, or the principals of private tasks (S4.3)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		seen := map[gtf.ID]bool{}
		for _, p := range []gtf.Principal{ada, guest, grace} {
			h := schedule(asOne(t.Context(), p), t, c, privateWork, "key", nil)
			seen[h.ID] = true
		}
		for _, def := range []*gtf.Definition[string, string]{sharedWork, systemWork} {
			seen[schedule(asOne(t.Context(), ada), t, c, def, "key", nil).ID] = true
		}
		if len(seen) != 5 {
			t.Errorf("%d tasks, want 5", len(seen))
		}
		renamed := gtf.Principal{Kind: ada.Kind, ID: ada.ID, Name: "Ada King", Admin: true}
		if h := schedule(asOne(t.Context(), renamed), t, c, privateWork, "key", nil); !h.Joined {
			t.Error("the same user with another name got another task")
		}
	})
}

func TestDedupKey(t *testing.T) {
	t.Parallel()
	t.Run("no two lists of parts collide, whatever separators they hold (S4.3)", func(t *testing.T) {
		t.Parallel()
		store := &recorder{Store: open(t)}
		c := newClient(t, store, nil)
		from := map[string]string{}
		parts := []string{"a", "b", "a.b", "a:b", "a|b", "a/b", "a,b", "a\x1fb", `a"b`, "user", "7", "a7", "7user", "user7", "guest7", "user:7", "8:user7"}
		for _, scope := range []gtf.Scope{gtf.ScopePrivate, gtf.ScopeShared, gtf.ScopeSystem} {
			for _, typ := range []string{"a", "a.b", "b", "private", "shared", "user"} {
				def := gtf.Define[string, string](typ, &gtf.DefineOpts[string]{Scope: scope, Key: itself})
				for _, key := range parts {
					for i, p := range []gtf.Principal{ada, guest, {Kind: gtf.KindUser, ID: "7user"}, {Kind: gtf.KindGuest, ID: "user7"}} {
						if scope != gtf.ScopePrivate && i > 0 {
							break // the principal is no part of the key
						}
						schedule(asOne(t.Context(), p), t, c, def, key, nil)
						what, got := fmt.Sprintf("%s %s %q %s", scope, typ, key, p.Kind+"/"+gtf.PrincipalKind(p.ID)), store.last(t).DedupKey
						if other, taken := from[got]; taken {
							t.Fatalf("%s collides with %s", what, other)
						}
						if len(got) != 64 {
							t.Fatalf("the key of %s is %q, want 64 characters", what, got)
						}
						from[got] = what
					}
				}
			}
		}
	})
	t.Run("is the same in every process (S4.3)", func(t *testing.T) {
		t.Parallel()
		a, b := &recorder{Store: open(t)}, &recorder{Store: open(t)}
		schedule(asOne(t.Context(), ada), t, newClient(t, a, nil), privateWork, "key", nil)
		schedule(asOne(t.Context(), ada), t, newClient(t, b, nil), privateWork, "key", nil)
		if a.last(t).DedupKey != b.last(t).DedupKey {
			t.Error("two processes compute two keys")
		}
	})
	t.Run("is busy until the task ends, however it ends (S3.3, S4.5)", func(t *testing.T) {
		t.Parallel()
		for want, how := range map[gtf.Status]string{
			gtf.StatusSuccess: "work", gtf.StatusFailure: "fail", gtf.StatusAborted: "wait", gtf.StatusTimedOut: "linger",
		} {
			bubble(t, func(t *testing.T) {
				c := startClient(t, open(t), executes(func(ctx context.Context, in string) (string, error) {
					gtf.FromContext(ctx).OnAbort(func(context.Context) error { return nil })
					select {
					case <-time.After(time.Minute):
					case <-ctx.Done():
						return "", context.Cause(ctx)
					}
					if in == "fail" {
						return "", errors.New("did not work")
					}
					return in, nil
				}))
				ctx := as(t.Context(), "ada")
				opts := &gtf.ScheduleOpts{Key: "key"}
				if how == "linger" {
					opts.Timeout = time.Second
				}
				h := schedule(ctx, t, c, sharedWork, how, opts)
				synctest.Wait()
				if again := schedule(ctx, t, c, sharedWork, how, opts); again.ID != h.ID {
					t.Errorf("%s: the key of a running task was free", want)
				}
				if how == "wait" {
					must[*gtf.Canceled](t)(h.Cancel(ctx, nil))
				}
				_, _ = h.Wait(t.Context())
				wantStatus(t, c, h.ID, want)
				if again := schedule(ctx, t, c, sharedWork, "work", opts); again.Joined || again.ID == h.ID {
					t.Errorf("the key of a task that ended as %s was busy", want)
				} else if key := get(t, c, h.ID).DedupKey; key != h.ID.String() {
					t.Errorf("the dedup key of the ended task is %s, want its own id", key)
				}
			})
		}
	})
}

func TestScheduleTogether(t *testing.T) {
	t.Parallel()
	const people = 100
	for name, stores := range map[string]int{
		"100 people submit one key at once: one task, all subscribed, one run (S4.4)":                  1,
		"100 people submit one key at once in two processes: one task, all subscribed, one run (S4.4)": 2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "gtf.db")
			var runs atomic.Int32
			submitted := make(chan struct{})
			clients := make([]*gtf.Client, stores)
			for i := range clients {
				clients[i] = startClient(t, openFile(t, path), executes(func(context.Context, string) (string, error) {
					runs.Add(1)
					<-submitted
					return "done", nil
				}))
			}
			handles := make([]*gtf.Handle[string], people)
			together(people, func(i int) {
				h, err := sharedWork.Schedule(as(t.Context(), fmt.Sprint("user", i)), clients[i%stores], "key", nil)
				if err != nil {
					t.Errorf("user %d: %v", i, err)
				}
				handles[i] = h
			})
			close(submitted)
			if t.Failed() {
				return
			}
			created := 0
			for _, h := range handles {
				if !h.Joined {
					created++
				}
				if h.ID != handles[0].ID {
					t.Fatalf("two tasks: %s and %s", h.ID, handles[0].ID)
				}
			}
			together(people, func(i int) {
				if out, err := handles[i].Wait(t.Context()); out != "done" || err != nil {
					t.Errorf("user %d got %q, %v", i, out, err)
				}
			})
			if created != 1 || runs.Load() != 1 {
				t.Errorf("%d created it and it ran %d times, want once each", created, runs.Load())
			}
			tasks := all(t, clients[0])
			if len(tasks) != 1 {
				t.Fatalf("%d rows, want 1", len(tasks))
			}
			if task := tasks[0]; task.DedupeCount != people-1 || len(task.Subscribers) != people {
				t.Errorf("joined %d times with %d subscribers, want %d and %d", task.DedupeCount, len(task.Subscribers), people-1, people)
			}
		})
	}
	t.Run("100 people run one key at once: one runs it, all get the outcome (S4.4, S5.2)", func(t *testing.T) {
		t.Parallel()
		var runs atomic.Int32
		mayEnd := make(chan struct{})
		c := newClient(t, open(t), executes(func(context.Context, string) (string, error) {
			runs.Add(1)
			<-mayEnd
			return "done", nil
		}))
		var begun atomic.Int32
		together(people, func(i int) {
			h, err := sharedWork.Start(as(t.Context(), fmt.Sprint("user", i)), c, "key", nil)
			if err != nil {
				t.Errorf("user %d: %v", i, err)
				return
			}
			if begun.Add(1) == people {
				close(mayEnd)
			}
			if out, err := h.Wait(t.Context()); out != "done" || err != nil {
				t.Errorf("user %d got %q, %v", i, out, err)
			}
		})
		if tasks := all(t, c); len(tasks) != 1 || runs.Load() != 1 || len(tasks[0].Subscribers) != people {
			t.Errorf("%d rows, %d runs, %d subscribers, want 1, 1, %d", len(tasks), runs.Load(), len(tasks[0].Subscribers), people)
		}
	})
}

func TestScheduleMany(t *testing.T) {
	t.Parallel()
	t.Run("creates or joins each, in the order of the items (S4.8)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		first := schedule(as(t.Context(), "ada"), t, c, sharedWork, "b", nil)
		handles := must[[]*gtf.Handle[string]](t)(sharedWork.ScheduleMany(as(t.Context(), "grace"), c, []gtf.Item[string]{
			{In: "a"}, {In: "b"}, {In: "a"}, {In: "c", Opts: &gtf.ScheduleOpts{Name: "C", Priority: 1}},
		}))
		if len(handles) != 4 || handles[1].ID != first.ID || handles[2].ID != handles[0].ID {
			t.Fatalf("got %+v, want a, the task of before, a again, c", handles)
		}
		for i, want := range []bool{false, true, true, false} {
			if handles[i].Joined != want {
				t.Errorf("item %d: joined is %v, want %v", i, handles[i].Joined, want)
			}
		}
		if task := get(t, c, handles[3].ID); task.Key != "c" || task.Name != "C" || task.Priority != 1 {
			t.Errorf("item 3 is %q, %q, priority %d", task.Key, task.Name, task.Priority)
		}
		if got := subscribers(get(t, c, first.ID)); len(got) != 2 {
			t.Errorf("subscribers of the joined are %v, want two", got)
		}
	})
	t.Run("is all or nothing, and names the item of each problem (S4.8, S4.9)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		_, err := sharedWork.ScheduleMany(as(t.Context(), "ada"), c, []gtf.Item[string]{
			{In: "fine"},
			{In: "x", Opts: &gtf.ScheduleOpts{Name: "\xff", Timeout: -2, MaxQueueTime: -2}},
			{In: "fine too"},
			{In: "\x00"},
			{In: "y", Opts: &gtf.ScheduleOpts{Delay: 1, DueAt: time.Now()}},
			{In: "z", Opts: &gtf.ScheduleOpts{Delay: -1}},
		})
		wantProblems(t, err, "items[1].name", "items[1].timeout", "items[1].max_queue_time", "items[3].key", "items[3].input",
			"items[4].due_at", "items[5].delay")
		if n := len(all(t, c)); n != 0 {
			t.Errorf("%d tasks were written", n)
		}
	})
	t.Run("names the item also for queue, priority, attempts and client (S4.9)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		_, err := sharedWork.ScheduleMany(as(t.Context(), "ada"), c, []gtf.Item[string]{
			{In: "fine"}, {In: "x", Opts: &gtf.ScheduleOpts{Queue: "\x00", Priority: 10, MaxAttempts: 101, Client: "?"}},
		})
		wantProblems(t, err, "items[1].queue", "items[1].priority", "items[1].max_attempts", "items[1].client")
	})
	t.Run("names what is wrong with the caller once (S4.9)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		_, err := privateWork.ScheduleMany(t.Context(), c, []gtf.Item[string]{{In: "a"}, {In: "b"}, {In: "c"}})
		wantProblems(t, err, "principal")
	})
	t.Run("of none is none (S4.8)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		if handles, err := privateWork.ScheduleMany(as(t.Context(), "ada"), c, nil); len(handles) != 0 || err != nil {
			t.Errorf("got %v, %v", handles, err)
		}
	})
	t.Run("of thousands runs them all (S4.8)", func(t *testing.T) {
		t.Parallel()
		const n = 3000
		var ran atomic.Int32
		store := open(t)
		cfg := executes(func(context.Context, string) (string, error) { ran.Add(1); return "", nil })
		cfg.Queues = map[string]int{gtf.DefaultQueue: 50}
		c := startClient(t, store, cfg)
		items := make([]gtf.Item[string], n)
		for i := range items {
			items[i].In = fmt.Sprint(i)
		}
		before := store.Statements()
		handles := must[[]*gtf.Handle[string]](t)(privateWork.ScheduleMany(as(t.Context(), "ada"), c, items))
		t.Logf("%d statements for %d tasks", store.Statements()-before, n)
		for _, h := range handles {
			must[string](t)(h.Wait(t.Context()))
		}
		if got := ran.Load(); got != n {
			t.Errorf("%d ran, want %d", got, n)
		}
	})
}

// What a call, a definition and the config say about one thing: the call wins, then the definition; gtf.None is an answer
// like any other (S2.4).
func TestScheduleMergesOptions(t *testing.T) {
	t.Parallel()
	minute, hour := time.Minute, time.Hour
	type opts = gtf.DefineOpts[string]
	tests := []struct {
		name string
		cfg  gtf.Config
		def  opts
		call gtf.ScheduleOpts
		got  func(s gtf.Submission) any
		want any
	}{
		{"timeout: none by default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, timeoutOf, time.Duration(0)},
		{"timeout: the config's", gtf.Config{Timeout: hour}, opts{}, gtf.ScheduleOpts{}, timeoutOf, hour},
		{"timeout: the definition's over the config's", gtf.Config{Timeout: hour}, opts{Timeout: minute}, gtf.ScheduleOpts{}, timeoutOf, minute},
		{"timeout: the call's over the definition's", gtf.Config{Timeout: hour}, opts{Timeout: minute}, gtf.ScheduleOpts{Timeout: 1e9}, timeoutOf, time.Second},
		{"timeout: none in the definition", gtf.Config{Timeout: hour}, opts{Timeout: gtf.None}, gtf.ScheduleOpts{}, timeoutOf, time.Duration(0)},
		{"timeout: none in the call", gtf.Config{Timeout: hour}, opts{Timeout: minute}, gtf.ScheduleOpts{Timeout: gtf.None}, timeoutOf, time.Duration(0)},
		{"queue time: none by default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, queueTimeOf, time.Duration(0)},
		{"queue time: the definition's", gtf.Config{}, opts{MaxQueueTime: hour}, gtf.ScheduleOpts{}, queueTimeOf, hour},
		{"queue time: the call's", gtf.Config{}, opts{MaxQueueTime: hour}, gtf.ScheduleOpts{MaxQueueTime: minute}, queueTimeOf, minute},
		{"queue time: none in the call", gtf.Config{}, opts{MaxQueueTime: hour}, gtf.ScheduleOpts{MaxQueueTime: gtf.None}, queueTimeOf, time.Duration(0)},
		{"attempts: 1 by default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, attemptsOf, 1},
		{"attempts: the config's", gtf.Config{MaxAttempts: 3}, opts{}, gtf.ScheduleOpts{}, attemptsOf, 3},
		{"attempts: the definition's", gtf.Config{MaxAttempts: 3}, opts{MaxAttempts: 4}, gtf.ScheduleOpts{}, attemptsOf, 4},
		{"attempts: the call's", gtf.Config{MaxAttempts: 3}, opts{MaxAttempts: 4}, gtf.ScheduleOpts{MaxAttempts: 1}, attemptsOf, 1},
		{"queue: default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, queueOf, gtf.DefaultQueue},
		{"queue: the definition's", gtf.Config{}, opts{Queue: "slow"}, gtf.ScheduleOpts{}, queueOf, "slow"},
		{"queue: the call's", gtf.Config{}, opts{Queue: "slow"}, gtf.ScheduleOpts{Queue: "fast"}, queueOf, "fast"},
		{"priority: 5 by default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, priorityOf, 5},
		{"priority: the definition's", gtf.Config{}, opts{Priority: 9}, gtf.ScheduleOpts{}, priorityOf, 9},
		{"priority: the call's", gtf.Config{}, opts{Priority: 9}, gtf.ScheduleOpts{Priority: 1}, priorityOf, 1},
		{"key: the definition's function", gtf.Config{}, opts{Key: itself}, gtf.ScheduleOpts{}, keyOf, "input"},
		{"key: the call's", gtf.Config{}, opts{Key: itself}, gtf.ScheduleOpts{Key: "call"}, keyOf, "call"},
		{"name: empty by default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, nameOf, ""},
		{"name: the definition's function", gtf.Config{}, opts{Name: itself}, gtf.ScheduleOpts{}, nameOf, "input"},
		{"name: the call's", gtf.Config{}, opts{Name: itself}, gtf.ScheduleOpts{Name: "call"}, nameOf, "call"},
		{"backoff: the default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, backoffOf, gtf.Backoff{Base: time.Second, Max: 10 * minute}},
		{"backoff: the config's", gtf.Config{Backoff: gtf.Backoff{Base: minute, Max: hour}}, opts{}, gtf.ScheduleOpts{}, backoffOf, gtf.Backoff{Base: minute, Max: hour}},
		{"backoff: the definition's", gtf.Config{Backoff: gtf.Backoff{Base: minute, Max: hour}}, opts{Backoff: gtf.Backoff{Base: 1, Max: 2}},
			gtf.ScheduleOpts{}, backoffOf, gtf.Backoff{Base: 1, Max: 2}},
		{"backoff: a definition's long base lifts the default end", gtf.Config{}, opts{Backoff: gtf.Backoff{Base: hour}}, gtf.ScheduleOpts{}, backoffOf,
			gtf.Backoff{Base: hour, Max: hour}},
		{"scope: private by default", gtf.Config{}, opts{}, gtf.ScheduleOpts{}, func(s gtf.Submission) any { return s.Scope }, gtf.ScopePrivate},
		{"abortable: as declared", gtf.Config{}, opts{Abortable: true}, gtf.ScheduleOpts{}, func(s gtf.Submission) any { return s.Abortable }, true},
		{"delay: the call's", gtf.Config{}, opts{}, gtf.ScheduleOpts{Delay: minute}, func(s gtf.Submission) any { return s.Delay }, minute},
	}
	for _, tt := range tests {
		t.Run(tt.name+" (S2.4)", func(t *testing.T) {
			t.Parallel()
			store := &recorder{Store: open(t)}
			c := newClient(t, store, &tt.cfg)
			schedule(as(t.Context(), "ada"), t, c, gtf.Define[string, string]("test.merge", &tt.def), "input", &tt.call)
			if got := tt.got(store.last(t)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func timeoutOf(s gtf.Submission) any   { return s.Timeout }
func queueTimeOf(s gtf.Submission) any { return s.MaxQueueTime }
func attemptsOf(s gtf.Submission) any  { return s.MaxAttempts }
func queueOf(s gtf.Submission) any     { return s.Queue }
func priorityOf(s gtf.Submission) any  { return s.Priority }
func keyOf(s gtf.Submission) any       { return s.Key }
func nameOf(s gtf.Submission) any      { return s.Name }
func backoffOf(s gtf.Submission) any   { return s.Backoff }

func TestScheduleDue(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]func() *gtf.ScheduleOpts{
		"after a delay the task runs (S2.4)":      func() *gtf.ScheduleOpts { return &gtf.ScheduleOpts{Delay: time.Hour} },
		"at its due instant the task runs (S2.4)": func() *gtf.ScheduleOpts { return &gtf.ScheduleOpts{DueAt: time.Now().Add(time.Hour)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				c := startClient(t, open(t), executes(echo))
				due := time.Now().Add(time.Hour)
				h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", opts())
				if got := get(t, c, h.ID).DueAt; !got.Equal(due) {
					t.Errorf("due at %v, want %v", got, due)
				}
				must[string](t)(h.Wait(t.Context()))
				if started := get(t, c, h.ID).StartedAt; started.Before(due) || started.Sub(due) > time.Second {
					t.Errorf("started at %v, want %v", started, due)
				}
			})
		})
	}
	t.Run("waiting for its due time is no time in the queue (S8.4)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := startClient(t, open(t), nil) // without handlers: nothing is ever claimed
			begun := time.Now()
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", &gtf.ScheduleOpts{Delay: time.Hour, MaxQueueTime: time.Minute})
			_, err := h.Wait(t.Context())
			wantTaskError(t, err, gtf.StatusTimedOut)
			wantErr(t, "Wait", err, gtf.ErrTimedOut)
			if took := time.Since(begun); took < 61*time.Minute || took > 62*time.Minute {
				t.Errorf("timed out after %v, want a minute after it was due", took)
			}
			if task := get(t, c, h.ID); !task.StartedAt.IsZero() || task.Attempt != 0 {
				t.Error("it has run")
			}
		})
	})
}

// A submission survives the way through JSON (S2.1).
func TestScheduleTypedInput(t *testing.T) {
	t.Parallel()
	type input struct {
		Name  string
		When  time.Time
		Parts map[string][]int
		Raw   json.RawMessage
	}
	type output struct{ In input }
	def := gtf.Define[input, output]("test.typed", nil)
	c := startClient(t, open(t), &gtf.Config{Handlers: []gtf.Handler{def.Handler(func(_ context.Context, in input) (output, error) {
		return output{in}, nil
	})}})
	want := input{"ä\"\\<>& \u2028", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), map[string][]int{"a": {1, 2}, "": nil}, json.RawMessage(`{"b":[1,"\u00e4"]}`)}
	got := must[output](t)(schedule(as(t.Context(), "ada"), t, c, def, want, nil).Wait(t.Context())).In
	if got.Name != want.Name || !got.When.Equal(want.When) || len(got.Parts) != 2 || string(got.Raw) != string(want.Raw) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
