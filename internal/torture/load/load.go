// Package load is what the processes of the torture test do: workers that execute, and submitters that submit, wait, watch,
// cancel and run inline. Everything they ask, are told and do goes into their journals.
//
//	load.go       a process from its beginning to its end
//	client.go     the client of a process, and what it is seen doing
//	kinds.go      the types of tasks
//	functions.go  what the tasks do
//	submitter.go  who submits what, and when
//	calls.go      one call of a submitter, and its answer
package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// Variable is the environment variable that makes a program a process of the load: it holds a [Job] as JSON.
const Variable = "TORTURE_JOB"

// Role says what a process does.
type Role string

const (
	Worker    Role = "worker"
	Submitter Role = "submitter"
)

// Job is what the conductor tells a process.
type Job struct {
	Name    string  `json:"name"`
	Role    Role    `json:"role"`
	Dir     string  `json:"dir"`     // of the journals
	Store   string  `json:"store"`   // sqlite:PATH or a PostgreSQL URL
	Signals string  `json:"signals"` // store, none, or a Redis URL
	Seed    uint64  `json:"seed"`
	Rate    float64 `json:"rate"` // submits a second
	Timing  Timing  `json:"timing"`
}

// Timing are the settings that everything else follows from.
type Timing struct {
	Heartbeat     time.Duration `json:"heartbeat"`
	Fence         time.Duration `json:"fence"`
	WorkerTimeout time.Duration `json:"worker_timeout"`
}

// What a process is told on its standard input, a word a line. Its end ends the process at once: the conductor is gone.
const (
	WordStop     = "stop"     // submit no more, wait for every answer, end
	WordCancels  = "cancels"  // cancel everything that you know
	WordTimeouts = "timeouts" // submit many tasks that run out of time
	WordBurst    = "burst"    // submit many tasks in one transaction
)

// Exit codes.
const (
	exitOK     = 0
	exitBroken = 1 // it could not do what it should
	exitAlone  = 2 // the conductor is gone
)

// Main is the whole process if the environment says so; else it returns at once.
func Main() {
	text, ok := os.LookupEnv(Variable)
	if !ok {
		return
	}
	var job Job
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		fmt.Fprintf(os.Stderr, "panic: read the job: %v\n", err)
		os.Exit(exitBroken)
	}
	if err := run(&job); err != nil {
		fmt.Fprintf(os.Stderr, "panic: %s: %v\n", job.Name, err)
		os.Exit(exitBroken)
	}
	os.Exit(exitOK)
}

// process is what workers and submitters have in common.
type process struct {
	job     *Job
	journal *journal.Writer
	log     *slog.Logger
	store   gtf.Store
	client  *gtf.Client
	hangUp  func() error // closes the signals
	words   chan string
}

func run(job *Job) error {
	j, err := journal.Create(job.Dir, job.Name)
	if err != nil {
		return err
	}
	// The journal is left open: a function that outlives the client still writes to it, and every line is written at once.
	p := &process{job: job, journal: j, log: slog.New(slog.NewTextHandler(os.Stderr, nil)), words: make(chan string)}
	j.Write(journal.Event{Kind: journal.Born})
	terminated, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go p.listen()
	go p.watchClock()
	if err := p.open(terminated); err != nil {
		if terminated.Err() != nil {
			j.Write(journal.Event{Kind: journal.Drain})
			return nil // it was told to end before it had begun
		}
		return err
	}
	dismiss := func() {}
	if job.Role == Submitter {
		s := newSubmitter(p)
		dismiss = s.dismiss
		s.submit(terminated)
	} else {
		p.work(terminated)
	}
	err = p.end()
	dismiss()
	return errors.Join(err, p.hangUp(), p.store.Close())
}

func (p *process) listen() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		p.words <- in.Text()
	}
	os.Exit(exitAlone)
}

// watchClock writes down when this process, or the machine, did not run for a while.
func (p *process) watchClock() {
	const tick, long = 20 * time.Millisecond, 200 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := journal.Now()
	for range ticker.C {
		now := journal.Now()
		if now-last > int64(long) {
			p.journal.Write(journal.Event{Kind: journal.Stall, Since: last})
		}
		last = now
	}
}

// retry repeats what needs the database until it succeeds: it may be away at the moment.
func retry(ctx context.Context, what string, do func(ctx context.Context) error) error {
	const patience, pause = 20 * time.Second, 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := attempt(ctx, do)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-time.After(pause):
		}
	}
}

func attempt(ctx context.Context, do func(ctx context.Context) error) error {
	const each = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	return do(ctx)
}

// open opens the store and makes the client.
func (p *process) open(ctx context.Context) error {
	err := retry(ctx, "open the store", func(ctx context.Context) (err error) {
		p.store, err = OpenStore(ctx, p.job.Store, false)
		return err
	})
	if err != nil {
		return err
	}
	var signals gtf.Signals
	err = retry(ctx, "open the signals", func(ctx context.Context) (err error) {
		signals, p.hangUp, err = p.openSignals(ctx)
		return err
	})
	if err != nil {
		return errors.Join(err, p.store.Close())
	}
	p.client, err = p.newClient(signals)
	return err
}

// work executes until it is told to end.
func (p *process) work(ctx context.Context) {
	if err := retry(ctx, "start", p.client.Start); err != nil {
		p.log.Error("cannot start", "error", err)
		return
	}
	p.journal.Write(journal.Event{Kind: journal.Working})
	select {
	case <-ctx.Done():
	case <-p.words: // there is only one for workers
	}
	p.journal.Write(journal.Event{Kind: journal.Drain})
}

// end stops the client.
func (p *process) end() error {
	const patience = 15 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := p.client.Stop(ctx)
	e := journal.Event{Kind: journal.Stopped}
	if err != nil {
		e.Error = err.Error()
	}
	p.journal.Write(e)
	return err
}

// LogFile is where a process writes what gtf logs.
func LogFile(dir, name string) string { return filepath.Join(dir, name+".log") }
