package pgstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
)

func TestIdleWorkerSendsAtMostOneStatementASecond(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("measures for fifteen seconds")
	}
	url := dbtest.Postgres(t)
	store := openURL(t, url, nil)
	c := startClient(t, store, does(echo))
	linked(t, c)
	must[string](t)(schedule(t, c, "key", nil).Wait(within(t)))
	conn := connect(t, url)
	eventually(t, "kept house for the first time, which prunes", func() bool { return count(t, conn, "SELECT count(*) FROM gtf.locks") > 0 })
	<-time.After(time.Second)
	before, began := store.Statements(), time.Now()
	<-time.After(15 * time.Second)
	sent, took := store.Statements()-before, time.Since(began)
	t.Logf("%d statements in %v", sent, took)
	if float64(sent) > took.Seconds()+2 { // two: a claim or a pass may fall into the window once more than on average
		t.Errorf("an idle worker sent %d statements in %v, want at most one a second", sent, took)
	}
	if sent == 0 {
		t.Error("nothing was sent: the test measures nothing")
	}
}

// A table that was empty when its statements were planned, and never analysed, is filled by the same connections.
func TestPlansAreThoseOfALargeTable(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	store := openURL(t, url+andOption(url)+"pool_max_conns=2", nil)
	conn := connect(t, url)
	exec(t, conn, "ALTER TABLE gtf.tasks SET (autovacuum_enabled = off)")
	exec(t, conn, "ALTER TABLE gtf.subscribers SET (autovacuum_enabled = off)")
	exec(t, conn, "ALTER TABLE gtf.task_logs SET (autovacuum_enabled = off)")
	ctx := within(t)

	claim := func(free int) []*gtf.Job {
		t.Helper()
		claimed := must[*gtf.Claimed](t)(store.Claim(ctx, &gtf.ClaimParams{
			Worker: "w", Queues: []gtf.QueueSlots{{Queue: gtf.DefaultQueue, Free: free}}, Types: []string{work.Type()},
		}))
		if len(claimed.Jobs) > free {
			t.Fatalf("%d tasks were claimed for %d slots", len(claimed.Jobs), free)
		}
		return claimed.Jobs
	}
	live := func(jobs []*gtf.Job) {
		t.Helper()
		updates, fins := make([]gtf.Update, len(jobs)), make([]gtf.Finish, len(jobs))
		for i, job := range jobs {
			updates[i] = gtf.Update{Ref: job.Ref, Progress: &gtf.Progress{Form: gtf.FormCount, Current: 1}, Logs: []gtf.LogLine{{At: time.Now(), Text: "line"}}}
			fins[i] = gtf.Finish{Update: gtf.Update{Ref: job.Ref}, Running: gtf.Outcome{Status: gtf.StatusSuccess}}
			if i%5 == 0 {
				fins[i].Running = gtf.Outcome{Status: gtf.StatusPending, Delay: time.Hour}
			}
		}
		must[[]bool](t)(store.Update(ctx, updates))
		must[[]gtf.Finished](t)(store.Finish(ctx, fins))
	}
	submit := func(n int, prefix string) {
		t.Helper()
		subs := make([]*gtf.Submission, n)
		for i := range subs {
			subs[i] = submission(fmt.Sprint(prefix, i))
			subs[i].By = gtf.Principal{Kind: gtf.KindUser, ID: "ada"}
		}
		must[[]gtf.Submitted](t)(store.Submit(ctx, subs))
	}

	for i := range 12 { // often enough for generic plans
		submit(3, fmt.Sprint("early ", i, " "))
		live(claim(3))
	}
	n := 50_000
	if testing.Short() {
		n = 10_000
	}
	for i := range n / 1000 {
		submit(1000, fmt.Sprint("many ", i, " "))
	}
	scans := func() int {
		t.Helper()
		exec(t, conn, "SELECT pg_stat_clear_snapshot()")
		return count(t, conn, "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables WHERE schemaname = 'gtf' AND relname <> 'migrations'")
	}
	eventually(t, "counted", func() bool { // statistics come a moment later
		exec(t, conn, "SELECT pg_stat_clear_snapshot()")
		return count(t, conn, "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'tasks' AND schemaname = 'gtf'") >= n/2
	})
	before := scans()
	worst := time.Duration(0)
	for i := range 30 {
		began := time.Now()
		free := []int{1, 10, 100}[i%3]
		jobs := claim(free)
		if len(jobs) != free {
			t.Errorf("%d tasks were claimed for %d slots of a full queue", len(jobs), free)
		}
		live(jobs)
		submit(10, fmt.Sprint("late ", i, " "))
		if len(jobs) > 0 {
			must[*gtf.Task](t)(store.Get(ctx, jobs[0].ID, host))
			must[[]gtf.Look](t)(store.Look(ctx, []gtf.ID{jobs[0].ID}))
			must[[]gtf.Held](t)(store.Held(ctx, "w"))
		}
		must[[]gtf.Transition](t)(store.ExpireQueued(ctx, 100))
		must[int](t)(store.Prune(ctx, time.Hour, 100))
		worst = max(worst, time.Since(began))
	}
	closeStoreStatistics(t, store)
	read := scans() - before
	t.Logf("worst round %v, %d rows read by sequential scans", worst, read)
	if read > n/2 {
		t.Errorf("%d rows were read by sequential scans in 30 rounds over %d tasks", read, n)
	}
	if worst > 5*time.Second {
		t.Errorf("a round took %v", worst)
	}
	const ofLists = `schemaname = 'gtf' AND (indexrelname IN ('tasks_pending_created', 'tasks_changed') OR indexrelname LIKE 'tasks\_ended\__%')`
	if n := count(t, conn, "SELECT count(*) FROM pg_stat_user_indexes WHERE "+ofLists); n < 5 {
		t.Errorf("there are only %d indexes for lists", n)
	}
	if n := count(t, conn, "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes WHERE "+ofLists); n > 0 {
		t.Errorf("indexes for lists were walked %d times by statements that have others", n)
	}
}

// closeStoreStatistics has the store's connections hand in what they have counted: idle ones do so within a second.
func closeStoreStatistics(t *testing.T, store *pgstore.Store) {
	t.Helper()
	for range 4 {
		<-time.After(600 * time.Millisecond)
		together(2, func(int) { _, _ = store.Look(t.Context(), []gtf.ID{gtf.NewID()}) })
	}
}
