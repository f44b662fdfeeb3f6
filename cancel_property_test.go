package gtf_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf"
)

// stage is a store on which tasks are put into any state by what stores do, without anybody who executes.
type stage struct {
	*rapid.T
	gtf.Store
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// drawTask stores a task with random scope, subscribers, clients and status.
func (s *stage) drawTask(people []gtf.Principal) gtf.ID {
	ctx := context.Background()
	id := gtf.NewID()
	sub := gtf.Submission{
		ID: id, DedupKey: "key of " + id.String(), Type: "property.task", Key: "key", Mode: gtf.ModeAsync, Queue: id.String(), Priority: 5,
		MaxAttempts: 1, Backoff: gtf.Backoff{Base: time.Second, Max: time.Second}, Input: json.RawMessage("{}"),
		Scope:     rapid.SampledFrom([]gtf.Scope{gtf.ScopePrivate, gtf.ScopeShared, gtf.ScopeShared, gtf.ScopeSystem}).Draw(s.T, "scope"),
		PerClient: rapid.Bool().Draw(s.T, "per client"),
	}
	most := len(people)
	if sub.Scope == gtf.ScopePrivate {
		most = 1
	}
	for i, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, most, itselfP).Draw(s.T, "subscribers") {
		for j, client := range rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b"}), 1, 2).Draw(s.T, "clients") {
			joining := sub
			joining.By, joining.Client = p, client
			if i+j > 0 {
				joining.ID = gtf.NewID()
			}
			_, err := s.Submit(ctx, []*gtf.Submission{&joining})
			s.must(err)
		}
	}
	if _, err := s.Get(ctx, id, gtf.Viewer{All: true}); errors.Is(err, gtf.ErrNotFound) {
		_, err := s.Submit(ctx, []*gtf.Submission{&sub})
		s.must(err)
	}
	s.drawStatus(id)
	return id
}

func itselfP(p gtf.Principal) gtf.Principal { return p }

// drawStatus moves a pending task on.
func (s *stage) drawStatus(id gtf.ID) {
	ctx := context.Background()
	status := rapid.SampledFrom(gtf.Statuses()).Draw(s.T, "status")
	if status == gtf.StatusPending {
		return
	}
	claimed, err := s.Claim(ctx, &gtf.ClaimParams{
		Worker: "w", Queues: []gtf.QueueSlots{{Queue: id.String(), Free: 1}}, Types: []string{"property.task"},
	})
	s.must(err)
	ref := claimed.Jobs[0].Ref
	byTimeout := status == gtf.StatusTimedOut || rapid.Bool().Draw(s.T, "by timeout")
	if status == gtf.StatusInProgress && !rapid.Bool().Draw(s.T, "abortable") {
		return
	}
	_, err = s.Update(ctx, []gtf.Update{{Ref: ref, Abortable: true}})
	s.must(err)
	running, aborting := gtf.Outcome{Status: status}, gtf.Outcome{Status: status}
	switch status {
	case gtf.StatusInProgress:
		return
	case gtf.StatusAborting, gtf.StatusTimedOut, gtf.StatusAborted:
		running.Status, aborting.Status = gtf.StatusFailure, "" // by the row's reason
		if byTimeout && status != gtf.StatusAborted {
			_, err = s.Expire(ctx, ref)
		} else {
			_, err = s.Cancel(ctx, id, func(*gtf.Task) (gtf.Deed, error) { return gtf.Deed{Kind: gtf.DeedAbort}, nil })
		}
		s.must(err)
	}
	if status != gtf.StatusAborting {
		_, err = s.Finish(ctx, []gtf.Finish{{Update: gtf.Update{Ref: ref}, Running: running, Aborting: aborting}})
		s.must(err)
	}
}

func drawOpts(t *rapid.T) gtf.CancelOpts {
	return gtf.CancelOpts{
		Client: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "client"),
		Force:  rapid.Bool().Draw(t, "force"),
		Expect: rapid.SampledFrom([]gtf.CancelEffect{
			gtf.EffectNone, gtf.EffectNone, gtf.EffectAbort, gtf.EffectUnsubscribe, gtf.EffectDetach,
		}).Draw(t, "expect"),
	}
}

