package gtf

import (
	"context"
	"fmt"
	"slices"
)

// CancelEffect is what a cancel does (S7).
type CancelEffect string

const (
	EffectNone        CancelEffect = ""
	EffectAbort       CancelEffect = "abort"       // the task stops for everyone
	EffectUnsubscribe CancelEffect = "unsubscribe" // the caller leaves, the task goes on for the others
	EffectDetach      CancelEffect = "detach"      // one client of the caller leaves
)

// Action is the past tense that goes over the wire: aborted, unsubscribed, detached.
func (e CancelEffect) Action() string {
	switch e {
	case EffectAbort:
		return "aborted"
	case EffectUnsubscribe:
		return "unsubscribed"
	case EffectDetach:
		return "detached"
	}
	return ""
}

// CancelState says how a cancel button is drawn.
type CancelState string

const (
	CancelAvailable CancelState = "available"
	CancelDisabled  CancelState = "disabled" // with a reason
	CancelHidden    CancelState = "hidden"
)

// CancelForce says what the force box of a dialog does.
type CancelForce string

const (
	ForceNone        CancelForce = "none"        // no box
	ForceOptional    CancelForce = "optional"    // an admin who is subscribed may stop it for everyone
	ForceRequired    CancelForce = "required"    // an admin who is not subscribed can only do that
	ForceUnavailable CancelForce = "unavailable" // it cannot be aborted: leaving is all there is
)

// CancelDecision is what a cancel would do now: for the button, the dialog and the deed alike.
type CancelDecision struct {
	Effect CancelEffect
	State  CancelState
	Force  CancelForce
	Reason string       // why the button is disabled or hidden
	Others []Subscriber // who else is subscribed
	Err    error        // what the deed would return; nil if it would be done
}

// CancelOpts says how to cancel.
type CancelOpts struct {
	// Client names the caller's browser tab or the like, for types whose subscriptions are per client. Default none.
	Client string
	// Expect is the effect the caller was shown; if it would now be another, nothing is done and the error is an
	// [*ExpectError]. Default: whatever the rules say.
	Expect CancelEffect
	// Force stops a shared task for everybody. Admins only. Default false.
	Force bool
}

// Actor is who cancels: a principal, or the host.
type Actor struct {
	Principal Principal
	Host      bool     // Go code without a principal: an admin who is not subscribed
	Types     []string // as in Viewer
}

// ActorFrom returns who acts in ctx.
func ActorFrom(ctx context.Context) Actor {
	p, ok := PrincipalFrom(ctx)
	return Actor{Principal: p, Host: !ok, Types: onlyTypes(ctx)}
}

func (a Actor) admin() bool { return a.Host || a.Principal.Admin }

func (a Actor) viewer() Viewer {
	return Viewer{All: a.admin(), Kind: a.Principal.Kind, ID: a.Principal.ID, Types: a.Types}
}

// by is the name kept with an abort.
func (a Actor) by() Principal {
	if a.Host {
		return Principal{ID: HostName, Name: HostName}
	}
	return Principal{Kind: a.Principal.Kind, ID: a.Principal.ID, Name: a.Principal.Name}
}

// DecideCancel is the table of S7, first match wins. It reads nothing but its arguments: the same function draws the
// button, writes the dialog and, with the row locked, does the deed. The task must carry its subscribers.
func DecideCancel(t *Task, a Actor, o CancelOpts) CancelDecision {
	me := t.subscriber(a.Principal.Kind, a.Principal.ID)
	shared := t.Scope == ScopeShared
	d := CancelDecision{State: CancelAvailable, Force: ForceNone}
	for _, s := range t.Subscribers {
		if me == nil || s.Kind != me.Kind || s.ID != me.ID {
			d.Others = append(d.Others, s)
		}
	}
	switch {
	case !a.viewer().Sees(t): // 1
		return CancelDecision{State: CancelHidden, Force: ForceNone, Err: ErrNotFound}
	case o.Force && !a.admin(): // 2
		return d.refuse(CancelHidden, fmt.Errorf("%w: only an admin can force", ErrForbidden))
	case t.Status.Terminal(): // 3
		return d.refuse(CancelHidden, ErrFinished)
	case !o.Force && me != nil && t.PerClient && o.Client != "" && hasOther(me.Clients, o.Client): // 4
		d.Effect = EffectDetach
	case shared && len(d.Others) > 0 && me != nil && !o.Force: // 5
		d.Effect = EffectUnsubscribe
	case shared && me == nil && !o.Force: // 6
		d.Effect, d.Err = EffectAbort, errUseForce
	default: // 7
		d.Effect = EffectAbort
	}
	canAbort := t.Status != StatusInProgress || t.Abortable
	switch {
	case shared && me == nil:
		d.Force = ForceRequired
	case shared && len(d.Others) > 0 && a.admin() && canAbort:
		d.Force = ForceOptional
	case shared && len(d.Others) > 0 && a.admin():
		d.Force = ForceUnavailable
	}
	switch {
	case t.Status == StatusAborting:
		d.State, d.Reason = CancelHidden, "the task is aborting already"
	case d.Effect == EffectAbort && !canAbort:
		useForce := d.Err // comes first
		d = d.refuse(CancelDisabled, ErrNotAbortable)
		d.Err = or(useForce, d.Err)
	}
	if d.Err == nil && o.Expect != EffectNone && o.Expect != d.Effect {
		d.Err = &ExpectError{Expected: o.Expect, Now: d.Effect}
	}
	return d
}

var errUseForce = fmt.Errorf("%w: you do not follow this task; use force to stop it for everyone", ErrForbidden)

func (d CancelDecision) refuse(state CancelState, err error) CancelDecision {
	d.State, d.Reason, d.Err = state, err.Error(), err
	return d
}

func hasOther(clients []string, this string) bool {
	return slices.ContainsFunc(clients, func(c string) bool { return c != this })
}

// deed is what the store writes for a decision that may be carried out.
func (d CancelDecision) deed(t *Task, a Actor, o CancelOpts) Deed {
	switch {
	case d.Effect == EffectAbort && t.Status != StatusAborting:
		return Deed{Kind: DeedAbort, By: a.by()}
	case d.Effect == EffectUnsubscribe:
		return Deed{Kind: DeedLeave, By: a.by()}
	case d.Effect == EffectDetach:
		return Deed{Kind: DeedDetach, By: a.by(), Client: o.Client}
	}
	return Deed{Kind: DeedNone}
}

// Canceled answers a cancel.
type Canceled struct {
	Effect CancelEffect
	Task   *Task // as it is now
}

// Cancel asks for a task to stop, or takes the caller off it: the principal of ctx, or the host (S7). It returns when
// the request is stored, not when the task has stopped; use Wait for that. nil opts are the zero options.
//
// Errors: ErrNotFound, ErrForbidden, ErrFinished, ErrNotAbortable, ErrConflict.
func (c *Client) Cancel(ctx context.Context, id ID, opts *CancelOpts) (*Canceled, error) {
	var o CancelOpts
	if opts != nil {
		o = *opts
	}
	var bad problems
	checkClient(&bad, "client", o.Client)
	switch o.Expect {
	case EffectNone, EffectAbort, EffectUnsubscribe, EffectDetach:
	default:
		bad.add("expect", "is %.30q, must be %q, %q or %q", string(o.Expect), EffectAbort, EffectUnsubscribe, EffectDetach)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	actor := ActorFrom(ctx)
	var decision CancelDecision
	var deed Deed
	var before Status
	task, err := c.store.Cancel(ctx, id, func(t *Task) (Deed, error) {
		decision = DecideCancel(t, actor, o)
		deed, before = decision.deed(t, actor, o), t.Status
		return deed, decision.Err
	})
	if err != nil {
		return nil, fmt.Errorf("cancel task %s: %w", id, err)
	}
	c.announceCancel(task, before, deed)
	task.redact(actor.viewer(), c.cfg.ShowStackTrace)
	return &Canceled{Effect: decision.Effect, Task: task}, nil
}

// announceCancel sends what the deed calls for, after its commit.
func (c *Client) announceCancel(t *Task, before Status, deed Deed) {
	switch {
	case t.Status == StatusAborting: // also when it was aborting before: the first signal may have been lost
		c.hub.publish(Signal{Kind: SignalAbort, ID: t.ID})
	case t.Status != before:
		c.hub.publish(Signal{Kind: SignalFinished, ID: t.ID})
	}
	if deed.Kind != DeedNone {
		c.hub.publish(Signal{Kind: SignalChanged, ID: t.ID})
	}
	if t.Status != before {
		c.observe(Event{Kind: EventTransition, ID: t.ID, Type: t.Type, Queue: t.Queue, From: before, Status: t.Status})
		c.log.Info("task cancelled", "task", t.ID, "type", t.Type, "status", t.Status, "by", deed.By.DisplayName())
	}
}
