package gtf_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// This is what gtf does with a task (S3 to S8, S12.2), written a second time: a list of rows and one plain method for each
// thing that can happen to a row. It knows nothing of how gtf does it. model_store_test.go holds a store against it, and
// model_client_test.go whole processes.

type model struct {
	tasks   []*modelTask // in the order they were created
	created int
	lost    map[string]bool         // workers that were declared lost or have left
	beats   map[string]time.Time    // of every worker, the last one
	touched map[*modelTask][]string // the rows that the last step changed, and how
}

func newModel() *model {
	return &model{lost: map[string]bool{}, beats: map[string]time.Time{}, touched: map[*modelTask][]string{}}
}

// modelTask is a row.
type modelTask struct {
	n   int             // its number
	sub *gtf.Submission // what it was created from; a join changes nothing of it

	status      gtf.Status
	attempt     int    // also the number of the claim
	worker      string // it is bound to; empty: none
	joins       int
	subscribers map[gtf.Principal][]string // with the clients of each
	deadline    time.Time                  // of its waiting, until the first claim; zero: none

	due, started, ended, askedToAbort time.Time

	abortable, warned bool
	reason            gtf.AbortReason
	abortedBy         gtf.Principal
	progress          gtf.Progress
	payload, result   string
	says              []string // the error: these texts, in order; none: no error
	attempts          []string // the errors of those that went back to pending
}

func (t *modelTask) String() string   { return fmt.Sprintf("task %d", t.n) }
func (t *modelTask) GoString() string { return t.String() }

func modelActive(s gtf.Status) bool {
	return s == gtf.StatusPending || s == gtf.StatusInProgress || s == gtf.StatusAborting
}

// running tells whether an executor may write: its claim is the current one, and its attempt has not ended (S3.4).
func (t *modelTask) running(claim int64) bool {
	return int64(t.attempt) == claim && (t.status == gtf.StatusInProgress || t.status == gtf.StatusAborting)
}

func (m *model) find(id gtf.ID) *modelTask {
	for _, t := range m.tasks {
		if t.sub.ID == id {
			return t
		}
	}
	return nil
}

func (m *model) change(t *modelTask, how string) { m.touched[t] = append(m.touched[t], how) }

// modelNow is the time as stores keep it.
func modelNow() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// modelKey is the identity of the work (S4.2, S4.3): a key is private to its principal, or to its type and scope.
func modelKey(scope gtf.Scope, typ, key string, by gtf.Principal) string {
	if scope == gtf.ScopePrivate {
		return fmt.Sprintf("%s/%s/%s/%s/%s", scope, typ, key, by.Kind, by.ID)
	}
	return fmt.Sprintf("%s/%s/%s", scope, typ, key)
}

// submit creates, or joins the active task with the same key (S4.4, S4.5). A sync task is created running (S5.1).
func (m *model) submit(s *gtf.Submission) (t *modelTask, created bool) {
	for _, other := range m.tasks {
		if modelActive(other.status) && other.sub.DedupKey == s.DedupKey {
			other.joins++
			t = other
		}
	}
	if t == nil {
		created = true
		m.created++
		t = &modelTask{n: m.created, sub: s, status: gtf.StatusPending, abortable: s.Abortable, subscribers: map[gtf.Principal][]string{}}
		t.due = modelNow().Add(s.Delay)
		if s.DueAt.After(t.due) {
			t.due = s.DueAt
		}
		if s.MaxQueueTime > 0 {
			t.deadline = t.due.Add(s.MaxQueueTime)
		}
		if s.Mode == gtf.ModeSync {
			t.status, t.attempt, t.worker, t.started = gtf.StatusInProgress, 1, s.Worker, modelNow()
		}
		m.tasks = append(m.tasks, t)
	}
	if !s.By.IsZero() {
		me := modelWho(s.By)
		clients := t.subscribers[me]
		if t.sub.PerClient && s.Client != "" && !slices.Contains(clients, s.Client) {
			clients = append(clients, s.Client)
		}
		t.subscribers[me] = clients
	}
	m.change(t, "submitted")
	return t, created
}

// modelWho is a principal without what does not tell it from others.
func modelWho(p gtf.Principal) gtf.Principal {
	return gtf.Principal{Kind: cmp.Or(p.Kind, gtf.KindUser), ID: p.ID}
}

