package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// finding is one thing that was looked at.
type finding struct {
	Level level  `json:"level"`
	About string `json:"about"`
	Text  string `json:"text"`
}

type level string

const (
	levelOK      level = "ok"
	levelWarning level = "warning" // worth knowing, or right again by itself
	levelProblem level = "problem" // somebody has to do something
)

type findings []finding

func (f *findings) ok(about, format string, args ...any) { f.add(levelOK, about, format, args...) }
func (f *findings) warn(about, format string, args ...any) {
	f.add(levelWarning, about, format, args...)
}
func (f *findings) wrong(about, format string, args ...any) {
	f.add(levelProblem, about, format, args...)
}

func (f *findings) add(l level, about, format string, args ...any) {
	*f = append(*f, finding{l, about, fmt.Sprintf(format, args...)})
}

// examine looks at the workers and at what waits for them, by reading only. An error is the store's.
func examine(ctx context.Context, store gtf.Store, cfg gtf.Config) (findings, error) {
	workers, err := store.Workers(ctx)
	if err != nil {
		return nil, err
	}
	backlog, err := store.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	var f findings
	alive := examineWorkers(&f, workers, cfg)
	examineBacklog(&f, backlog, alive)
	return f, nil
}

// examineWorkers returns those that work on queues and are not silent for too long.
func examineWorkers(f *findings, workers []gtf.Worker, cfg gtf.Config) []gtf.Worker {
	var alive []gtf.Worker
	running, slots, inline, lost := 0, 0, 0, 0
	for _, w := range workers {
		switch {
		case w.Lost:
			lost++
			continue
		case w.Silence > cfg.WorkerTimeout:
			f.wrong("workers", "worker %s has been silent for %s; its tasks are taken from it when a worker or serve runs",
				workerName(w), term.Duration(w.Silence))
			continue
		case w.Silence > 2*cfg.Heartbeat:
			f.warn("workers", "worker %s has been silent for %s", workerName(w), term.Duration(w.Silence))
		}
		if len(w.Queues) == 0 {
			inline++
			continue
		}
		alive = append(alive, w)
		running += w.Running
		for _, n := range w.Queues {
			slots += n
		}
	}
	if len(alive) == 0 {
		f.warn("workers", "no worker is alive: what is scheduled will wait")
	} else {
		f.ok("workers", "%s alive, %s running, %s", term.Plural(len(alive), "worker is", "workers are"),
			term.Plural(running, "task", "tasks"), term.Plural(slots, "slot", "slots"))
	}
	if inline > 0 {
		f.ok("workers", "%s inline", term.Plural(inline, "process runs tasks", "processes run tasks"))
	}
	if lost > 0 {
		f.ok("workers", "%s on record, their tasks taken over", term.Plural(lost, "lost worker", "lost workers"))
	}
	return alive
}

// examineBacklog names the pending tasks that nobody alive would take (S2.3).
func examineBacklog(f *findings, backlog []gtf.Backlog, alive []gtf.Worker) {
	types, queues, both := map[string]bool{}, map[string]bool{}, map[[2]string]bool{}
	for _, w := range alive {
		for _, typ := range w.Types {
			types[typ] = true
			for queue := range w.Queues {
				queues[queue] = true
				both[[2]string{queue, typ}] = true
			}
		}
	}
	due, later := 0, 0
	var oldest time.Duration
	for _, b := range backlog {
		due, later, oldest = due+b.Due, later+b.Later, max(oldest, b.Oldest)
		if both[[2]string{b.Queue, b.Type}] {
			continue
		}
		pending := term.Plural(b.Due+b.Later, "pending task", "pending tasks")
		switch {
		case !types[b.Type]:
			f.wrong("queues", "%s of type %s in queue %s: no live worker handles the type", pending, b.Type, b.Queue)
		case !queues[b.Queue]:
			f.wrong("queues", "%s of type %s in queue %s: no live worker works on the queue (those that live have %v)",
				pending, b.Type, b.Queue, slices.Sorted(maps.Keys(queues)))
		default:
			f.wrong("queues", "%s of type %s in queue %s: no live worker that works on the queue handles the type", pending, b.Type, b.Queue)
		}
	}
	switch {
	case due > 0:
		f.ok("queues", "%s due, the oldest for %s; %s later", term.Plural(due, "pending task is", "pending tasks are"), term.Duration(oldest), term.Number(later))
	default:
		f.ok("queues", "nothing is waiting; %s due later", term.Plural(later, "task is", "tasks are"))
	}
}
