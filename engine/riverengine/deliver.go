package riverengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/riverqueue/river"

	"github.com/globaltask/gtf"
)

const (
	// patient is how often a job comes back after short pauses. Then each doubles, up to pauseMax: nobody can run it, it seems.
	patient  = 8
	pauseMax = time.Minute
	// abandoned is when a running job counts as one whose process is gone. Its task is long taken care of, so this only clears
	// the table; if it runs after all, the copy finds that out and is dropped.
	abandoned = 24 * time.Hour
)

// Deliver runs a River client until ctx ends. River fetches only what it has slots for. Above 10,000 slots of one queue it
// has that many.
//
// The context of deliver does not end: who stops what runs is for gtf to say, so River may neither time out nor cancel it. A
// job cancelled by River's tools comes back with the sweep, if its task is pending still.
func (e *Engine) Deliver(ctx context.Context, queues map[string]int, deliver func(ctx context.Context, id gtf.ID) error) error {
	cfg := e.config()
	cfg.JobTimeout = -1
	cfg.RescueStuckJobsAfter = abandoned
	cfg.SoftStopTimeout = math.MaxInt64 // wait for what runs; gtf asks it to stop
	cfg.Queues = make(map[string]river.QueueConfig, len(queues))
	for name, slots := range queues {
		cfg.Queues[queueName(name)] = river.QueueConfig{MaxWorkers: min(slots, river.QueueNumWorkersMax)}
	}
	cfg.Workers = river.NewWorkers()
	river.AddWorker(cfg.Workers, &worker{deliver: deliver, over: ctx.Done(), poll: e.opts.FetchPollInterval})
	client, err := river.NewClient(e.pgx, cfg)
	if err != nil {
		return fmt.Errorf("make a River client: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start a River client: %w", explain(err))
	}
	<-client.Stopped() // soon after the end of ctx, when every job has returned
	return nil
}

type worker struct {
	river.WorkerDefaults[job]
	deliver func(ctx context.Context, id gtf.ID) error
	over    <-chan struct{} // nothing more is to begin
	poll    time.Duration
}

// Work delivers one job. An error of gtf is no error of River's: the job is put back, for ever.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	select {
	case <-w.over: // fetched while the client began to stop
		return river.JobSnooze(0)
	default:
	}
	err := w.deliver(context.WithoutCancel(ctx), j.Args.ID)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gtf.ErrDisabled): // this process goes on looking: the slot is held, or it would turn over the whole queue
		hold := w.pause() / 2
		select {
		case <-w.over:
		case <-time.After(hold):
		}
		return river.JobSnooze(hold)
	}
	return river.JobSnooze(w.again(j.Metadata))
}

// pause has a job come back right after this process has looked again, so that the others, who may be able to run it, look
// first. After another pause it could be met by the same process each time.
func (w *worker) pause() time.Duration { return w.poll * 9 / 8 } // River's looks are up to a tenth late

// again is the pause of a job that may have had some before: River counts them.
func (w *worker) again(metadata []byte) time.Duration {
	var before struct {
		Snoozes int `json:"snoozes"`
	}
	_ = json.Unmarshal(metadata, &before) // none, then
	doublings := min(max(before.Snoozes-patient, 0), 10)
	return min(w.pause()<<doublings, max(w.pause(), pauseMax))
}

// Timeout is none while a job runs here. River's rescuer, which leaves jobs without one alone, gets another answer about those
// that were fetched too long ago.
func (w *worker) Timeout(j *river.Job[job]) time.Duration {
	if j.AttemptedAt != nil && time.Since(*j.AttemptedAt) >= abandoned {
		return time.Nanosecond
	}
	return -1
}

// NextRetry is for jobs that were rescued.
func (w *worker) NextRetry(*river.Job[job]) time.Time { return time.Now().Add(w.pause()) }
