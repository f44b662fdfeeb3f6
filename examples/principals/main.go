// Command principals shows who sees a task and what a cancel by them does. A person sees the tasks they follow and nothing
// else; a cancel leaves a shared task that others follow, and aborts one that nobody else wants.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Index is private, the default: it belongs to whoever asked for it. Report is for everybody who asks for the same one.
var (
	Index  = gtf.Define[string, struct{}]("mail.index", nil)
	Report = gtf.Define[string, struct{}]("report.render", &gtf.DefineOpts[string]{
		Key:   func(name string) string { return name },
		Scope: gtf.ScopeShared,
	})
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	store, err := sqlitestore.Open(ctx, ":memory:", nil)
	if err != nil {
		return err
	}
	client, err := gtf.New(store, nil) // nobody works: pending tasks are enough to show it
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()

	ada := gtf.WithPrincipal(ctx, gtf.Principal{ID: "ada", Name: "Ada"})
	grace := gtf.WithPrincipal(ctx, gtf.Principal{ID: "grace", Name: "Grace"})
	admin := gtf.WithPrincipal(ctx, gtf.Principal{ID: "root", Name: "Root", Admin: true})
	return errors.Join(
		visibility(ada, grace, client),
		leaveOrAbort(ada, grace, client),
		force(ada, grace, admin, client),
	)
}

func visibility(ada, grace context.Context, client *gtf.Client) error {
	h, err := Index.Schedule(ada, client, "inbox", nil)
	if err != nil {
		return err
	}
	if _, err := client.Get(ada, h.ID); err != nil {
		return err
	}
	_, err = client.Get(grace, h.ID)
	fmt.Println("Ada sees her task; for Grace there is none:", errors.Is(err, gtf.ErrNotFound))
	return nil
}

func leaveOrAbort(ada, grace context.Context, client *gtf.Client) error {
	h, err := Report.Schedule(ada, client, "sales", nil)
	if err != nil {
		return err
	}
	if _, err := Report.Schedule(grace, client, "sales", nil); err != nil {
		return err
	}
	task, err := client.Get(grace, h.ID)
	if err != nil {
		return err
	}
	would := gtf.DecideCancel(task, gtf.ActorFrom(grace), gtf.CancelOpts{}) // what a button would say
	fmt.Printf("Grace would %s, %s stays\n", would.Effect, would.Others[0].Name)

	did, err := h.Cancel(grace, &gtf.CancelOpts{Expect: would.Effect}) // refused if it would now do something else
	if err != nil {
		return err
	}
	fmt.Printf("Grace: %s, the task is %s\n", did.Effect.Action(), did.Task.Status)
	if did, err = h.Cancel(ada, nil); err != nil {
		return err
	}
	fmt.Printf("Ada: %s, the task is %s\n", did.Effect.Action(), did.Task.Status)
	return nil
}

func force(ada, grace, admin context.Context, client *gtf.Client) error {
	h, err := Report.Schedule(ada, client, "costs", nil)
	if err != nil {
		return err
	}
	if _, err := Report.Schedule(grace, client, "costs", nil); err != nil {
		return err
	}
	_, err = h.Cancel(admin, nil)
	fmt.Println("an admin who does not follow it may not by mistake:", errors.Is(err, gtf.ErrForbidden))
	did, err := h.Cancel(admin, &gtf.CancelOpts{Force: true})
	if err != nil {
		return err
	}
	fmt.Printf("with force: %s for both, by %s\n", did.Effect.Action(), did.Task.AbortedBy.Name)
	return nil
}

// Output:
// Ada sees her task; for Grace there is none: true
// Grace would unsubscribe, Ada stays
// Grace: unsubscribed, the task is pending
// Ada: aborted, the task is aborted
// an admin who does not follow it may not by mistake: true
// with force: aborted for both, by Root