// claimable are the tasks that a worker would get, in order: due, pending, async (S5.1).
func (m *model) claimable(queue string, types []string) []*modelTask {
	var due []*modelTask
	for _, t := range m.tasks {
		if t.status == gtf.StatusPending && t.sub.Mode == gtf.ModeAsync && !t.due.After(modelNow()) && t.sub.Queue == queue &&
			slices.Contains(types, t.sub.Type) {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b *modelTask) int {
		return cmp.Or(cmp.Compare(a.sub.Priority, b.sub.Priority), a.due.Compare(b.due), slices.Compare(a.sub.ID[:], b.sub.ID[:]))
	})
	return due
}

// begin is a claim, or the next attempt of a sync task in its own process.
func (m *model) begin(t *modelTask, worker string) {
	t.status, t.worker, t.started = gtf.StatusInProgress, worker, modelNow()
	t.attempt++
	t.deadline = time.Time{} // it counts until the first claim (S8.4)
	m.change(t, "begun")
}

// report is a write of an executor.
func (m *model) report(u gtf.Update) bool {
	t := m.find(u.ID)
	if t == nil || !t.running(u.Claim) {
		return false
	}
	t.report(u)
	m.change(t, "reported")
	return true
}

func (t *modelTask) report(u gtf.Update) {
	if u.Progress != nil {
		t.progress = *u.Progress
	}
	if u.Payload != nil {
		t.payload = string(u.Payload)
	}
	t.abortable = t.abortable || u.Abortable
	t.warned = t.warned || u.TimeoutWarning
}

// expire is the time limit of an abortable task (S8.1).
func (m *model) expire(ref gtf.Ref) bool {
	t := m.find(ref.ID)
	if t == nil || !t.running(ref.Claim) || t.status != gtf.StatusInProgress {
		return false
	}
	t.status, t.reason, t.askedToAbort, t.abortable = gtf.StatusAborting, gtf.AbortByTimeout, modelNow(), true
	m.change(t, "expired")
	return true
}

// finish ends an attempt: which outcome counts is for the row to say (S3.5).
func (m *model) finish(f gtf.Finish) gtf.Finished {
	t := m.find(f.ID)
	if t == nil || !t.running(f.Claim) {
		return gtf.Finished{}
	}
	t.report(f.Update)
	o := f.Running
	if t.status == gtf.StatusAborting {
		o = f.Aborting
	}
	switch {
	case o.Status == "" && t.reason == gtf.AbortByTimeout:
		o.Status = gtf.StatusTimedOut
	case o.Status == "":
		o.Status = gtf.StatusAborted
	}
	if o.Status == gtf.StatusPending {
		m.again(t, o.Error, o.Delay)
	} else {
		m.end(t, o.Status, o.Error)
		t.result = string(o.Result)
	}
	return gtf.Finished{Held: true, Status: o.Status}
}

// end is the terminal write: the key is free from now on (S3.3).
func (m *model) end(t *modelTask, s gtf.Status, says ...string) {
	t.status, t.ended, t.deadline = s, modelNow(), time.Time{}
	t.says = slices.DeleteFunc(says, func(text string) bool { return text == "" })
	m.change(t, "ended")
}

// again takes a task back to pending: the attempt's start and progress are gone, the payload stays, abortable is what the
// type declares (S5.7). A sync task never leaves its process.
func (m *model) again(t *modelTask, err string, delay time.Duration) {
	t.status, t.due = gtf.StatusPending, modelNow().Add(delay)
	t.started, t.progress = time.Time{}, gtf.Progress{}
	t.abortable, t.warned = t.sub.Abortable, false
	t.attempts = append(t.attempts, err)
	if t.sub.Mode == gtf.ModeAsync {
		t.worker = ""
	}
	m.change(t, "taken back")
}

// reap is what becomes of a task whose worker is lost (S12.2): for one that was running and may move and has attempts left,
// the next attempt; else a failure.
func (m *model) reap(t *modelTask) gtf.Transition {
	tr := gtf.Transition{ID: t.sub.ID, Type: t.sub.Type, Queue: t.sub.Queue, From: t.status, To: gtf.StatusFailure, Worker: t.worker}
	switch {
	case t.status == gtf.StatusAborting:
		m.end(t, gtf.StatusFailure, "worker lost while aborting")
	case t.status == gtf.StatusInProgress && t.sub.Mode == gtf.ModeAsync && t.attempt < t.sub.MaxAttempts:
		tr.To = gtf.StatusPending
		m.again(t, "worker lost", 0) // and some back-off, which is random
	default:
		m.end(t, gtf.StatusFailure, "worker lost")
	}
	return tr
}

