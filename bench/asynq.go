package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

// asynqTasks is asynq on Redis.
type asynqTasks struct {
	at      *place
	options asynq.RedisClientOpt
	submits *asynq.Client
	looks   *asynq.Inspector
	works   *asynq.Server
}

// What was tuned; docs/benchmarks.md has the reasons.
const asynqPoll = time.Millisecond

const (
	asynqNoop  = "noop"
	asynqQueue = "default"
)

var _ polled = (*asynqTasks)(nil)

func (*asynqTasks) Key() string  { return "asynq" }
func (*asynqTasks) Name() string { return "asynq" }
func (*asynqTasks) On() engine   { return redis }

func (a *asynqTasks) Prepare(_ context.Context, at *place) error {
	a.at = at
	parsed, err := asynq.ParseRedisURI(at.RedisURL)
	if err != nil {
		return fmt.Errorf("parse the URL of Redis: %w", err)
	}
	options, ok := parsed.(asynq.RedisClientOpt)
	if !ok {
		return fmt.Errorf("asynq is measured on one Redis, not on %T", parsed)
	}
	a.options = options
	a.submits = asynq.NewClient(options)
	a.looks = asynq.NewInspector(options)
	return nil
}

func (a *asynqTasks) Submit(ctx context.Context) error {
	_, err := a.submits.EnqueueContext(ctx, asynq.NewTask(asynqNoop, nil))
	return err
}

func (*asynqTasks) SubmitMany(context.Context, int) error { return errors.ErrUnsupported }

func (a *asynqTasks) Work(_ context.Context, t *tally) error {
	a.works = asynq.NewServer(a.options, asynq.Config{
		Concurrency: a.at.Slots, TaskCheckInterval: asynqPoll, LogLevel: asynq.FatalLevel,
	})
	return a.works.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		t.run()
		return nil
	}))
}

func (a *asynqTasks) Unfinished(context.Context) (int, error) {
	info, err := a.looks.GetQueueInfo(asynqQueue)
	if err != nil {
		return 0, fmt.Errorf("count asynq's tasks: %w", err)
	}
	return info.Size, nil // what succeeded is deleted
}

func (a *asynqTasks) Stop(context.Context) error {
	a.works.Shutdown()
	return nil
}

func (a *asynqTasks) Close(context.Context) error {
	return errors.Join(a.submits.Close(), a.looks.Close())
}
