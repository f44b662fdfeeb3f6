package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// bench is one run: rounds, in each all kinds of measurement, in each all contenders one after the other. So the moods of
// the machine meet all of them.
type bench struct {
	*options
	servers  *servers
	subjects []*subject
	figures  []*figure // in the order of the table
}

// subject is a contender during a round.
type subject struct {
	contender
	*bench
	at      *place
	watch   *database // nil on Redis
	pending int       // submitted and not yet run
}

// figure is one row of the table.
type figure struct {
	name  string
	unit  unit
	found map[string][]float64 // by contender, one for each round
}

// patience is how long one measurement, or one stop, may take.
const patience = 10 * time.Minute

func (b *bench) run(ctx context.Context) error {
	for _, c := range b.only {
		b.subjects = append(b.subjects, &subject{contender: c, bench: b})
	}
	for round := range b.rounds {
		if err := b.round(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// round measures everything once, on databases that begin empty.
func (b *bench) round(ctx context.Context, round int) (err error) {
	defer func() {
		for _, s := range b.subjects {
			err = errors.Join(err, s.leave(context.WithoutCancel(ctx)))
		}
	}()
	for _, s := range b.subjects {
		if err := s.prepare(ctx); err != nil {
			return fmt.Errorf("prepare %s: %w", s.Key(), err)
		}
	}
	for _, kind := range b.kinds {
		for i := range b.subjects {
			s := b.subjects[(i+round)%len(b.subjects)] // nobody is always the first
			if err := s.measure(ctx, kind); err != nil {
				return fmt.Errorf("measure %s, %s: %w", s.Key(), kind.name, err)
			}
		}
	}
	return nil
}

// prepare gives the contender its place and has it work a little: connections are open and statements known afterwards.
func (s *subject) prepare(ctx context.Context) (err error) {
	s.at = &place{Slots: s.slots}
	switch s.On() {
	case redis:
		s.at.RedisURL = s.servers.redisURL
		err = s.servers.flush(ctx)
	case postgres:
		s.watch, err = s.servers.empty(ctx, s.Key())
		if err == nil {
			s.at.DatabaseURL = s.watch.url
		}
	}
	if err != nil {
		return err
	}
	if err := s.Prepare(ctx, s.at); err != nil {
		s.at = nil // there is nothing to close
		return errors.Join(err, s.forget(ctx))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	const some = 1000
	if err := s.submitAll(ctx, some, crowd); err != nil {
		return err
	}
	if _, err := s.submitMany(ctx, some); err != nil {
		return err
	}
	return s.drain(ctx)
}

// leave ends the round for the contender.
func (s *subject) leave(ctx context.Context) error {
	if s.at == nil {
		return nil
	}
	s.at, s.pending = nil, 0
	return errors.Join(s.Close(ctx), s.forget(ctx))
}

func (s *subject) forget(ctx context.Context) error {
	if s.watch == nil {
		return nil
	}
	w := s.watch
	s.watch = nil
	return w.drop(ctx)
}

func (s *subject) measure(ctx context.Context, k kind) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.watch != nil {
		if err := s.watch.tidy(ctx); err != nil {
			return err
		}
	}
	runtime.GC()
	if err := k.measure(ctx, s); err != nil {
		return err
	}
	return s.drain(ctx)
}

// found notes what was measured.
func (s *subject) found(name string, u unit, value float64) {
	i := slices.IndexFunc(s.figures, func(f *figure) bool { return f.name == name })
	if i < 0 {
		i = len(s.figures)
		s.figures = append(s.figures, &figure{name: name, unit: u, found: map[string][]float64{}})
	}
	s.figures[i].found[s.Key()] = append(s.figures[i].found[s.Key()], value)
	fmt.Fprintf(os.Stderr, "%-40s %-10s %s\n", name, s.Key(), u.format(value))
}

// submitAll has so many callers submit n tasks between them, each one after the other.
func (s *subject) submitAll(ctx context.Context, n, callers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range callers {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := s.Submit(ctx); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.pending += n
	return context.Cause(ctx)
}

// batch is how many tasks a call of SubmitMany gets.
const batch = 1000

// submitMany submits n tasks by one caller; false if the contender cannot.
func (s *subject) submitMany(ctx context.Context, n int) (bool, error) {
	for left := n; left > 0; left -= batch {
		err := s.SubmitMany(ctx, min(left, batch))
		if errors.Is(err, errors.ErrUnsupported) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s.pending += min(left, batch)
	}
	return true, nil
}

// work runs a worker while do submits or waits, and until everything submitted has ended.
func (s *subject) work(ctx context.Context, t *tally, do func() error) error {
	if err := s.Work(ctx, t); err != nil {
		return err
	}
	err := do()
	if err == nil {
		err = t.await(ctx, s.contender, int64(s.pending))
	}
	if err == nil {
		s.pending = 0
	}
	return errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
}

// drain runs what is left, unmeasured.
func (s *subject) drain(ctx context.Context) error {
	if s.pending == 0 {
		return nil
	}
	return s.work(ctx, &tally{}, func() error { return nil })
}