// orphaned tells whether the reaper takes a task.
func (m *model) orphaned(t *modelTask) bool {
	return modelActive(t.status) && t.worker != "" && (m.lost[t.worker] || m.beats[t.worker].IsZero())
}

// silent declares lost who has been silent for longer than d.
func (m *model) silent(d time.Duration) {
	for worker, beat := range m.beats {
		if modelNow().Sub(beat) > d {
			m.lost[worker] = true
		}
	}
}

// waitedTooLong tells whether a task's maximum queue time is over (S8.4).
func (t *modelTask) waitedTooLong() bool {
	return t.status == gtf.StatusPending && !t.deadline.IsZero() && !t.deadline.After(modelNow())
}

// endWaiting is the end of a task that was never claimed in time.
func (m *model) endWaiting(t *modelTask) gtf.Transition {
	m.end(t, gtf.StatusTimedOut, "queue time")
	return gtf.Transition{ID: t.sub.ID, Type: t.sub.Type, Queue: t.sub.Queue, From: gtf.StatusPending, To: gtf.StatusTimedOut}
}

// modelActor is somebody who cancels; one without an id is the host.
type modelActor struct {
	gtf.Principal
}

var (
	modelAda   = modelActor{gtf.Principal{Kind: gtf.KindUser, ID: "7", Name: "Ada"}}
	modelBob   = modelActor{gtf.Principal{Kind: gtf.KindUser, ID: "8"}}
	modelGuest = modelActor{gtf.Principal{Kind: gtf.KindGuest, ID: "7"}} // not Ada, in spite of the id
	modelRoot  = modelActor{gtf.Principal{Kind: gtf.KindUser, ID: "1", Admin: true}}
	modelBoss  = modelActor{gtf.Principal{Kind: gtf.KindUser, ID: "7", Name: "Ada", Admin: true}} // Ada, as an admin
	modelHost  = modelActor{}

	modelActors = []modelActor{modelAda, modelBob, modelGuest, modelRoot, modelBoss, modelHost}
)

func (a modelActor) String() string {
	return cmp.Or(string(a.Kind)+a.ID, "host") + map[bool]string{true: "(admin)"}[a.Admin]
}

func (a modelActor) GoString() string { return a.String() }

func (a modelActor) isAdmin() bool { return a.Admin || a.IsZero() }

// sees is S10.1: admins see everything, others the tasks that are not the system's and that they are subscribed to.
func (a modelActor) sees(t *modelTask) bool {
	_, subscribed := t.subscribers[modelWho(a.Principal)]
	return a.isAdmin() || subscribed && t.sub.Scope != gtf.ScopeSystem
}

// cancel is the table of S7: first match wins.
func (m *model) cancel(id gtf.ID, a modelActor, o gtf.CancelOpts) (gtf.CancelEffect, error) {
	t := m.find(id)
	if t == nil || !a.sees(t) { // 1
		return "", gtf.ErrNotFound
	}
	me := modelWho(a.Principal)
	clients, subscribed := t.subscribers[me]
	others := slices.DeleteFunc(slices.Clone(clients), func(c string) bool { return c == o.Client })
	shared := t.sub.Scope == gtf.ScopeShared
	effect := gtf.EffectAbort // 7
	switch {
	case o.Force && !a.isAdmin(): // 2
		return "", gtf.ErrForbidden
	case !modelActive(t.status): // 3
		return "", gtf.ErrFinished
	case !o.Force && t.sub.PerClient && o.Client != "" && len(others) > 0: // 4
		effect = gtf.EffectDetach
	case shared && subscribed && len(t.subscribers) > 1 && !o.Force: // 5
		effect = gtf.EffectUnsubscribe
	case shared && !subscribed && !o.Force: // 6
		return "", gtf.ErrForbidden
	case t.status == gtf.StatusInProgress && !t.abortable:
		return "", gtf.ErrNotAbortable
	}
	if o.Expect != "" && o.Expect != effect {
		return "", gtf.ErrConflict
	}
	switch effect {
	case gtf.EffectDetach:
		t.subscribers[me] = others
	case gtf.EffectUnsubscribe:
		delete(t.subscribers, me)
	case gtf.EffectAbort:
		if t.status == gtf.StatusAborting {
			return effect, nil // fine, and nothing changes
		}
		t.reason, t.askedToAbort = gtf.AbortByUser, modelNow()
		t.abortedBy = gtf.Principal{Kind: a.Kind, ID: a.ID, Name: a.Name}
		if a.IsZero() {
			t.abortedBy = gtf.Principal{ID: gtf.HostName, Name: gtf.HostName}
		}
		if t.status == gtf.StatusPending { // nothing ran
			m.end(t, gtf.StatusAborted)
			return effect, nil
		}
		t.status = gtf.StatusAborting
	}
	m.change(t, "cancelled")
	return effect, nil
}

