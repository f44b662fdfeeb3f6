package enginetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/globaltask/gtf"
)

// deliverTests: the engine alone, without a client.
func deliverTests(s *suite) {
	s.test("a job comes back until it is taken", func(f *fixture) {
		f.needsEngine()
		id := gtf.NewID()
		var calls atomic.Int64
		taken := make(chan struct{})
		f.deliver(func(_ context.Context, got gtf.ID) error {
			if got != id {
				f.Errorf("job %s is delivered, want %s", got, id)
			}
			if calls.Add(1) < 4 {
				return errors.New("not now")
			}
			close(taken) // panics the second time
			return nil
		})
		f.enqueue(delivery(id))
		receive(f, taken, "the fourth delivery")
		f.noJobs()
	})

	s.test("Deliver waits for its calls, whose context does not end", func(f *fixture) {
		f.needsEngine()
		id := gtf.NewID()
		begun, gate := make(chan struct{}), make(chan struct{})
		end, done := f.deliver(func(ctx context.Context, _ gtf.ID) error {
			close(begun)
			<-gate
			if ctx.Err() != nil {
				f.Errorf("the context of a delivery has ended: %v", context.Cause(ctx))
			}
			return errors.New("not now")
		})
		f.enqueue(delivery(id))
		receive(f, begun, "the delivery")
		end()
		second, others := make(chan gtf.ID, 1), gtf.NewID()
		f.deliver(func(_ context.Context, got gtf.ID) error {
			second <- got
			return nil
		})
		f.enqueue(delivery(others))
		if got := receive(f, second, "the delivery to another"); got != others {
			f.Errorf("job %s is delivered, want %s: the first one is being worked on", got, others)
		}
		select {
		case <-done:
			f.Error("Deliver returned before its call")
		default:
		}
		close(gate)
		receive(f, done, "Deliver returns")
		if got := receive(f, second, "the job that was not taken"); got != id {
			f.Errorf("job %s is delivered, want %s", got, id)
		}
		f.noJobs()
	})

	s.test("Deliver begins again after it has ended", func(f *fixture) {
		f.needsEngine()
		for range 3 {
			got := make(chan gtf.ID, 1)
			end, done := f.deliver(func(_ context.Context, id gtf.ID) error {
				got <- id
				return nil
			})
			id := gtf.NewID()
			f.enqueue(delivery(id))
			if id != receive(f, got, "a delivery") {
				f.Error("another job is delivered")
			}
			end()
			receive(f, done, "Deliver returns")
		}
		ended, end := context.WithCancel(f.Context())
		end()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = f.engine.Deliver(ended, map[string]int{gtf.DefaultQueue: 1}, func(context.Context, gtf.ID) error { return nil })
		}()
		receive(f, done, "Deliver returns although its context had ended before")
	})

	s.test("two that deliver at once share the jobs", func(f *fixture) {
		f.needsEngine()
		const jobs = 100
		var mu sync.Mutex
		count := map[gtf.ID]int{}
		for range 2 {
			f.deliver(func(_ context.Context, id gtf.ID) error {
				mu.Lock()
				defer mu.Unlock()
				count[id]++
				return nil
			})
		}
		all := make([]gtf.Delivery, jobs)
		for i := range all {
			all[i] = delivery(gtf.NewID())
		}
		f.enqueue(all...)
		f.eventually("all jobs are delivered", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(count) == jobs
		})
		f.noJobs()
		for id, n := range count {
			if n != 1 {
				f.Errorf("job %s was delivered %d times", id, n)
			}
		}
	})

	s.test("nothing is enqueued without jobs", func(f *fixture) {
		f.needsEngine()
		f.enqueue()
		f.noJobs()
	})
}

func delivery(id gtf.ID) gtf.Delivery {
	return gtf.Delivery{ID: id, Queue: gtf.DefaultQueue, Priority: 5}
}

// deliver has the engine deliver to do until end is called or the test ends; done is closed when Deliver has returned.
func (f *fixture) deliver(do func(ctx context.Context, id gtf.ID) error) (end func(), done <-chan struct{}) {
	ctx, end := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := f.engine.Deliver(ctx, map[string]int{gtf.DefaultQueue: 3}, do); err != nil && ctx.Err() == nil {
			f.Errorf("Deliver: %v", err)
		}
	}()
	f.Cleanup(func() {
		end()
		<-over
	})
	return end, over
}
