package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/pgstore"
)

// gtfTasks is gtf, as a program uses it that submits and executes in one process: one client for both.
type gtfTasks struct {
	key, name string
	nobody    bool // tasks without a subscriber
	apart     bool // submitted by a client and store of their own, as from another process

	at      *place
	stores  []gtf.Store
	submits *gtf.Client
	works   *gtf.Client
}

var gtfNoop = gtf.Define[struct{}, struct{}]("bench.noop", &gtf.DefineOpts[struct{}]{
	Scope: gtf.ScopeSystem, Description: "Does nothing, for measuring",
})

func (g *gtfTasks) Key() string  { return g.key }
func (g *gtfTasks) Name() string { return g.name }
func (g *gtfTasks) On() engine   { return postgres }

func (g *gtfTasks) Prepare(ctx context.Context, at *place) error {
	g.at = at
	store, err := g.open(ctx)
	if err != nil {
		return err
	}
	if g.submits, err = gtf.New(store, gtfConfig()); err != nil {
		return fmt.Errorf("make a gtf client: %w", err)
	}
	return nil
}

// open opens a store more on the database.
func (g *gtfTasks) open(ctx context.Context) (gtf.Store, error) {
	store, err := pgstore.Open(ctx, g.at.DatabaseURL, &pgstore.Options{Migrate: true})
	if err != nil {
		return nil, err
	}
	g.stores = append(g.stores, store)
	return store, nil
}

func gtfConfig() *gtf.Config {
	return &gtf.Config{Logger: slog.New(slog.DiscardHandler), Retention: gtf.None}
}

// by is on whose behalf tasks are submitted: whoever submits is subscribed, which is a row more.
func (g *gtfTasks) by(ctx context.Context) context.Context {
	if g.nobody {
		return ctx
	}
	return gtf.WithPrincipal(ctx, gtf.Principal{Kind: gtf.KindUser, ID: "bench"})
}

// client is the one to submit with.
func (g *gtfTasks) client() *gtf.Client {
	if g.works != nil && !g.apart {
		return g.works
	}
	return g.submits
}

func (g *gtfTasks) Submit(ctx context.Context) error {
	_, err := gtfNoop.Schedule(g.by(ctx), g.client(), struct{}{}, nil)
	return err
}

func (g *gtfTasks) SubmitMany(ctx context.Context, n int) error {
	_, err := gtfNoop.ScheduleMany(g.by(ctx), g.client(), make([]gtf.Item[struct{}], n))
	return err
}

func (g *gtfTasks) Work(ctx context.Context, t *tally) error {
	store := g.stores[0]
	if g.apart {
		var err error
		if store, err = g.open(ctx); err != nil {
			return err
		}
	}
	cfg := gtfConfig()
	cfg.Queues = map[string]int{"default": g.at.Slots}
	cfg.Observer = gtfOutcomes{t}
	cfg.Handlers = []gtf.Handler{gtfNoop.Handler(func(context.Context, struct{}) (struct{}, error) {
		t.run()
		return struct{}{}, nil
	})}
	works, err := gtf.New(store, cfg)
	if err != nil {
		return fmt.Errorf("make a gtf client: %w", err)
	}
	if err := works.Start(ctx); err != nil {
		return fmt.Errorf("start a gtf worker: %w", err)
	}
	g.works = works
	return nil
}

func (g *gtfTasks) Stop(ctx context.Context) error {
	err := g.works.Stop(ctx)
	g.works = nil
	for len(g.stores) > 1 { // the first is that of the submitting client
		err = errors.Join(err, g.stores[1].Close())
		g.stores = append(g.stores[:1], g.stores[2:]...)
	}
	return err
}

func (g *gtfTasks) Close(ctx context.Context) error {
	err := g.submits.Stop(ctx)
	for _, store := range g.stores {
		err = errors.Join(err, store.Close())
	}
	g.stores = nil
	return err
}

// gtfOutcomes counts the outcomes that are stored.
type gtfOutcomes struct{ t *tally }

// Observe implements gtf.Observer.
func (o gtfOutcomes) Observe(e gtf.Event) {
	if e.Kind == gtf.EventTransition && e.Status.Terminal() {
		o.t.end()
	}
}