// modelSameError compares what a cancel returned with what the table says.
func modelSameError(got, want error) bool {
	if want == nil {
		return got == nil
	}
	kinds := []error{gtf.ErrNotFound, gtf.ErrForbidden, gtf.ErrFinished, gtf.ErrNotAbortable, gtf.ErrConflict}
	for _, kind := range kinds {
		if errors.Is(got, kind) != (kind == want) { //nolint:errorlint // the sentinels themselves
			return false
		}
	}
	return true
}

// problems compares what any test can know of a row.
func (t *modelTask) problems(got *gtf.Task) (bad []string) {
	compare := func(what string, got, want any) {
		if got != want {
			bad = append(bad, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	compare("status", got.Status, t.status)
	compare("attempt", got.Attempt, t.attempt)
	compare("worker", got.Worker, t.worker)
	compare("dedupe count", got.DedupeCount, t.joins)
	compare("abortable", got.Abortable, t.abortable)
	compare("timeout warning", got.TimeoutWarning, t.warned)
	compare("abort reason", got.AbortReason, t.reason)
	compare("aborted by", got.AbortedBy, t.abortedBy)
	compare("result", string(got.Result), t.result)
	compare("a dedup key of its own", got.DedupKey == got.ID.String(), !modelActive(t.status) || t.sub.DedupKey == t.sub.ID.String())
	compare("started", !got.StartedAt.IsZero(), !t.started.IsZero())
	compare("ended", !got.EndedAt.IsZero(), !t.ended.IsZero())
	compare("asked to abort", !got.AbortedAt.IsZero(), !t.askedToAbort.IsZero())
	subscribers := map[gtf.Principal][]string{}
	for _, s := range got.Subscribers {
		subscribers[gtf.Principal{Kind: s.Kind, ID: s.ID}] = s.Clients
	}
	if !maps.EqualFunc(subscribers, t.subscribers, slices.Equal) {
		bad = append(bad, fmt.Sprintf("subscribers are %v, want %v", subscribers, t.subscribers))
	}
	var errors []string
	for _, a := range got.Attempts {
		errors = append(errors, a.Error)
	}
	if !slices.EqualFunc(errors, t.attempts, strings.Contains) {
		bad = append(bad, fmt.Sprintf("errors of former attempts are %q, want %q", errors, t.attempts))
	}
	rest := got.Error
	for _, text := range t.says {
		before, after, found := strings.Cut(rest, text)
		if !found {
			bad = append(bad, fmt.Sprintf("error is %q, want %q, in this order", got.Error, t.says))
			before, after = "", ""
		}
		_, rest = before, after
	}
	if len(t.says) == 0 && got.Error != "" {
		bad = append(bad, fmt.Sprintf("error is %q, want none", got.Error))
	}
	return bad
}

// modelLaws hold for the rows of a store whatever was done to them: those before a step, and those after it (S3.1 to S3.3).
func modelLaws(before, after []*gtf.Task) (broken []string) {
	was := map[gtf.ID]*gtf.Task{}
	for _, t := range before {
		was[t.ID] = t
	}
	holds := map[string]gtf.ID{}
	for _, t := range after {
		if other, twice := holds[t.DedupKey]; twice {
			broken = append(broken, fmt.Sprintf("tasks %s and %s have the same dedup key", other, t.ID))
		}
		holds[t.DedupKey] = t.ID
		old := was[t.ID]
		switch {
		case old == nil:
		case !modelActive(old.Status) && (t.Status != old.Status || t.Error != old.Error || !t.EndedAt.Equal(old.EndedAt)):
			broken = append(broken, fmt.Sprintf("task %s had ended %s and is %s now", t.ID, old.Status, t.Status))
		case t.Version < old.Version:
			broken = append(broken, fmt.Sprintf("the version of task %s went from %d to %d", t.ID, old.Version, t.Version))
		}
	}
	return broken
}
