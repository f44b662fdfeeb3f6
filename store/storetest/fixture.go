package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

const work = "test.work" // the type of tasks that name none

var (
	ada   = gtf.Principal{Kind: gtf.KindUser, ID: "7", Name: "Ada Lovelace"}
	bob   = gtf.Principal{Kind: gtf.KindUser, ID: "8", Name: "Bob"}
	guest = gtf.Principal{Kind: gtf.KindGuest, ID: "7", Name: "Somebody"} // has the id of ada, on purpose

	host = gtf.Viewer{All: true}
)

func viewer(p gtf.Principal) gtf.Viewer { return gtf.Viewer{Kind: p.Kind, ID: p.ID} }

// fixture is a test with its store.
type fixture struct {
	*testing.T
	gtf.Store
	pass    func(time.Duration)
	slack   time.Duration // how far a measured duration may be off
	beginTx func(t *testing.T, s gtf.Store) (tx gtf.Tx, commit, rollback func())
}

// check compares, and tells what broke.
func check[V any](f *fixture, what string, got, want V) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// near compares durations.
func (f *fixture) near(what string, got, want time.Duration) {
	f.Helper()
	if d := got - want; d < -f.slack || d > f.slack {
		f.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// must ends the test if a step fails that the rest builds on.
func (f *fixture) must(what string, err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

// together runs n goroutines at once and waits for them.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}

// dedup is a key as submits compute them: 64 characters.
func dedup(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

type change = func(*gtf.Submission)

// submission is a valid one with a key of its own.
func submission(changes ...change) *gtf.Submission {
	id := gtf.NewID()
	s := &gtf.Submission{
		ID: id, DedupKey: dedup(id.String()), Type: work, Key: "key of " + id.String(), Name: "a name",
		Scope: gtf.ScopeShared, Mode: gtf.ModeAsync, Queue: gtf.DefaultQueue, Priority: 5, MaxAttempts: 1,
		Backoff: gtf.Backoff{Base: time.Second, Max: 10 * time.Minute}, Input: json.RawMessage(`{"n":1}`), By: ada,
	}
	for _, c := range changes {
		c(s)
	}
	return s
}

func withKey(key string) change {
	return func(s *gtf.Submission) { s.Key, s.DedupKey = key, dedup(key) }
}
func by(p gtf.Principal) change        { return func(s *gtf.Submission) { s.By = p } }
func attempts(n int) change            { return func(s *gtf.Submission) { s.MaxAttempts = n } }
func delayed(d time.Duration) change   { return func(s *gtf.Submission) { s.Delay = d } }
func inQueue(q string) change          { return func(s *gtf.Submission) { s.Queue = q } }
func ofType(t string) change           { return func(s *gtf.Submission) { s.Type = t } }
func inScope(scope gtf.Scope) change   { return func(s *gtf.Submission) { s.Scope = scope } }
func abortable(s *gtf.Submission)      { s.Abortable = true }
func queueTime(d time.Duration) change { return func(s *gtf.Submission) { s.MaxQueueTime = d } }
func syncOn(worker string) change {
	return func(s *gtf.Submission) { s.Mode, s.Worker = gtf.ModeSync, worker }
}
func fromClient(client string) change {
	return func(s *gtf.Submission) { s.PerClient, s.Client = true, client }
}
func succeeded(result string) gtf.Outcome {
	return gtf.Outcome{Status: gtf.StatusSuccess, Result: raw(result)}
}
func failed(text string) gtf.Outcome  { return gtf.Outcome{Status: gtf.StatusFailure, Error: text} }
func raw(text string) json.RawMessage { return json.RawMessage(text) }

// again is the outcome of an attempt after which another follows.
func again(delay time.Duration) gtf.Outcome {
	return gtf.Outcome{Status: gtf.StatusPending, Error: "not yet", ErrorType: "*errors.errorString", Delay: delay}
}

func (f *fixture) submit(subs ...*gtf.Submission) []gtf.Submitted {
	f.Helper()
	done, err := f.Submit(f.Context(), subs)
	f.must("Submit", err)
	if len(done) != len(subs) {
		f.Fatalf("Submit of %d answered %d", len(subs), len(done))
	}
	return done
}

// create submits one that must not join.
func (f *fixture) create(changes ...change) gtf.ID {
	f.Helper()
	s := submission(changes...)
	if done := f.submit(s)[0]; !done.Created || done.ID != s.ID {
		f.Fatalf("Submit of a new key answered %+v, want task %s created", done, s.ID)
	}
	return s.ID
}

// worker registers one.
func (f *fixture) worker() string {
	f.Helper()
	id := gtf.NewID().String()
	f.must("Register", f.Register(f.Context(), &gtf.Worker{
		ID: id, Host: "here", PID: 1, Queues: map[string]int{gtf.DefaultQueue: 10}, Types: []string{work},
	}))
	return id
}

// claim takes up to free tasks of the common type from a queue.
func (f *fixture) claim(worker, queue string, free int) []*gtf.Job {
	f.Helper()
	claimed, err := f.Claim(f.Context(), &gtf.ClaimParams{
		Worker: worker, Queues: []gtf.QueueSlots{{Queue: queue, Free: free}}, Types: []string{work},
	})
	f.must("Claim", err)
	return claimed.Jobs
}

// running creates a task in a queue of its own and claims it for a worker.
func (f *fixture) running(worker string, changes ...change) *gtf.Job {
	f.Helper()
	id := f.create(append([]change{inQueue(gtf.NewID().String())}, changes...)...)
	return f.reclaim(id, worker)
}

// reclaim takes the only due task of a queue, which must be id.
func (f *fixture) reclaim(id gtf.ID, worker string) *gtf.Job {
	f.Helper()
	t := f.get(id)
	claimed, err := f.Claim(f.Context(), &gtf.ClaimParams{
		Worker: worker, Queues: []gtf.QueueSlots{{Queue: t.Queue, Free: 1}}, Types: []string{t.Type},
	})
	f.must("Claim", err)
	if len(claimed.Jobs) != 1 || claimed.Jobs[0].ID != id {
		f.Fatalf("Claim from the queue of task %s took %d tasks, want that one (it is %s, due %v)", id, len(claimed.Jobs), t.Status, t.DueAt)
	}
	return claimed.Jobs[0]
}

// runningSync inserts a sync task that the worker has claimed.
func (f *fixture) runningSync(worker string, changes ...change) gtf.Ref {
	f.Helper()
	return gtf.Ref{ID: f.create(append([]change{syncOn(worker)}, changes...)...), Claim: 1}
}

func (f *fixture) update(u gtf.Update) bool {
	f.Helper()
	held, err := f.Update(f.Context(), []gtf.Update{u})
	f.must("Update", err)
	if len(held) != 1 {
		f.Fatalf("Update of 1 answered %d", len(held))
	}
	return held[0]
}

// finish ends an attempt with one outcome for either status.
func (f *fixture) finish(ref gtf.Ref, o gtf.Outcome) gtf.Finished {
	f.Helper()
	fin := gtf.Finish{Update: gtf.Update{Ref: ref}, Running: o, Aborting: o}
	if o.Status == gtf.StatusPending {
		fin.Aborting = gtf.Outcome{} // never pending again
	}
	return f.finishAs(fin)
}

// stopped ends an attempt that noticed that it was asked to abort.
func (f *fixture) stopped(ref gtf.Ref) gtf.Finished {
	f.Helper()
	return f.finishAs(gtf.Finish{Update: gtf.Update{Ref: ref}, Running: failed("stopped"), Aborting: gtf.Outcome{}})
}

func (f *fixture) finishAs(fin gtf.Finish) gtf.Finished {
	f.Helper()
	done, err := f.Finish(f.Context(), []gtf.Finish{fin})
	f.must("Finish", err)
	if len(done) != 1 {
		f.Fatalf("Finish of 1 answered %d", len(done))
	}
	return done[0]
}

// deed does what a cancel has decided.
func (f *fixture) deed(id gtf.ID, d gtf.Deed) *gtf.Task {
	f.Helper()
	t, err := f.Cancel(f.Context(), id, func(*gtf.Task) (gtf.Deed, error) { return d, nil })
	f.must("Cancel", err)
	return t
}

func (f *fixture) abort(id gtf.ID) *gtf.Task {
	f.Helper()
	return f.deed(id, gtf.Deed{Kind: gtf.DeedAbort, By: bob})
}

func (f *fixture) expire(ref gtf.Ref) bool {
	f.Helper()
	won, err := f.Expire(f.Context(), ref)
	f.must("Expire", err)
	return won
}

func (f *fixture) get(id gtf.ID) *gtf.Task {
	f.Helper()
	t, err := f.Get(f.Context(), id, host)
	f.must("Get", err)
	return t
}

func (f *fixture) status(what string, id gtf.ID, want gtf.Status) {
	f.Helper()
	check(f, what+": status", f.get(id).Status, want)
}

// all reads every task, oldest first.
func (f *fixture) all() []*gtf.Task {
	f.Helper()
	return f.list(gtf.ListParams{Order: gtf.OrderCreated, PageSize: 100}, host)
}

// list reads all pages.
func (f *fixture) list(p gtf.ListParams, v gtf.Viewer) []*gtf.Task {
	f.Helper()
	var tasks []*gtf.Task
	for range 1000 {
		page, err := f.List(f.Context(), &p, v)
		f.must("List", err)
		tasks = append(tasks, page.Tasks...)
		if page.Next == "" {
			return tasks
		}
		p.Cursor = page.Next
	}
	f.Fatalf("List gave 1000 pages and still has a next one")
	return nil
}

// unchanged tells whether a task is as it was, in every field.
func (f *fixture) unchanged(what string, before *gtf.Task) {
	f.Helper()
	if now := f.get(before.ID); !reflect.DeepEqual(now, before) {
		f.Errorf("%s: the task has changed\nfrom %+v\nto   %+v", what, before, now)
	}
}

func ids(tasks []*gtf.Task) []gtf.ID {
	list := make([]gtf.ID, len(tasks))
	for i, t := range tasks {
		list[i] = t.ID
	}
	return list
}
