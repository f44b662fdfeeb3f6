package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
)

// dbosWorkflows is DBOS: each task is a workflow without steps on a queue.
type dbosWorkflows struct {
	at      *place
	submits dbos.Client
	works   dbos.Context
}

// What was tuned; docs/benchmarks.md has the reasons.
const dbosPoll = time.Millisecond

const (
	dbosApp   = "bench"
	dbosNoop  = "noop"
	dbosQueue = "bench"
)

var _ polled = (*dbosWorkflows)(nil)

func (*dbosWorkflows) Key() string  { return "dbos" }
func (*dbosWorkflows) Name() string { return "DBOS" }
func (*dbosWorkflows) On() engine   { return postgres }

func (d *dbosWorkflows) Prepare(ctx context.Context, at *place) error {
	d.at = at
	migrated, err := dbos.NewContext(ctx, d.config()) // a client does not migrate
	if err != nil {
		return fmt.Errorf("migrate DBOS: %w", err)
	}
	_, err = dbos.RegisterQueue(migrated, dbosQueue, dbos.WithWorkerConcurrency(at.Slots), dbos.WithQueueBasePollingInterval(dbosPoll))
	if err = errors.Join(err, dbos.Shutdown(migrated, patience)); err != nil {
		return fmt.Errorf("make a DBOS queue: %w", err)
	}
	d.submits, err = dbos.NewClient(ctx, dbos.ClientConfig{AppName: dbosApp, DatabaseURL: d.at.DatabaseURL, Logger: slog.New(slog.DiscardHandler)})
	return err
}

func (d *dbosWorkflows) config() dbos.Config {
	return dbos.Config{
		AppName: dbosApp, ApplicationVersion: "1", DatabaseURL: d.at.DatabaseURL, Logger: slog.New(slog.DiscardHandler),
	}
}

// Submit does not hand on the context: DBOS takes none, its client is one.
func (d *dbosWorkflows) Submit(context.Context) error {
	_, err := dbos.Enqueue[struct{}](d.submits, dbosQueue, dbosNoop, struct{}{})
	return err
}

func (*dbosWorkflows) SubmitMany(context.Context, int) error { return errors.ErrUnsupported }

func (d *dbosWorkflows) Work(ctx context.Context, t *tally) error {
	works, err := dbos.NewContext(ctx, d.config())
	if err != nil {
		return fmt.Errorf("make a DBOS context: %w", err)
	}
	d.works = works
	dbos.RegisterWorkflow(works, func(dbos.Context, struct{}) (struct{}, error) {
		t.run()
		return struct{}{}, nil
	}, dbos.WithWorkflowName(dbosNoop))
	return dbos.Launch(works)
}

func (d *dbosWorkflows) Unfinished(context.Context) (int, error) {
	left, err := dbos.ListWorkflows(d.submits, dbos.WithFilterStatus(dbos.WorkflowStatusEnqueued, dbos.WorkflowStatusPending),
		dbos.WithFilterLoadInput(false), dbos.WithFilterLoadOutput(false), dbos.WithFilterLimit(1))
	if err != nil {
		return 0, fmt.Errorf("look for unfinished workflows of DBOS: %w", err)
	}
	return len(left), nil
}

func (d *dbosWorkflows) Stop(context.Context) error { return dbos.Shutdown(d.works, patience) }

func (d *dbosWorkflows) Close(context.Context) error { return dbos.Shutdown(d.submits, patience) }
