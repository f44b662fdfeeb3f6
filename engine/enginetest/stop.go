package enginetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/globaltask/gtf"
)

// stopTests: a client that stops takes nothing with it.
func stopTests(s *suite) {
	s.test("Stop waits for what runs and claims no more", func(f *fixture) {
		gate := make(chan struct{})
		c := f.start(behind(gate), slots(1))
		running := f.schedule("running", nil)
		f.eventually("the first task runs", func() bool { return len(f.journal.all()) == 1 })
		waiting := []handle{f.schedule("waiting", nil), f.schedule("waiting", nil)}
		stopped := make(chan error, 1)
		go func() { stopped <- stop(c) }()
		f.eventually("the client is stopping", func() bool { return errors.Is(c.Start(f.Context()), gtf.ErrStopped) })
		select {
		case err := <-stopped:
			f.Errorf("Stop returned %v although a task runs", err)
		default:
		}
		f.status("a client is stopping", running.ID, gtf.StatusInProgress)
		close(gate)
		f.must("Stop", receive(f, stopped, "Stop returns"))
		f.status("its client waited for it", running.ID, gtf.StatusSuccess)
		for _, h := range waiting {
			f.status("its client has stopped", h.ID, gtf.StatusPending)
			f.never("its client has stopped", h)
		}
		f.start(echo)
		for _, h := range waiting {
			f.finish("another client has started", h)
		}
		f.noJobs()
		f.once(append(waiting, running)...)
	})

	s.test("an idle client stops", func(f *fixture) {
		c := f.start(echo)
		f.must("Stop", stop(c))
		again := f.start(echo)
		f.beyond()
		f.must("Stop", stop(again))
	})

	s.test("a client stopped midway leaves the rest to another", func(f *fixture) {
		const tasks = 60
		var handles []handle
		for i := range tasks {
			handles = append(handles, f.schedule(fmt.Sprint(i), nil))
		}
		enough := make(chan struct{}, tasks)
		first := f.start(func(_ context.Context, in string) (string, error) {
			enough <- struct{}{}
			return in, nil
		}, slots(2))
		for range 10 {
			receive(f, enough, "a task runs")
		}
		f.must("Stop", stop(first))
		f.start(echo)
		for _, h := range handles {
			f.finish("a task of a client that stopped", h)
		}
		f.noJobs()
		f.once(handles...)
	})

	s.test("a shutdown gives a task with attempts left to another client", func(f *fixture) {
		never := make(chan struct{})
		first := f.start(behind(never), func(cfg *gtf.Config) { cfg.Grace = gtf.None })
		h := f.schedule("moved", &gtf.ScheduleOpts{MaxAttempts: 2})
		f.eventually("the task runs", func() bool { return len(f.journal.all()) == 1 })
		second := f.start(echo)
		f.must("Stop", stop(first))
		f.finish("a task that was interrupted", h)
		f.noJobs()
		runs := f.journal.of(h.ID)
		if len(runs) != 2 || runs[1].client != second || runs[1].attempt != 2 {
			f.Errorf("the task was run %d times, want a second time by the other client", len(runs))
		}
	})
}