// One pure function decides for the button, the dialog and the deed (S7): whatever task, actor and options, what the
// function says of the row is what Cancel does to it.
func TestCancelDoesWhatWasDecided(t *testing.T) {
	t.Parallel()
	store := open(t)
	c := newClient(t, store, nil)
	people := []gtf.Principal{ada, guest, grace, {Kind: root.Kind, ID: root.ID, Name: root.Name}}
	actors := append([]gtf.Principal{root, {Kind: ada.Kind, ID: ada.ID, Name: ada.Name, Admin: true}, alan, {}}, people...)
	rapid.Check(t, func(rt *rapid.T) {
		s := &stage{rt, store}
		id := s.drawTask(people)
		before := get(t, c, id)
		ctx := gtf.WithPrincipal(context.Background(), rapid.SampledFrom(actors).Draw(rt, "actor"))
		opts := drawOpts(rt)

		decided := gtf.DecideCancel(before, gtf.ActorFrom(ctx), opts)
		_, seen := c.Get(ctx, id)
		done, err := c.Cancel(ctx, id, &opts)
		after := get(t, c, id)

		if errors.Is(err, gtf.ErrNotFound) != errors.Is(seen, gtf.ErrNotFound) {
			rt.Errorf("Cancel says %v where Get says %v (S7.1, S10.2)", err, seen)
		}
		if decided.Err != nil {
			if want := "cancel task " + id.String() + ": " + decided.Err.Error(); err == nil || err.Error() != want {
				rt.Errorf("Cancel returned %v, want %v as decided", err, decided.Err)
			}
			if after.Version != before.Version {
				rt.Errorf("a refused cancel changed the row")
			}
			return
		}
		if err != nil {
			rt.Fatalf("Cancel returned %v, want %s as decided", err, decided.Effect)
		}
		if done.Effect != decided.Effect || done.Task.Status != after.Status {
			rt.Errorf("Cancel did %s and showed %s, want %s and %s", done.Effect, done.Task.Status, decided.Effect, after.Status)
		}
		checkDeed(rt, before, after, gtf.ActorFrom(ctx), opts, decided)
	})
}

// checkDeed compares the row before and after with the effect.
func checkDeed(t *rapid.T, before, after *gtf.Task, who gtf.Actor, opts gtf.CancelOpts, d gtf.CancelDecision) {
	status, left := before.Status, subscribers(before)
	switch d.Effect {
	case gtf.EffectAbort:
		switch before.Status {
		case gtf.StatusPending:
			status = gtf.StatusAborted
		case gtf.StatusInProgress:
			status = gtf.StatusAborting
		}
		wantBy := who.Principal.ID
		if who.Host {
			wantBy = gtf.HostName
		}
		if before.Status != gtf.StatusAborting && after.AbortedBy.ID != wantBy {
			t.Errorf("aborted by %v, want %s", after.AbortedBy, wantBy)
		}
	case gtf.EffectUnsubscribe:
		me := string(who.Principal.Kind) + "/" + who.Principal.ID
		left = slices.DeleteFunc(left, func(s string) bool { return s == me })
		if len(left) == 0 {
			t.Error("the last subscriber left")
		}
	case gtf.EffectDetach:
		for _, s := range after.Subscribers {
			if s.Kind == who.Principal.Kind && s.ID == who.Principal.ID && (slices.Contains(s.Clients, opts.Client) || len(s.Clients) == 0) {
				t.Errorf("detached %s, and the clients are %v", opts.Client, s.Clients)
			}
		}
	default:
		t.Errorf("did %q without an error", d.Effect)
	}
	if after.Status != status || !slices.Equal(subscribers(after), left) {
		t.Errorf("%s: now %s with %v, want %s with %v", d.Effect, after.Status, subscribers(after), status, left)
	}
}

// What the button promises, the deed keeps: available is done, with force where the box is ticked for good; disabled is
// refused; hidden does not change the status.
func TestCancelButtonTellsTheTruth(t *testing.T) {
	t.Parallel()
	store := open(t)
	c := newClient(t, store, nil)
	people := []gtf.Principal{ada, guest, grace, {Kind: root.Kind, ID: root.ID, Name: root.Name}}
	rapid.Check(t, func(rt *rapid.T) {
		s := &stage{rt, store}
		id := s.drawTask(people)
		before := get(t, c, id)
		ctx := gtf.WithPrincipal(context.Background(), rapid.SampledFrom(append([]gtf.Principal{root, alan, {}}, people...)).Draw(rt, "actor"))
		opts := gtf.CancelOpts{Client: rapid.SampledFrom([]string{"", "a"}).Draw(rt, "client")}
		button := gtf.DecideCancel(before, gtf.ActorFrom(ctx), opts)

		opts.Force, opts.Expect = button.Force == gtf.ForceRequired, button.Effect
		_, err := c.Cancel(ctx, id, &opts)
		after := get(t, c, id)
		switch button.State {
		case gtf.CancelAvailable:
			if err != nil {
				rt.Errorf("the button promised %s, and Cancel returned %v", button.Effect, err)
			}
		case gtf.CancelDisabled:
			if !errors.Is(err, gtf.ErrNotAbortable) {
				rt.Errorf("the button was disabled, and Cancel returned %v", err)
			}
		case gtf.CancelHidden:
			if after.Status != before.Status {
				rt.Errorf("there was no button, and Cancel made %s of %s", after.Status, before.Status)
			}
		}
	})
}
