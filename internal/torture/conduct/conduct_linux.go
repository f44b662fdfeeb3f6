package conduct

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/globaltask/gtf/internal/torture/load"
)

// ErrViolated says that a promise was not kept; the report tells which.
var ErrViolated = errors.New("the torture test has found violations")

// endPatience is how long the tasks may take to end when nothing goes wrong any more.
const endPatience = 60 * time.Second

// Run tortures. It returns nil if every promise was kept, [ErrViolated] if not, and the caller's error if ctx has ended.
// However it ends, no process and no server is left; the directory is, if there were violations.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.fill(); err != nil {
		return err
	}
	s, err := openStage(ctx, &o)
	if err != nil {
		return err
	}
	plan := makePlan(&o)
	fmt.Fprintf(o.Out, "torture: seed %d, store %s, signals %s, %d workers, %d submitters, %v, %d faults of %s\n  journals in %s\n", o.Seed,
		o.Store, o.Signals, o.Workers, o.Submitters, o.Duration, len(plan), strings.Join(o.Faults, ","), s.dir)
	v, err := s.play(ctx, plan)
	err = errors.Join(err, s.close())
	switch {
	case err != nil || ctx.Err() != nil:
		err = errors.Join(err, context.Cause(ctx))
	case v.print(s):
		err = ErrViolated
	}
	if errors.Is(err, ErrViolated) || o.Keep {
		fmt.Fprintf(o.Out, "journals, logs and database stay in %s\n", s.dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// play is the test from the first process to the last.
func (s *stage) play(ctx context.Context, plan []fault) (*verdict, error) {
	watched, unwatch := context.WithCancel(ctx)
	defer unwatch()
	var watching, keeping sync.WaitGroup
	watching.Go(func() { s.watchClock(watched) })
	watching.Go(func() { s.watchDatabase(watched) })
	if s.postgres != nil {
		watching.Go(func() { s.watchTransactions(watched) })
	}
	kept, abandon := context.WithCancel(ctx)
	defer abandon()
	for _, sl := range s.slots() {
		keeping.Go(func() { s.keep(kept, sl) })
	}
	s.torture(ctx, plan)
	if ctx.Err() != nil {
		abandon()
		s.killAll()
	} else {
		s.wind(ctx)
	}
	abandon()
	keeping.Wait()
	unwatch()
	watching.Wait()
	if ctx.Err() != nil {
		return nil, nil
	}
	return s.judge(ctx)
}

// torture does everything that is planned, each fault at its time.
func (s *stage) torture(ctx context.Context, plan []fault) {
	const report = 10 * time.Second
	begin := time.Now()
	ctx, heal := context.WithCancel(ctx)
	defer heal()
	var faults sync.WaitGroup
	defer faults.Wait()
	defer heal()
	next := report
	for i := range plan {
		for plan[i].at > next {
			if !wait(ctx, time.Until(begin.Add(next))) {
				return
			}
			s.progress(ctx, next, i, len(plan))
			next += report
		}
		if !wait(ctx, time.Until(begin.Add(plan[i].at))) {
			return
		}
		faults.Go(func() { s.inflict(ctx, &plan[i]) })
	}
	wait(ctx, time.Until(begin.Add(s.o.Duration)))
}

func (s *stage) progress(ctx context.Context, at time.Duration, done, all int) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	text := "the database does not answer"
	if n, err := s.db.Active(ctx); err == nil {
		text = fmt.Sprintf("%d tasks are active", n)
	}
	fmt.Fprintf(s.o.Out, "%6v: %d of %d faults, %s\n", at, done, all, text)
}

// wind lets everything come to its end: submitters get all their answers, every task ends, workers stop.
func (s *stage) wind(ctx context.Context) {
	var ending sync.WaitGroup
	for _, sl := range s.submitters {
		if c := sl.last(); c != nil {
			c.asked.Store(true)
			c.say(load.WordStop)
			ending.Go(func() { s.ends(c, endPatience) })
		}
	}
	deadline := time.Now().Add(endPatience)
	for ctx.Err() == nil && time.Now().Before(deadline) {
		if n, err := s.db.Active(ctx); err == nil && n == 0 && s.submittersGone() {
			break
		}
		wait(ctx, 100*time.Millisecond)
	}
	ending.Wait()
	if ctx.Err() != nil {
		s.killAll()
		return
	}
	for _, sl := range s.workers {
		if c := sl.last(); c != nil {
			c.asked.Store(true)
			s.check(c.signal(syscall.SIGTERM))
			ending.Go(func() { s.ends(c, drainPatience) })
		}
	}
	ending.Wait()
}

func (s *stage) submittersGone() bool {
	for _, sl := range s.submitters {
		if sl.current() != nil {
			return false
		}
	}
	return true
}

func (s *stage) killAll() {
	for _, sl := range s.slots() {
		if c := sl.last(); c != nil {
			c.kill.Store(true)
			s.check(c.signal(syscall.SIGKILL))
		}
	}
}
