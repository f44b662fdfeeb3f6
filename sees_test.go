package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/globaltask/gtf"
)

// waysToSee are the ways in which somebody may come to see a task, and whether they do.
func waysToSee(ctx context.Context, t *testing.T, c *gtf.Client, id gtf.ID, since string) map[string]bool {
	t.Helper()
	answers := map[string]bool{}
	asked := func(how string, err error) {
		if err != nil && !errors.Is(err, gtf.ErrNotFound) {
			t.Errorf("%s: %v, want nothing or ErrNotFound", how, err)
		}
		answers[how] = err == nil
	}
	_, err := c.Get(ctx, id)
	asked("Get", err)
	_, err = c.Status(ctx, id)
	asked("Status", err)
	_, err = c.Logs(ctx, id, 0, 0)
	asked("Logs", err)
	for _, order := range []gtf.OrderColumn{gtf.OrderCreated, gtf.OrderType} {
		page := must[*gtf.TaskPage](t)(c.List(ctx, &gtf.ListParams{Order: order, PageSize: 100}))
		how := "List by " + string(order)
		if answers[how] = false; page.Count != len(page.Tasks) {
			t.Errorf("%s counts %d tasks and shows %d", how, page.Count, len(page.Tasks))
		}
		for _, task := range page.Tasks {
			answers[how] = answers[how] || task.ID == id
		}
	}
	filtered := must[*gtf.TaskPage](t)(c.List(ctx, &gtf.ListParams{
		Where: []gtf.Condition{{Column: gtf.FilterID, Op: gtf.OpEqual, Texts: []string{id.String()}}},
	}))
	answers["List by uuid"] = filtered.Count == 1 && len(filtered.Tasks) == 1
	told, _ := changed(ctx, t, c, gtf.ChangesParams{After: since})
	_, answers["Changes"] = told[id]
	return answers
}

// The rule in SQL and the rule in Go are one, for whoever looks and after whatever has happened (S10.2).
func TestEveryWayShowsTheSame(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := newClient(t, open(t), nil)
	begun := must[*gtf.Changes](t)(c.Changes(t.Context(), nil)).Cursor
	crowd := []gtf.Principal{ada, guest, grace, {Kind: gtf.KindGuest, ID: "8"}, {}}
	defs := []*gtf.Definition[string, string]{privateWork, sharedWork, systemWork}
	tasks := map[gtf.ID]bool{}
	for range 40 {
		who, def := crowd[rng.IntN(len(crowd))], defs[rng.IntN(3)]
		if who.IsZero() {
			def = defs[1+rng.IntN(2)] // a private task belongs to somebody
		}
		h := schedule(asOne(t.Context(), who), t, c, def, fmt.Sprint(rng.IntN(6)), nil)
		tasks[h.ID] = true
		if rng.IntN(3) == 0 {
			_, err := c.Cancel(asOne(t.Context(), crowd[rng.IntN(len(crowd))]), h.ID, nil)
			if err != nil && !errors.Is(err, gtf.ErrNotFound) && !errors.Is(err, gtf.ErrForbidden) {
				t.Fatal(err)
			}
		}
	}
	for _, who := range append(crowd, root, alan) {
		for _, types := range [][]string{nil, {sharedWork.Type()}, {privateWork.Type(), systemWork.Type(), "none"}, {}} {
			ctx := asOne(t.Context(), who)
			if types != nil {
				ctx = gtf.WithOnlyTypes(ctx, types...)
			}
			for id := range tasks {
				task := get(t, c, id)
				want := gtf.ViewerFrom(ctx).Sees(task)
				for how, got := range waysToSee(ctx, t, c, id, begun) {
					if got != want {
						t.Errorf("%+v, of types %v, sees a %s task of %v by %s: %v, want %v", who, types, task.Scope, subscribers(task), how, got, want)
					}
				}
			}
		}
	}
}

func TestOnlyTypes(t *testing.T) {
	t.Parallel()
	c := newClient(t, open(t), nil)
	mine := schedule(asOne(t.Context(), guest), t, c, privateWork, "a", nil).ID
	other := schedule(asOne(t.Context(), guest), t, c, sharedWork, "b", nil).ID
	for name, ctx := range map[string]context.Context{
		"a guest":  asOne(t.Context(), guest),
		"an admin": asOne(t.Context(), root),
		"the host": t.Context(),
	} {
		t.Run(name+" of some types cannot cancel others, nor be told of them", func(t *testing.T) {
			ctx := gtf.WithOnlyTypes(ctx, privateWork.Type())
			for _, opts := range []*gtf.CancelOpts{nil, {Force: true}, {Expect: gtf.EffectAbort}} {
				_, err := c.Cancel(ctx, other, opts)
				wantErr(t, fmt.Sprintf("Cancel with %+v", opts), err, gtf.ErrNotFound)
			}
			decision := gtf.DecideCancel(get(t, c, other), gtf.ActorFrom(ctx), gtf.CancelOpts{})
			if decision.State != gtf.CancelHidden || !errors.Is(decision.Err, gtf.ErrNotFound) || len(decision.Others) > 0 {
				t.Errorf("the decision is %+v, want nothing", decision)
			}
			if decision := gtf.DecideCancel(get(t, c, mine), gtf.ActorFrom(ctx), gtf.CancelOpts{}); decision.State != gtf.CancelAvailable {
				t.Errorf("of a type of theirs: %+v, want available", decision)
			}
			wantStatus(t, c, other, gtf.StatusPending)
		})
	}
	t.Run("no types are nothing, even to an admin", func(t *testing.T) {
		ctx := gtf.WithOnlyTypes(asOne(t.Context(), root))
		if page := must[*gtf.TaskPage](t)(c.List(ctx, nil)); page.Count != 0 || len(page.Tasks) != 0 {
			t.Errorf("an admin of no types lists %d tasks", page.Count)
		}
		_, err := c.Get(ctx, mine)
		wantErr(t, "Get", err, gtf.ErrNotFound)
	})
	t.Run("a cancel of a type of theirs goes through", func(t *testing.T) {
		done := must[*gtf.Canceled](t)(c.Cancel(gtf.WithOnlyTypes(asOne(t.Context(), guest), privateWork.Type()), mine, nil))
		if done.Effect != gtf.EffectAbort {
			t.Errorf("the effect is %q, want abort", done.Effect)
		}
	})
}
