package gtf_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

func actor(p gtf.Principal) gtf.Actor { return gtf.Actor{Principal: p} }

type taskShape = func(*gtf.Task)

// taskOf makes one that is pending, and then whatever the shapes say.
func taskOf(scope gtf.Scope, shapes ...taskShape) *gtf.Task {
	t := &gtf.Task{ID: gtf.NewID(), Type: "decide.task", Scope: scope, Status: gtf.StatusPending}
	for _, shape := range shapes {
		shape(t)
	}
	return t
}

func isIn(status gtf.Status) taskShape { return func(t *gtf.Task) { t.Status = status } }

func isAbortable(t *gtf.Task) { t.Abortable = true }

func isRunning(t *gtf.Task) { t.Status = gtf.StatusInProgress }

// followedBy subscribes people.
func followedBy(people ...gtf.Principal) taskShape {
	return func(t *gtf.Task) {
		for _, p := range people {
			t.Subscribers = append(t.Subscribers, gtf.Subscriber{Kind: p.Kind, ID: p.ID, Name: p.Name})
		}
	}
}

// openIn subscribes somebody who has these clients open, and makes the type's policy per client.
func openIn(p gtf.Principal, clients ...string) taskShape {
	return func(t *gtf.Task) {
		t.PerClient = true
		t.Subscribers = append(t.Subscribers, gtf.Subscriber{Kind: p.Kind, ID: p.ID, Name: p.Name, Clients: clients})
	}
}

