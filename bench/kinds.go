package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// kind is one sort of measurement.
type kind struct {
	name    string
	measure func(ctx context.Context, s *subject) error
}

func (k kind) key() string { return k.name }

// few and crowd are the numbers of callers at once.
const (
	few   = 8
	crowd = 100
)

var kinds = []kind{
	{"submit", submitOneByOne},
	{"full", fillAndWork},
	{"many", submitInBatches},
	{"mixed", func(ctx context.Context, s *subject) error { return mixed(ctx, s, few) }},
	{"crowd", func(ctx context.Context, s *subject) error { return mixed(ctx, s, crowd) }},
	{"latency", latency},
}

func submitOneByOne(ctx context.Context, s *subject) error {
	began := time.Now()
	if err := s.submitAll(ctx, s.tasks, few); err != nil {
		return err
	}
	s.found(fmt.Sprintf("submit one by one, %d callers", few), perSecond, rate(s.tasks, time.Since(began)))
	return nil
}

func submitInBatches(ctx context.Context, s *subject) error {
	began := time.Now()
	can, err := s.submitMany(ctx, s.tasks)
	if can && err == nil {
		s.found(fmt.Sprintf("submit many, %d a call", batch), perSecond, rate(s.tasks, time.Since(began)))
	}
	return err
}

// fillAndWork fills the queue while nobody works, then works it off. It submits a tenth more than it counts, so that
// nobody is measured on the queue running dry: River, for one, waits up to a quarter of a second with the last outcomes.
func fillAndWork(ctx context.Context, s *subject) error {
	all, counted := s.tasks+s.tasks/10, s.tasks
	if _, asked := s.contender.(polled); asked {
		counted = all // there is no asking for the first so many
	}
	log, err := s.written(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.submitAll(ctx, all, crowd); err != nil {
		return err
	}
	s.found(fmt.Sprintf("submit one by one, %d callers", crowd), perSecond, rate(all, time.Since(began)))
	if err := log.pause(ctx); err != nil {
		return err
	}
	t := &tally{}
	err = s.work(ctx, t, func() error {
		if err := t.await(ctx, s.contender, int64(counted)); err != nil {
			return err
		}
		s.found(fmt.Sprintf("run from a full queue, %d slots", s.slots), perSecond, rate(counted, t.took()))
		return nil
	})
	if err != nil || log == nil {
		return err
	}
	bytes, err := log.bytes(ctx)
	if err != nil {
		return err
	}
	s.found("write-ahead log of submit and run", bytesPerTask, float64(bytes)/float64(all))
	return nil
}

// mixed submits while a worker works, and ends with the last outcome stored.
func mixed(ctx context.Context, s *subject, callers int) error {
	t := &tally{}
	return s.work(ctx, t, func() error {
		if err := s.awake(ctx, t); err != nil {
			return err
		}
		began := time.Now()
		if err := s.submitAll(ctx, s.tasks, callers); err != nil {
			return err
		}
		if err := t.await(ctx, s.contender, int64(s.pending)); err != nil {
			return err
		}
		s.found(fmt.Sprintf("submit and run at once, %d callers", callers), perSecond, rate(s.tasks, time.Since(began)))
		return nil
	})
}

// awake runs one task, so that no worker is measured on its start.
func (s *subject) awake(ctx context.Context, t *tally) error {
	if err := s.submitAll(ctx, 1, 1); err != nil {
		return err
	}
	return t.await(ctx, s.contender, int64(s.pending))
}

// latency measures from the call of Submit to the first line of the function, one task at a time. The pauses between are
// at random, for a worker that polls must not always be met at the same point of its period.
func latency(ctx context.Context, s *subject) error {
	t := &tally{started: make(chan time.Time, 1)}
	return s.work(ctx, t, func() error {
		if err := s.submitAll(ctx, 1, 1); err != nil {
			return err
		}
		<-t.started // the worker is awake
		took := make([]time.Duration, 0, s.samples)
		for range s.samples {
			time.Sleep(5*time.Millisecond + rand.N(20*time.Millisecond))
			began := time.Now()
			if err := s.submitAll(ctx, 1, 1); err != nil {
				return err
			}
			select {
			case at := <-t.started:
				took = append(took, at.Sub(began))
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		slices.Sort(took)
		for _, percent := range []int{50, 95, 99} {
			s.found(fmt.Sprintf("submit to start, p%d", percent), milliseconds, took[(len(took)*percent-1)/100].Seconds()*1e3)
		}
		return nil
	})
}

func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }
