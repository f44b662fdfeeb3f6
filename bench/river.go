package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverJobs is River on pgx.
type riverJobs struct {
	at      *place
	pool    *pgxpool.Pool
	submits *river.Client[pgx.Tx]
	works   *river.Client[pgx.Tx]
	events  sync.WaitGroup
	ignore  func() // ends the subscription to events
}

// What was tuned; docs/benchmarks.md has the reasons.
const (
	riverCooldown = river.FetchCooldownMin
	riverPoll     = 50 * time.Millisecond
	riverConns    = 20
)

type riverNoop struct{}

// Kind implements river.JobArgs.
func (riverNoop) Kind() string { return "noop" }

func (*riverJobs) Key() string  { return "river" }
func (*riverJobs) Name() string { return "River" }
func (*riverJobs) On() engine   { return postgres }

func (r *riverJobs) Prepare(ctx context.Context, at *place) error {
	r.at = at
	cfg, err := pgxpool.ParseConfig(at.DatabaseURL)
	if err != nil {
		return fmt.Errorf("parse the database's URL: %w", err)
	}
	cfg.MaxConns = riverConns
	if r.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return fmt.Errorf("open River's pool: %w", err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(r.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	r.submits, err = river.NewClient(riverpgxv5.New(r.pool), r.config())
	return err
}

func (r *riverJobs) config() *river.Config {
	// The cooldown also bounds how often an insert notifies, so the submitting client needs it as well.
	return &river.Config{FetchCooldown: riverCooldown, FetchPollInterval: riverPoll, Logger: slog.New(slog.DiscardHandler)}
}

func (r *riverJobs) Submit(ctx context.Context) error {
	_, err := r.submits.Insert(ctx, riverNoop{}, nil)
	return err
}

func (r *riverJobs) SubmitMany(ctx context.Context, n int) error {
	jobs := make([]river.InsertManyParams, n)
	for i := range jobs {
		jobs[i].Args = riverNoop{}
	}
	_, err := r.submits.InsertManyFast(ctx, jobs)
	return err
}

func (r *riverJobs) Work(ctx context.Context, t *tally) error {
	workers := river.NewWorkers()
	err := river.AddWorkerSafely(workers, river.WorkFunc(func(context.Context, *river.Job[riverNoop]) error {
		t.run()
		return nil
	}))
	if err != nil {
		return fmt.Errorf("add a River worker: %w", err)
	}
	cfg := r.config()
	cfg.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: r.at.Slots}}
	cfg.Workers = workers
	if r.works, err = river.NewClient(riverpgxv5.New(r.pool), cfg); err != nil {
		return fmt.Errorf("make a River client: %w", err)
	}
	// Sent after the outcome is committed. Events that nobody takes in time are dropped, hence the size.
	ended, ignore := r.works.SubscribeConfig(&river.SubscribeConfig{ChanSize: 100_000, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	r.ignore = ignore
	r.events.Go(func() {
		for range ended {
			t.end()
		}
	})
	return r.works.Start(ctx)
}

func (r *riverJobs) Stop(ctx context.Context) error {
	err := r.works.Stop(ctx)
	r.ignore()
	r.events.Wait()
	return err
}

func (r *riverJobs) Close(context.Context) error {
	r.pool.Close()
	return nil
}
