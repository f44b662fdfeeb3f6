package conduct

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/globaltask/gtf/internal/servers"
	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/journal"
	"github.com/globaltask/gtf/internal/torture/load"
)

// drainPatience is more than a process may take to stop: its grace, the handlers, and a database that is away.
const drainPatience = 30 * time.Second

// inflict does a fault, and heals it when its time or ctx is over.
func (s *stage) inflict(ctx context.Context, f *fault) {
	switch f.how {
	case check.FaultKill, check.FaultDrain, check.FaultStop, check.FaultCut:
		sl := s.slot(f)
		if c := sl.current(); c != nil {
			s.harm(ctx, f, sl, c)
		}
	case check.FaultCancels:
		s.tell(f, load.WordCancels)
	case check.FaultTimeouts:
		s.tell(f, load.WordTimeouts)
	case check.FaultBurst:
		s.tell(f, load.WordBurst)
	default:
		s.harmServer(ctx, f)
	}
}

func (s *stage) slot(f *fault) *slot {
	if f.role == load.Submitter {
		return s.submitters[f.slot]
	}
	return s.workers[f.slot]
}

// note writes down that a fault begins; the answer that it is over.
func (s *stage) note(f *fault, who string) (healed func()) {
	call := s.calls.Add(1)
	s.journal.Write(journal.Event{Kind: journal.Fault, Call: call, How: f.how, Who: who, For: int64(f.length)})
	return func() { s.journal.Write(journal.Event{Kind: journal.Healed, Call: call, How: f.how, Who: who}) }
}

// harm is done to one process.
func (s *stage) harm(ctx context.Context, f *fault, sl *slot, c *child) {
	sl.mu.Lock()
	sl.pause = f.pause
	sl.mu.Unlock()
	switch f.how {
	case check.FaultKill:
		s.note(f, c.name)
		c.kill.Store(true)
		s.check(c.signal(syscall.SIGKILL))
	case check.FaultDrain:
		if c.asked.Swap(true) {
			return
		}
		s.note(f, c.name)
		s.check(c.signal(syscall.SIGTERM))
		s.ends(c, drainPatience)
	case check.FaultStop:
		if !sl.reserve() {
			return
		}
		defer sl.free()
		healed := s.note(f, c.name)
		s.check(c.signal(syscall.SIGSTOP))
		select {
		case <-c.done:
		case <-ctx.Done():
		case <-time.After(f.length):
		}
		s.check(c.signal(syscall.SIGCONT))
		healed()
	case check.FaultCut:
		s.cut(ctx, f, sl, c)
	}
}

// cut takes the network away, in one of several ways. It also hits whoever follows the process meanwhile.
func (s *stage) cut(ctx context.Context, f *fault, sl *slot, c *child) {
	if sl.proxy == nil || !sl.reserve() {
		return
	}
	defer sl.free()
	healed := s.note(f, c.name)
	defer healed()
	if f.variant < 30 {
		sl.proxy.CutReplies() // what is asked still happens
	} else {
		sl.proxy.Cut()
	}
	wait(ctx, f.length)
	if f.variant%3 == 0 {
		sl.proxy.Reset() // nothing of what was under way arrives
	}
	sl.proxy.Heal()
}

// harmServer is done to a server, or to everybody at once.
func (s *stage) harmServer(ctx context.Context, f *fault) {
	if !s.server.TryLock() { // one at a time
		return
	}
	defer s.server.Unlock()
	healed := s.note(f, "")
	defer healed()
	healing := context.WithoutCancel(ctx)
	switch f.how {
	case check.FaultHog:
		s.check(s.db.Hog(ctx, f.length))
	case check.FaultTerminate:
		_, err := s.db.Terminate(healing)
		s.check(err)
	case check.FaultRestart, check.FaultImmediate:
		mode := servers.Fast
		if f.how == check.FaultImmediate {
			mode = servers.Immediate
		}
		s.check(s.postgres.Halt(healing, mode))
		wait(ctx, f.length)
		s.check(s.postgres.Start(healing))
	case check.FaultRedis:
		s.redis.Kill()
		wait(ctx, f.length)
		s.check(s.redis.Start(healing))
	}
}

// tell has every submitter do something.
func (s *stage) tell(f *fault, word string) {
	s.note(f, "")
	for _, sl := range s.submitters {
		if c := sl.current(); c != nil {
			c.say(word)
		}
	}
}

// check is for what the test itself cannot do.
func (s *stage) check(err error) {
	if err != nil {
		s.problem(fmt.Errorf("the test itself: %w", err))
	}
}
