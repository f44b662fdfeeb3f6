package conduct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/globaltask/gtf/internal/servers"
	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/journal"
	"github.com/globaltask/gtf/internal/torture/load"
)

// slot is where one process runs after the other.
type slot struct {
	role  load.Role
	index int
	proxy *servers.Proxy // its network to the database; nil if there is none
	store string         // through that

	mu      sync.Mutex
	child   *child
	started int
	pause   time.Duration // before the next one
	busy    bool          // a fault that lasts is under way
	over    bool          // there is no next one
}

// child is one process.
type child struct {
	name  string
	cmd   *exec.Cmd
	words io.WriteCloser
	done  chan struct{}
	kill  atomic.Bool // it is the conductor that ends it
	hung  atomic.Bool // because it did not end when it was asked to
	asked atomic.Bool // it was asked to end
}

// spawner starts processes from one thread that lives as long as the program: Linux ends a process with the thread that
// started it, which is how none outlives the conductor.
type spawner chan func()

func newSpawner() spawner {
	s := make(spawner)
	go func() {
		runtime.LockOSThread() // and never unlocked
		for start := range s {
			start()
		}
	}()
	return s
}

func (s spawner) start(cmd *exec.Cmd) error {
	done := make(chan error)
	s <- func() { done <- cmd.Start() }
	return <-done
}

// keep has a process run in the slot until that is over.
func (s *stage) keep(ctx context.Context, sl *slot) {
	for ctx.Err() == nil {
		c, err := s.spawn(sl)
		if err != nil {
			s.problem(err)
		}
		if c == nil {
			return
		}
		<-c.done
		sl.mu.Lock()
		sl.child = nil
		pause := sl.pause
		sl.mu.Unlock()
		wait(ctx, pause)
	}
}

// spawn starts the next process; none if there is to be none.
func (s *stage) spawn(sl *slot) (*child, error) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.over {
		return nil, nil
	}
	sl.started++
	c := &child{name: fmt.Sprintf("%.1s%d.%d", sl.role, sl.index, sl.started), done: make(chan struct{})}
	job, err := json.Marshal(load.Job{
		Name: c.name, Role: sl.role, Dir: s.dir, Store: sl.store, Signals: s.signals, Timing: s.o.Timing,
		Seed: s.o.Seed + uint64(1000*sl.index+sl.started), Rate: s.o.Rate / float64(s.o.Submitters),
	})
	if err != nil {
		return nil, err
	}
	log, err := os.Create(load.LogFile(s.dir, c.name))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has it open by itself
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c.cmd = exec.CommandContext(context.WithoutCancel(context.Background()), self)
	c.cmd.Env = append(os.Environ(), load.Variable+"="+string(job))
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.words, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.spawner.start(c.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	s.journal.Write(journal.Event{Kind: journal.Spawn, Who: c.name})
	sl.child = c
	s.children.Go(func() {
		defer close(c.done)
		err := c.cmd.Wait()
		e := journal.Event{Kind: journal.Dead, Who: c.name, How: check.HowExited}
		if c.kill.Load() && !c.hung.Load() {
			e.How = check.HowKilled
		} else if err != nil || !c.asked.Load() {
			s.problem(fmt.Errorf("%s has ended by itself: %s", c.name, c.cmd.ProcessState))
		}
		s.journal.Write(e)
	})
	return c, nil
}

// current is the process of the slot; nil if there is none at the moment.
func (sl *slot) current() *child {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return sl.child
}

// last lets no other process follow.
func (sl *slot) last() *child {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.over = true
	return sl.child
}

// reserve is for faults that last: one at a time for a slot.
func (sl *slot) reserve() bool {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	was := sl.busy
	sl.busy = true
	return !was
}

func (sl *slot) free() {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.busy = false
}

// signal is harmless if the process has ended.
func (c *child) signal(sig syscall.Signal) error {
	if err := c.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", c.name, err)
	}
	return nil
}

func (c *child) say(word string) {
	_, _ = io.WriteString(c.words, word+"\n") // it may have ended
}

// ends waits for the end of a process that was asked to. One that does not is made to tell what it does, and killed.
func (s *stage) ends(c *child, patience time.Duration) {
	select {
	case <-c.done:
		return
	case <-time.After(patience):
	}
	s.problem(fmt.Errorf("%s was asked to end and has not done so within %v: its goroutines are in %s", c.name, patience, load.LogFile(s.dir, c.name)))
	c.hung.Store(true)
	_ = c.signal(syscall.SIGCONT)
	_ = c.signal(syscall.SIGQUIT)
	select {
	case <-c.done:
	case <-time.After(5 * time.Second):
		_ = c.signal(syscall.SIGKILL)
		<-c.done
	}
}

// wait tells whether the time has passed; false if ctx has ended before.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
