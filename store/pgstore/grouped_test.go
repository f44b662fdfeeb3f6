package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/pgstore"
)

// lockRow has another transaction hold the row of a task until the release.
func lockRow(t *testing.T, url, schema string, id gtf.ID) (release func()) {
	t.Helper()
	tx := must[pgx.Tx](t)(connect(t, url).Begin(t.Context()))
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM "+schema+".tasks WHERE id = $1 FOR UPDATE", id.String()); err != nil {
		t.Fatal(err)
	}
	return func() { ended(t, tx.Rollback(context.Background())) }
}

func TestRowsThatOthersHold(t *testing.T) {
	t.Parallel()
	s := newShelf(t)

	t.Run("delay the outcome of their task and of no other", func(t *testing.T) {
		t.Parallel()
		store := s.openSchema(t, "finishing")
		gate, begun := make(chan struct{}), make(chan struct{}, 100)
		c := startClient(t, store, patiently(func(_ context.Context, in string) (string, error) {
			begun <- struct{}{}
			<-gate
			return in, nil
		}))
		linked(t, c)
		var handles []*gtf.Handle[string]
		for i := range 8 {
			handles = append(handles, schedule(t, c, fmt.Sprint(i), nil))
		}
		for range handles {
			receive(t, begun, "begun")
		}
		release := lockRow(t, s.url, "finishing", handles[3].ID)
		close(gate)
		for i, h := range handles {
			if i != 3 {
				must[string](t)(h.Wait(within(t)))
			}
		}
		if look := must[[]gtf.Look](t)(store.Look(t.Context(), []gtf.ID{handles[3].ID})); look[0].Status != gtf.StatusInProgress {
			t.Errorf("the task whose row is held is %s", look[0].Status)
		}
		release()
		if got := must[string](t)(handles[3].Wait(within(t))); got != "3" {
			t.Errorf("the output is %q", got)
		}
	})

	t.Run("delay reports of their task and of no other", func(t *testing.T) {
		t.Parallel()
		store := s.openSchema(t, "reporting")
		type report struct {
			in  string
			err error
		}
		go1, reports := make(chan struct{}), make(chan report, 10)
		cfg := patiently(func(ctx context.Context, in string) (string, error) {
			<-go1
			gtf.FromContext(ctx).Progress(1, 2)
			reports <- report{in, gtf.FromContext(ctx).Flush(ctx)}
			return in, nil
		})
		c := startClient(t, store, cfg)
		linked(t, c)
		held := schedule(t, c, "held", nil)
		for i := range 4 {
			schedule(t, c, fmt.Sprint(i), nil)
		}
		conn := connect(t, s.url)
		eventually(t, "all running", func() bool {
			return count(t, conn, "SELECT count(*) FROM reporting.tasks WHERE status = 'in_progress'") == 5
		})
		release := lockRow(t, s.url, "reporting", held.ID)
		close(go1)
		for range 4 {
			if r := receive(t, reports, "reported"); r.in == "held" || r.err != nil {
				t.Errorf("Flush of %s: %v", r.in, r.err)
			}
		}
		release()
		if r := receive(t, reports, "reported"); r.in != "held" || r.err != nil {
			t.Errorf("Flush of %s: %v", r.in, r.err)
		}
		must[string](t)(held.Wait(within(t)))
	})

	t.Run("delay a submit that would join, and no other", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, s.openSchema(t, "joining"), nil)
		first := schedule(t, c, "held", nil)
		release := lockRow(t, s.url, "joining", first.ID)
		joined := make(chan error, 1)
		go func() {
			h, err := work.Schedule(within(t), c, "held", nil)
			if err == nil && (!h.Joined || h.ID != first.ID) {
				err = fmt.Errorf("task %s, joined %v", h.ID, h.Joined)
			}
			joined <- err
		}()
		together(20, func(i int) {
			if _, err := work.Schedule(within(t), c, fmt.Sprint(i), nil); err != nil {
				t.Errorf("submit %d: %v", i, err)
			}
		})
		if !silent(joined, 500*time.Millisecond) {
			t.Error("the submit returned although the row is held")
		}
		release()
		if err := receive(t, joined, "joined"); err != nil {
			t.Error(err)
		}
	})

	t.Run("are passed over by claims, and claimed when they are free", func(t *testing.T) {
		t.Parallel()
		store := s.openSchema(t, "claiming")
		c := newClient(t, store, nil)
		held, free := schedule(t, c, "held", nil), schedule(t, c, "free", nil)
		release := lockRow(t, s.url, "claiming", held.ID)
		claim := func() []gtf.ID {
			claimed := must[*gtf.Claimed](t)(store.Claim(t.Context(), &gtf.ClaimParams{
				Worker: "w", Queues: []gtf.QueueSlots{{Queue: gtf.DefaultQueue, Free: 5}}, Types: []string{work.Type()},
			}))
			var ids []gtf.ID
			for _, job := range claimed.Jobs {
				ids = append(ids, job.ID)
			}
			return ids
		}
		if got := claim(); !slices.Equal(got, []gtf.ID{free.ID}) {
			t.Errorf("claimed %v, want %v", got, free.ID)
		}
		release()
		eventually(t, "claimed", func() bool { return slices.Equal(claim(), []gtf.ID{held.ID}) })
	})

	t.Run("by an open transaction of a caller delay a submit until its context ends, or that of the transaction", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, s.openSchema(t, "calling"), does(echo))
		for _, end := range []string{"commit", "rollback"} {
			tx, commit, rollback := beginPgx(t, s.url)
			first := schedule(t, c, end, &gtf.ScheduleOpts{Tx: tx})
			ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
			if _, err := work.Schedule(ctx, c, end, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Schedule gives %v, want its context's error", err)
			}
			var wait *gtf.WaitError
			if _, err := work.Run(ctx, c, end, nil); !errors.As(err, &wait) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Run gives %v, want a *WaitError or its context's error", err)
			}
			cancel()
			answer := make(chan *gtf.Handle[string], 1)
			go func() {
				h, err := work.Schedule(within(t), c, end, nil)
				if err != nil {
					t.Errorf("Schedule: %v", err)
				}
				answer <- h
			}()
			if !silent(answer, 400*time.Millisecond) {
				t.Error("Schedule returned before the end of the transaction")
			}
			if end == "commit" {
				commit()
			} else {
				rollback()
			}
			if h := receive(t, answer, "answered"); h != nil && h.Joined != (h.ID == first.ID) || h == nil || (h.ID == first.ID) != (end == "commit") {
				t.Errorf("after the %s the answer is %+v, first was %s", end, h, first.ID)
			}
		}
	})

	t.Run("by an open transaction and wanted by hundreds do not keep the others from the database", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, s.openSchema(t, "crowded"), nil)
		tx, commit, _ := beginPgx(t, s.url)
		first := schedule(t, c, "popular", &gtf.ScheduleOpts{Tx: tx})
		const crowd = 500
		var wrong atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			together(crowd, func(int) {
				if h, err := work.Schedule(within(t), c, "popular", nil); err != nil || h.ID != first.ID {
					wrong.Add(1)
				}
			})
		}()
		conn := connect(t, s.url)
		eventually(t, "crowded", func() bool {
			return count(t, conn, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%crowded%'") > 0
		})
		var worst time.Duration
		for i := range 10 {
			began := time.Now()
			if _, err := work.Schedule(within(t), c, fmt.Sprint("quiet ", i), nil); err != nil {
				t.Errorf("a submit of another key: %v", err)
			}
			worst = max(worst, time.Since(began))
		}
		if worst > 3*time.Second {
			t.Errorf("a submit of another key took %v", worst)
		}
		commit()
		receive(t, done, "joined by all")
		if wrong.Load() > 0 {
			t.Errorf("%d of %d submits of the key were not told the task", wrong.Load(), crowd)
		}
	})
}

func TestManyStoresAtOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	two := func(t *testing.T, schema string) [2]*pgstore.Store {
		return [2]*pgstore.Store{s.openSchema(t, schema), s.openSchema(t, schema)}
	}

	t.Run("make one task of 100 submits of one key, with 100 subscribers", func(t *testing.T) {
		t.Parallel()
		stores := two(t, "one_key")
		clients := [2]*gtf.Client{newClient(t, stores[0], nil), newClient(t, stores[1], nil)}
		const n = 100
		var created atomic.Int64
		var answers [n]gtf.ID
		together(n, func(i int) {
			ctx := gtf.WithPrincipal(within(t), gtf.Principal{Kind: gtf.KindUser, ID: fmt.Sprint(i)})
			h, err := work.Schedule(ctx, clients[i%2], "key", nil)
			if err != nil {
				t.Errorf("submit %d: %v", i, err)
				return
			}
			if answers[i] = h.ID; !h.Joined {
				created.Add(1)
			}
		})
		task := must[*gtf.Task](t)(stores[0].Get(t.Context(), answers[0], host))
		if created.Load() != 1 || len(task.Subscribers) != n || task.DedupeCount != n-1 {
			t.Errorf("%d created, %d subscribers, dedupe count %d, want 1, %d, %d", created.Load(), len(task.Subscribers), task.DedupeCount, n, n-1)
		}
		for i, id := range answers {
			if id != task.ID {
				t.Errorf("submit %d was told %s", i, id)
			}
		}
	})

	t.Run("do not deadlock on groups in any order", func(t *testing.T) {
		t.Parallel()
		stores := two(t, "any_order")
		const keys = 30
		subs := make([]*gtf.Submission, keys)
		for i := range subs {
			subs[i] = submission(fmt.Sprint("key ", i))
		}
		must[[]gtf.Submitted](t)(stores[0].Submit(t.Context(), subs))
		claimed := must[*gtf.Claimed](t)(stores[0].Claim(t.Context(), &gtf.ClaimParams{
			Worker: "w", Queues: []gtf.QueueSlots{{Queue: gtf.DefaultQueue, Free: keys}}, Types: []string{work.Type()},
		}))
		if len(claimed.Jobs) != keys {
			t.Fatalf("claimed %d", len(claimed.Jobs))
		}
		var locked atomic.Int64
		free := func(what string, do func() error) { // as clients do: ErrLocked is repeated
			for range 100 {
				err := do()
				if err == nil {
					return
				}
				if !errors.Is(err, gtf.ErrLocked) {
					t.Errorf("%s: %v", what, err)
					return
				}
				locked.Add(1)
			}
			t.Errorf("%s: locked a hundred times", what)
		}
		const submits, updates, finishes = 0, 1, 2
		for _, kinds := range [][]int{{submits}, {updates, finishes}, {submits, updates, finishes}} {
			locked.Store(0)
			began := time.Now()
			together(24, func(i int) {
				store := stores[i%2]
				random := rand.New(rand.NewPCG(1, uint64(i)))
				for range 15 / len(kinds) / len(kinds) { // of all kinds few: joins go by key, the others by id, and may wait for each other
					order := random.Perm(keys)[:15]
					switch kinds[i%len(kinds)] {
					case submits:
						again := make([]*gtf.Submission, len(order))
						for j, k := range order {
							again[j] = submission(fmt.Sprint("key ", k))
						}
						free("Submit", func() error { _, err := store.Submit(t.Context(), again); return err })
					case updates:
						reports := make([]gtf.Update, len(order))
						for j, k := range order {
							reports[j] = gtf.Update{Ref: claimed.Jobs[k].Ref, Progress: &gtf.Progress{Form: gtf.FormCount, Current: int64(j)},
								Logs: []gtf.LogLine{{At: time.Now(), Text: "a line"}}}
						}
						free("Update", func() error { _, err := store.Update(t.Context(), reports); return err })
					default:
						stale := make([]gtf.Finish, len(order)) // changes nothing
						for j, k := range order {
							stale[j] = gtf.Finish{Update: gtf.Update{Ref: gtf.Ref{ID: claimed.Jobs[k].ID, Claim: 99}}, Running: gtf.Outcome{Status: gtf.StatusSuccess}}
						}
						free("Finish", func() error { _, err := store.Finish(t.Context(), stale); return err })
					}
				}
			})
			t.Logf("kinds %v: %d writes were locked out for a moment, in %v", kinds, locked.Load(), time.Since(began))
		}
		conn := connect(t, s.url)
		if n := count(t, conn, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n > 0 {
			t.Errorf("PostgreSQL resolved %d deadlocks", n)
		}
		together(2, func(i int) { // both finish all, in opposite order
			fins := make([]gtf.Finish, keys)
			for j, job := range claimed.Jobs {
				fins[j] = gtf.Finish{Update: gtf.Update{Ref: job.Ref}, Running: gtf.Outcome{Status: gtf.StatusSuccess}}
			}
			slices.SortFunc(fins, func(a, b gtf.Finish) int { return (1 - 2*i) * bytes.Compare(a.ID[:], b.ID[:]) })
			free("Finish", func() error { _, err := stores[i].Finish(t.Context(), fins); return err })
		})
		if n := count(t, conn, "SELECT count(*) FROM any_order.tasks WHERE status = 'success'"); n != keys {
			t.Errorf("%d of %d ended", n, keys)
		}
	})

	t.Run("run each task once", func(t *testing.T) {
		t.Parallel()
		stores := two(t, "each_once")
		var runs [300]atomic.Int64
		cfg := func() *gtf.Config {
			c := does(func(_ context.Context, in string) (string, error) {
				var n int
				_, err := fmt.Sscan(in, &n)
				runs[n].Add(1)
				return in, err
			})
			return c
		}
		a, b := startClient(t, stores[0], cfg()), startClient(t, stores[1], cfg())
		together(len(runs), func(i int) {
			c := []*gtf.Client{a, b}[i%2]
			h, err := work.Schedule(within(t), c, fmt.Sprint(i), nil)
			if err == nil {
				_, err = h.Wait(within(t))
			}
			if err != nil {
				t.Errorf("task %d: %v", i, err)
			}
		})
		for i := range runs {
			if n := runs[i].Load(); n != 1 {
				t.Errorf("task %d ran %d times", i, n)
			}
		}
	})
}

// submission is one of the type work.
func submission(key string) *gtf.Submission {
	return &gtf.Submission{
		ID: gtf.NewID(), DedupKey: "key:" + key, Type: work.Type(), Key: key, Scope: gtf.ScopeShared, Mode: gtf.ModeAsync, Queue: gtf.DefaultQueue,
		Priority: 5, MaxAttempts: 3, Backoff: gtf.Backoff{Base: time.Second, Max: time.Minute}, Input: []byte(`"in"`),
	}
}