func namesOf(subs []gtf.Subscriber) string {
	list := make([]string, len(subs))
	for i, s := range subs {
		list[i] = s.Name
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

var byForce = gtf.CancelOpts{Force: true}

const noHandler = "no abort handler"

// wantDecision is a gtf.CancelDecision as the tables write it; Reason is a part of the text.
type wantDecision struct {
	effect gtf.CancelEffect
	state  gtf.CancelState
	force  gtf.CancelForce
	reason string
	others string
	err    error
}

type decisionTest struct {
	name  string
	task  *gtf.Task
	actor gtf.Actor
	opts  gtf.CancelOpts
	want  wantDecision
}

func (tt decisionTest) run(t *testing.T) {
	t.Parallel()
	d := gtf.DecideCancel(tt.task, tt.actor, tt.opts)
	if d.Effect != tt.want.effect || d.State != tt.want.state || d.Force != tt.want.force {
		t.Errorf("got effect %q, state %q, force %q, want %q, %q, %q", d.Effect, d.State, d.Force,
			tt.want.effect, tt.want.state, tt.want.force)
	}
	if !strings.Contains(d.Reason, tt.want.reason) || tt.want.reason == "" && d.Reason != "" {
		t.Errorf("got reason %q, want %q in it", d.Reason, tt.want.reason)
	}
	if got := namesOf(d.Others); got != tt.want.others {
		t.Errorf("got others %q, want %q", got, tt.want.others)
	}
	if !errors.Is(d.Err, tt.want.err) {
		t.Errorf("got error %v, want %v", d.Err, tt.want.err)
	}
}

func wantNotFound() wantDecision {
	return wantDecision{state: gtf.CancelHidden, force: gtf.ForceNone, err: gtf.ErrNotFound}
}

func wantStop(others string) wantDecision {
	return wantDecision{effect: gtf.EffectAbort, state: gtf.CancelAvailable, force: gtf.ForceNone, others: others}
}

// wantStopForAll is what an admin who does not follow the task is offered.
func wantStopForAll(others string, err error) wantDecision {
	return wantDecision{effect: gtf.EffectAbort, state: gtf.CancelAvailable, force: gtf.ForceRequired, others: others, err: err}
}

func wantLeave(force gtf.CancelForce, others string) wantDecision {
	return wantDecision{effect: gtf.EffectUnsubscribe, state: gtf.CancelAvailable, force: force, others: others}
}

func wantDetach(others string) wantDecision {
	return wantDecision{effect: gtf.EffectDetach, state: gtf.CancelAvailable, force: gtf.ForceNone, others: others}
}

// wantDisabled is a button that is disabled for want of an abort handler.
func wantDisabled(force gtf.CancelForce, others string, err error) wantDecision {
	return wantDecision{effect: gtf.EffectAbort, state: gtf.CancelDisabled, force: force, reason: noHandler, others: others, err: err}
}

// The rows of S7, in their order.
func TestDecideCancel(t *testing.T) {
	t.Parallel()
	const private, shared, system = gtf.ScopePrivate, gtf.ScopeShared, gtf.ScopeSystem
	tests := []decisionTest{
		{"S7.1 a shared task is not found by who is not subscribed", taskOf(shared, followedBy(ada)), actor(grace), gtf.CancelOpts{}, wantNotFound()},
		{"S7.1 a private task is not found by others", taskOf(private, followedBy(ada)), actor(grace), gtf.CancelOpts{}, wantNotFound()},
		{"S7.1 a guest is not the user with the same id", taskOf(private, followedBy(ada)), actor(guest), gtf.CancelOpts{}, wantNotFound()},
		{"S7.1 a user is not the guest with the same id", taskOf(private, followedBy(guest)), actor(ada), gtf.CancelOpts{}, wantNotFound()},
		{"S7.1 a system task is not found by a user who is subscribed", taskOf(system, followedBy(ada)), actor(ada), gtf.CancelOpts{}, wantNotFound()},
		{"S7.1 not found comes before forbidden", taskOf(shared, followedBy(ada)), actor(grace), byForce, wantNotFound()},
		{"S7.1 not found comes before finished", taskOf(shared, followedBy(ada), isIn(gtf.StatusSuccess)), actor(grace), gtf.CancelOpts{}, wantNotFound()},

		{"S7.2 force by a subscriber who is no admin is forbidden", taskOf(shared, followedBy(ada, grace)), actor(ada), byForce,
			wantDecision{state: gtf.CancelHidden, force: gtf.ForceNone, reason: "admin", others: "Grace Hopper", err: gtf.ErrForbidden}},
		{"S7.2 forbidden comes before finished", taskOf(private, followedBy(ada), isIn(gtf.StatusSuccess)), actor(ada), byForce,
			wantDecision{state: gtf.CancelHidden, force: gtf.ForceNone, reason: "admin", err: gtf.ErrForbidden}},

		{"S7.4 one of two clients is detached", taskOf(private, openIn(ada, "a", "b")), actor(ada), gtf.CancelOpts{Client: "a"}, wantDetach("")},
		{"S7.4 a client is detached from a shared task", taskOf(shared, openIn(ada, "a", "b"), followedBy(grace)), actor(ada),
			gtf.CancelOpts{Client: "a"}, wantDetach("Grace Hopper")},
		{"S7.4 a client is detached from what cannot be aborted", taskOf(private, isRunning, openIn(ada, "a", "b")), actor(ada),
			gtf.CancelOpts{Client: "b"}, wantDetach("")},
		{"S7.4 the last client aborts", taskOf(private, openIn(ada, "a")), actor(ada), gtf.CancelOpts{Client: "a"}, wantStop("")},
		{"S7.4 the last client leaves a task with others", taskOf(shared, openIn(ada, "a"), followedBy(grace)), actor(ada),
			gtf.CancelOpts{Client: "a"}, wantLeave(gtf.ForceNone, "Grace Hopper")},
		{"S7.4 the clients of others do not count", taskOf(shared, openIn(ada, "a"), openIn(grace, "b", "c")), actor(ada),
			gtf.CancelOpts{Client: "a"}, wantLeave(gtf.ForceNone, "Grace Hopper")},
		{"S7.4 force is not detached", taskOf(private, openIn(root, "a", "b")), actor(root), gtf.CancelOpts{Client: "a", Force: true}, wantStop("")},
		{"S7.4 without the policy nothing is detached",
			taskOf(private, openIn(ada, "a", "b"), func(t *gtf.Task) { t.PerClient = false }), actor(ada), gtf.CancelOpts{Client: "a"}, wantStop("")},

		{"S7.5 one of several leaves a pending task", taskOf(shared, followedBy(ada, grace, alan)), actor(ada), gtf.CancelOpts{},
			wantLeave(gtf.ForceNone, "Alan Turing, Grace Hopper")},
		{"S7.5 one of two leaves a running task", taskOf(shared, isRunning, isAbortable, followedBy(ada, grace)), actor(grace), gtf.CancelOpts{},
			wantLeave(gtf.ForceNone, "Ada Lovelace")},
		{"S7.5 one of two leaves a task that cannot be aborted", taskOf(shared, isRunning, followedBy(ada, grace)), actor(ada), gtf.CancelOpts{},
			wantLeave(gtf.ForceNone, "Grace Hopper")},
		{"S7.5 user and guest with one id are two subscribers", taskOf(shared, followedBy(ada, guest)), actor(guest), gtf.CancelOpts{},
			wantLeave(gtf.ForceNone, "Ada Lovelace")},
		{"S7.5 an admin who is one of several leaves without force", taskOf(shared, followedBy(root, grace)), actor(root), gtf.CancelOpts{},
			wantLeave(gtf.ForceOptional, "Grace Hopper")},

		{"S7.6 an admin who is not subscribed must use force", taskOf(shared, followedBy(ada, grace)), actor(root), gtf.CancelOpts{},
			wantStopForAll("Ada Lovelace, Grace Hopper", gtf.ErrForbidden)},
		{"S7.6 also with one subscriber", taskOf(shared, isRunning, isAbortable, followedBy(ada)), actor(root), gtf.CancelOpts{},
			wantStopForAll("Ada Lovelace", gtf.ErrForbidden)},
		{"S7.6 also with none", taskOf(shared), actor(root), gtf.CancelOpts{}, wantStopForAll("", gtf.ErrForbidden)},
		{"S7.6 also when it cannot be aborted", taskOf(shared, isRunning, followedBy(ada)), actor(root), gtf.CancelOpts{},
			wantDisabled(gtf.ForceRequired, "Ada Lovelace", gtf.ErrForbidden)},
		{"S7.6 the host is an admin who is not subscribed", taskOf(shared, followedBy(ada)), host, gtf.CancelOpts{},
			wantStopForAll("Ada Lovelace", gtf.ErrForbidden)},

		{"S7.7 the creator aborts a private pending task", taskOf(private, followedBy(ada)), actor(ada), gtf.CancelOpts{}, wantStop("")},
		{"S7.7 an admin aborts a private task of another", taskOf(private, followedBy(ada)), actor(root), gtf.CancelOpts{}, wantStop("Ada Lovelace")},
		{"S7.7 the host aborts a private task", taskOf(private, followedBy(ada)), host, gtf.CancelOpts{}, wantStop("Ada Lovelace")},
		{"S7.7 a guest aborts a private task", taskOf(private, followedBy(guest)), actor(guest), gtf.CancelOpts{}, wantStop("")},
		{"S7.7 an admin aborts a system task", taskOf(system), actor(root), gtf.CancelOpts{}, wantStop("")},
		{"S7.7 an admin aborts a system task of another", taskOf(system, followedBy(ada, grace)), actor(root), gtf.CancelOpts{},
			wantStop("Ada Lovelace, Grace Hopper")},
		{"S7.7 the host aborts a system task", taskOf(system), host, gtf.CancelOpts{}, wantStop("")},
		{"S7.7 the sole subscriber aborts a shared task", taskOf(shared, isRunning, isAbortable, followedBy(ada)), actor(ada), gtf.CancelOpts{}, wantStop("")},
		{"S7.7 an admin who is the sole subscriber aborts", taskOf(shared, followedBy(root)), actor(root), gtf.CancelOpts{}, wantStop("")},
		{"S7.7 an admin aborts by force what others follow", taskOf(shared, isRunning, isAbortable, followedBy(ada, grace)), actor(root), byForce,
			wantStopForAll("Ada Lovelace, Grace Hopper", nil)},
		{"S7.7 the host aborts by force", taskOf(shared, followedBy(ada)), host, byForce, wantStopForAll("Ada Lovelace", nil)},
		{"S7.7 a pending task can always be aborted", taskOf(private, followedBy(ada)), actor(ada), gtf.CancelOpts{}, wantStop("")},
		{"S7.7 a running private task without handler cannot", taskOf(private, isRunning, followedBy(ada)), actor(ada), gtf.CancelOpts{},
			wantDisabled(gtf.ForceNone, "", gtf.ErrNotAbortable)},
		{"S7.7 a running system task without handler cannot", taskOf(system, isRunning), actor(root), gtf.CancelOpts{},
			wantDisabled(gtf.ForceNone, "", gtf.ErrNotAbortable)},
		{"S7.7 the last subscriber cannot leave what cannot be aborted", taskOf(shared, isRunning, followedBy(ada)), actor(ada), gtf.CancelOpts{},
			wantDisabled(gtf.ForceNone, "", gtf.ErrNotAbortable)},
		{"S7.7 force does not abort without handler", taskOf(shared, isRunning, followedBy(ada)), actor(root), byForce,
			wantDisabled(gtf.ForceRequired, "Ada Lovelace", gtf.ErrNotAbortable)},
		{"S7.7 aborting again is fine", taskOf(private, isIn(gtf.StatusAborting), followedBy(ada)), actor(ada), gtf.CancelOpts{},
			wantDecision{effect: gtf.EffectAbort, state: gtf.CancelHidden, force: gtf.ForceNone, reason: "aborting already"}},
	}
	for _, status := range []gtf.Status{gtf.StatusSuccess, gtf.StatusFailure, gtf.StatusAborted, gtf.StatusTimedOut} {
		finished := wantDecision{state: gtf.CancelHidden, force: gtf.ForceNone, reason: "finished", err: gtf.ErrFinished}
		tests = append(tests,
			decisionTest{"S7.3 " + string(status) + " is finished", taskOf(private, isIn(status), followedBy(ada)), actor(ada), gtf.CancelOpts{}, finished},
			decisionTest{"S7.3 " + string(status) + " comes before detach", taskOf(private, isIn(status), openIn(ada, "a", "b")), actor(ada),
				gtf.CancelOpts{Client: "a"}, finished},
			decisionTest{"S7.3 " + string(status) + " comes before use force", taskOf(shared, isIn(status)), actor(root), gtf.CancelOpts{}, finished},
			decisionTest{"S7.3 " + string(status) + " is not changed by force", taskOf(shared, isIn(status)), host, byForce, finished},
		)
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// The first table of ui.md, section 8: what the row shows.
func TestDecideCancelButton(t *testing.T) {
	t.Parallel()
	const private, shared, system = gtf.ScopePrivate, gtf.ScopeShared, gtf.ScopeSystem
	tests := []struct {
		name   string
		task   *gtf.Task
		actor  gtf.Actor
		state  gtf.CancelState
		reason string
	}{
		{"a success shows nothing", taskOf(private, followedBy(ada), isIn(gtf.StatusSuccess)), actor(ada), gtf.CancelHidden, ""},
		{"a failure shows nothing", taskOf(private, followedBy(ada), isIn(gtf.StatusFailure)), actor(ada), gtf.CancelHidden, ""},
		{"a timeout shows nothing", taskOf(private, followedBy(ada), isIn(gtf.StatusTimedOut)), actor(ada), gtf.CancelHidden, ""},
		{"an aborted task shows nothing", taskOf(private, followedBy(ada), isIn(gtf.StatusAborted)), actor(ada), gtf.CancelHidden, ""},
		{"an aborting task shows nothing", taskOf(private, followedBy(ada), isIn(gtf.StatusAborting)), actor(ada), gtf.CancelHidden, ""},
		{"an aborting task that others follow shows nothing", taskOf(shared, followedBy(ada, grace), isIn(gtf.StatusAborting)), actor(ada), gtf.CancelHidden, ""},
		{"an aborting task shows nothing to an admin", taskOf(shared, followedBy(ada), isIn(gtf.StatusAborting)), actor(root), gtf.CancelHidden, ""},
		{"an aborting task shows nothing to one of two clients", taskOf(private, openIn(ada, "a", "b"), isIn(gtf.StatusAborting)), actor(ada), gtf.CancelHidden, ""},
		{"who is not subscribed sees nothing", taskOf(shared, followedBy(ada)), actor(grace), gtf.CancelHidden, ""},
		{"pending shows Cancel", taskOf(private, followedBy(ada)), actor(ada), gtf.CancelAvailable, ""},
		{"running with a handler shows Cancel", taskOf(private, isRunning, isAbortable, followedBy(ada)), actor(ada), gtf.CancelAvailable, ""},
		{"running without, private, is disabled", taskOf(private, isRunning, followedBy(ada)), actor(ada), gtf.CancelDisabled, noHandler},
		{"running without, system, is disabled", taskOf(system, isRunning), actor(root), gtf.CancelDisabled, noHandler},
		{"running without, shared with one, is disabled", taskOf(shared, isRunning, followedBy(ada)), actor(ada), gtf.CancelDisabled, noHandler},
		{"running without, shared with none, is disabled", taskOf(shared, isRunning), actor(root), gtf.CancelDisabled, noHandler},
		{"running without, shared with two, I am subscribed: Leave", taskOf(shared, isRunning, followedBy(ada, grace)), actor(ada), gtf.CancelAvailable, ""},
		{"running without, shared with two, admin not subscribed, is disabled", taskOf(shared, isRunning, followedBy(ada, grace)), actor(root), gtf.CancelDisabled, noHandler},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := ""
			if tt.task.PerClient {
				client = "a"
			}
			d := gtf.DecideCancel(tt.task, tt.actor, gtf.CancelOpts{Client: client})
			if d.State != tt.state || !strings.Contains(d.Reason, tt.reason) {
				t.Errorf("the button is %s (%q), want %s (%q)", d.State, d.Reason, tt.state, tt.reason)
			}
			if d.State == gtf.CancelAvailable && d.Reason != "" {
				t.Errorf("a button that works has the reason %q", d.Reason)
			}
		})
	}
}

// The second table of ui.md, section 8: what confirming does, and the force box, which is the same whether it is ticked.
func TestDecideCancelDialog(t *testing.T) {
	t.Parallel()
	const private, shared, system = gtf.ScopePrivate, gtf.ScopeShared, gtf.ScopeSystem
	const abort, unsubscribe = gtf.EffectAbort, gtf.EffectUnsubscribe
	tests := []struct {
		name   string
		task   *gtf.Task
		actor  gtf.Actor
		effect gtf.CancelEffect
		box    gtf.CancelForce
		ticked gtf.CancelEffect // empty: the box cannot be ticked
		others string
	}{
		{"private, creator: stop", taskOf(private, followedBy(ada)), actor(ada), abort, gtf.ForceNone, "", ""},
		{"private, admin: stop", taskOf(private, followedBy(ada)), actor(root), abort, gtf.ForceNone, "", "Ada Lovelace"},
		{"system, admin: stop", taskOf(system), actor(root), abort, gtf.ForceNone, "", ""},
		{"shared, only me: stop", taskOf(shared, followedBy(ada)), actor(ada), abort, gtf.ForceNone, "", ""},
		{"shared, only me, admin: stop", taskOf(shared, followedBy(root)), actor(root), abort, gtf.ForceNone, "", ""},
		{"shared, subscriber: leave", taskOf(shared, followedBy(ada, grace)), actor(ada), unsubscribe, gtf.ForceNone, "", "Grace Hopper"},
		{"shared, admin subscribed: leave, or stop if ticked", taskOf(shared, followedBy(root, grace)), actor(root), unsubscribe, gtf.ForceOptional, abort, "Grace Hopper"},
		{"shared, admin not subscribed, one: stop for everyone", taskOf(shared, followedBy(ada)), actor(root), abort, gtf.ForceRequired, abort, "Ada Lovelace"},
		{"shared, admin not subscribed, two: stop for everyone", taskOf(shared, followedBy(ada, grace)), actor(root), abort, gtf.ForceRequired, abort, "Ada Lovelace, Grace Hopper"},
		{"shared, admin not subscribed, none: stop for everyone", taskOf(shared), actor(root), abort, gtf.ForceRequired, abort, ""},
		{"shared, running without handler, admin subscribed: leave", taskOf(shared, isRunning, followedBy(root, grace)), actor(root), unsubscribe, gtf.ForceUnavailable, "", "Grace Hopper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := gtf.DecideCancel(tt.task, tt.actor, gtf.CancelOpts{})
			if d.Effect != tt.effect || d.Force != tt.box || namesOf(d.Others) != tt.others {
				t.Errorf("got %s, box %s, others %q, want %s, %s, %q", d.Effect, d.Force, namesOf(d.Others), tt.effect, tt.box, tt.others)
			}
			if tt.ticked == "" {
				return
			}
			d = gtf.DecideCancel(tt.task, tt.actor, byForce)
			if d.Effect != tt.ticked || d.Err != nil {
				t.Errorf("ticked: got %s, error %v, want %s", d.Effect, d.Err, tt.ticked)
			}
			if d.Force != tt.box || namesOf(d.Others) != tt.others {
				t.Errorf("ticked: got box %s, others %q, want %s, %q as before", d.Force, namesOf(d.Others), tt.box, tt.others)
			}
		})
	}
}

// What a caller expects (S7): another effect is a conflict, other refusals stay what they are.
func TestDecideCancelExpect(t *testing.T) {
	t.Parallel()
	const private, shared = gtf.ScopePrivate, gtf.ScopeShared
	tests := []struct {
		name  string
		task  *gtf.Task
		actor gtf.Actor
		opts  gtf.CancelOpts
		now   gtf.CancelEffect // of the conflict; empty: none
		err   error
	}{
		{"abort, and it is", taskOf(private, followedBy(ada)), actor(ada), gtf.CancelOpts{Expect: gtf.EffectAbort}, "", nil},
		{"unsubscribe, and it is", taskOf(shared, followedBy(ada, grace)), actor(ada), gtf.CancelOpts{Expect: gtf.EffectUnsubscribe}, "", nil},
		{"detach, and it is", taskOf(private, openIn(ada, "a", "b")), actor(ada), gtf.CancelOpts{Client: "a", Expect: gtf.EffectDetach}, "", nil},
		{"unsubscribe, but the others have left", taskOf(shared, followedBy(ada)), actor(ada), gtf.CancelOpts{Expect: gtf.EffectUnsubscribe},
			gtf.EffectAbort, gtf.ErrConflict},
		{"abort, but others have joined", taskOf(shared, followedBy(ada, grace)), actor(ada), gtf.CancelOpts{Expect: gtf.EffectAbort},
			gtf.EffectUnsubscribe, gtf.ErrConflict},
		{"detach, but the other client is gone", taskOf(private, openIn(ada, "a")), actor(ada),
			gtf.CancelOpts{Client: "a", Expect: gtf.EffectDetach}, gtf.EffectAbort, gtf.ErrConflict},
		{"abort, but another client came", taskOf(private, openIn(ada, "a", "b")), actor(ada),
			gtf.CancelOpts{Client: "a", Expect: gtf.EffectAbort}, gtf.EffectDetach, gtf.ErrConflict},
		{"unsubscribe with force", taskOf(shared, followedBy(root, grace)), actor(root), gtf.CancelOpts{Force: true, Expect: gtf.EffectUnsubscribe},
			gtf.EffectAbort, gtf.ErrConflict},
		{"abort, and it is aborting", taskOf(private, followedBy(ada), isIn(gtf.StatusAborting)), actor(ada), gtf.CancelOpts{Expect: gtf.EffectAbort}, "", nil},
		{"unsubscribe, but it has finished", taskOf(shared, followedBy(ada), isIn(gtf.StatusSuccess)), actor(ada),
			gtf.CancelOpts{Expect: gtf.EffectUnsubscribe}, "", gtf.ErrFinished},
		{"unsubscribe, but the others have left what cannot be aborted", taskOf(shared, isRunning, followedBy(ada)), actor(ada),
			gtf.CancelOpts{Expect: gtf.EffectUnsubscribe}, "", gtf.ErrNotAbortable},
		{"unsubscribe, but the caller was not subscribed", taskOf(shared, followedBy(ada)), actor(root),
			gtf.CancelOpts{Expect: gtf.EffectUnsubscribe}, "", gtf.ErrForbidden},
		{"unsubscribe, but the caller has left", taskOf(shared, followedBy(ada)), actor(grace), gtf.CancelOpts{Expect: gtf.EffectUnsubscribe}, "", gtf.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := gtf.DecideCancel(tt.task, tt.actor, tt.opts)
			if !errors.Is(d.Err, tt.err) {
				t.Errorf("got error %v, want %v", d.Err, tt.err)
			}
			var conflict *gtf.ExpectError
			if got := errors.As(d.Err, &conflict); got != (tt.now != "") {
				t.Errorf("got error %v, a conflict: %v", d.Err, got)
			} else if got && (conflict.Expected != tt.opts.Expect || conflict.Now != tt.now) {
				t.Errorf("expected %q and now %q, want %q and %q", conflict.Expected, conflict.Now, tt.opts.Expect, tt.now)
			}
		})
	}
}

// The action on the wire (S7).
func TestCancelEffectAction(t *testing.T) {
	t.Parallel()
	for effect, want := range map[gtf.CancelEffect]string{
		gtf.EffectAbort: "aborted", gtf.EffectUnsubscribe: "unsubscribed", gtf.EffectDetach: "detached", gtf.EffectNone: "",
	} {
		if got := effect.Action(); got != want {
			t.Errorf("%q.Action() = %q, want %q", effect, got, want)
		}
	}
}
