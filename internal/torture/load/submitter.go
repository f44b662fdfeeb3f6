package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
)

// people submit; several of them join one shared task.
var people = []string{"ada", "bob", "cyd", "dee"}

// submitter submits at its rate, follows what it has submitted, and cancels some of it.
type submitter struct {
	*process
	random  *rand.Rand // of the one goroutine that decides
	calls   atomic.Int64
	errands sync.WaitGroup
	room    chan struct{}                      // bounds the errands
	begin   func(do func(ctx context.Context)) // an errand
	kill    context.CancelFunc                 // ends them all

	mu     sync.Mutex
	recent []submitted // what a storm of cancels hits
}

// submitted is a task that is known, and by whom.
type submitted struct {
	id gtf.ID
	by string
}

// maxErrands and maxRecent keep a submitter small when the database is away.
const (
	maxErrands = 300
	maxRecent  = 150
)

func newSubmitter(p *process) *submitter {
	s := &submitter{
		process: p,
		random:  rand.New(rand.NewPCG(p.job.Seed, 2)),
		room:    make(chan struct{}, maxErrands),
	}
	ctx, kill := context.WithCancel(context.Background())
	s.kill = kill
	s.begin = func(do func(ctx context.Context)) { s.errands.Go(func() { do(ctx) }) }
	return s
}

// submit goes on until it is told to end. Told by a word, it waits for every answer; told by a signal, it does not.
func (s *submitter) submit(terminated context.Context) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / s.job.Rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.one()
		case word := <-s.words:
			switch word {
			case WordCancels:
				s.cancelAll()
			case WordTimeouts:
				s.submitLate()
			case WordBurst:
				s.submitMany()
			case WordStop:
				s.settle(terminated)
				return
			}
		case <-terminated.Done():
			s.drained()
			return
		}
	}
}

// errand does something beside the submits, unless there is too much of it already.
func (s *submitter) errand(do func(ctx context.Context)) {
	select {
	case s.room <- struct{}{}:
	default:
		return
	}
	s.begin(func(ctx context.Context) {
		defer func() { <-s.room }()
		do(ctx)
	})
}

// dismiss ends what is still under way; the client has been stopped.
func (s *submitter) dismiss() {
	s.kill()
	s.errands.Wait()
}

// plan is what one submit does, decided before anything is done, so that a seed gives the same plans.
type plan struct {
	kind   *kind
	key    string // empty: one of its own
	in     Input
	by     string
	how    string
	follow string
	short  bool // it waits only for a moment
	cancel time.Duration
	actor  actor
}

const (
	howSchedule = "schedule"
	howStart    = "start" // inline, without waiting
	howRun      = "run"   // inline
	howMany     = "many"

	followNot   = ""
	followWait  = "wait"
	followWatch = "watch"
)

func (s *submitter) plan() plan {
	r := s.random
	k := choose(r)
	p := plan{kind: k, in: k.input(r), how: howSchedule, by: people[r.IntN(len(people))]}
	if k.key != nil {
		p.key = k.key(r)
	}
	if k.scope == gtf.ScopeSystem {
		p.by = ""
	}
	switch n := r.IntN(100); {
	case n < 12:
		p.how = howStart
	case n < 18 && k.key == nil: // it does not tell whether it joined
		p.how = howRun
	}
	switch n := r.IntN(100); {
	case n < 40:
		p.follow = followWait
	case n < 55:
		p.follow = followWatch
	}
	p.short = chance(r, 5)
	if chance(r, 14) {
		p.cancel = time.Millisecond + time.Duration(r.IntN(400))*time.Millisecond
	}
	p.actor = s.actor(p.by)
	return p
}

// actor is who cancels.
type actor struct {
	by    string // empty: the host
	admin bool
}

func (s *submitter) actor(creator string) actor {
	switch n := s.random.IntN(100); {
	case n < 65:
		return actor{by: creator}
	case n < 75:
		return actor{by: people[s.random.IntN(len(people))]}
	case n < 90:
		return actor{by: "root", admin: true}
	}
	return actor{}
}

func (a actor) context(ctx context.Context) context.Context {
	return gtf.WithPrincipal(ctx, gtf.Principal{ID: a.by, Admin: a.admin})
}

func (s *submitter) one() {
	p := s.plan()
	s.errand(func(ctx context.Context) { s.carryOut(ctx, &p) })
}

// carryOut submits, and then follows and cancels at the same time.
func (s *submitter) carryOut(ctx context.Context, p *plan) {
	id, ok := s.call(ctx, p)
	if !ok {
		return
	}
	s.remember(id, p.by)
	if p.cancel > 0 {
		s.errand(func(ctx context.Context) {
			sleep(ctx, p.cancel)
			s.cancel(ctx, id, p.actor)
		})
	}
	if p.follow != followNot {
		s.follow(ctx, id, p.follow, p.short)
	}
}

func (s *submitter) remember(id gtf.ID, by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = append(s.recent, submitted{id, by})
	s.recent = s.recent[max(0, len(s.recent)-maxRecent):]
}

// cancelAll is a storm: everybody cancels at once.
func (s *submitter) cancelAll() {
	s.mu.Lock()
	recent := s.recent
	s.recent = nil
	s.mu.Unlock()
	for _, task := range recent {
		a := s.actor(task.by)
		s.errand(func(ctx context.Context) { s.cancel(ctx, task.id, a) })
	}
}

// submitLate is another storm: many limits pass at once.
func (s *submitter) submitLate() {
	const many = 25
	for range many {
		p := s.plan()
		p.kind, p.key, p.how, p.in = &kind{def: late}, "", howSchedule, Input{Millis: 2000, Late: chance(s.random, 30)}
		p.by = people[s.random.IntN(len(people))]
		s.errand(func(ctx context.Context) { s.carryOut(ctx, &p) })
	}
}

// submitMany stores many tasks in one transaction.
func (s *submitter) submitMany() {
	const many = 40
	by := people[s.random.IntN(len(people))]
	items := make([]gtf.Item[Input], many)
	for i := range items {
		items[i].In = takes(0, 300)(s.random)
	}
	s.errand(func(ctx context.Context) { s.callMany(ctx, by, items) })
}

// settle waits for everything that is under way.
func (s *submitter) settle(terminated context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.errands.Wait()
	}()
	select {
	case <-done:
	case <-terminated.Done():
		s.drained()
	}
}

func (s *submitter) uniqueKey(call int64) string { return fmt.Sprintf("%s-%d", s.job.Name, call) }

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
