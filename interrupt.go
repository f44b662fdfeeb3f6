package gtf

import (
	"context"
	"slices"
	"sync"
)

// interruption decides what may end an execution early, and when its handlers run. It knows no store and no clock.
//
//	running ──ask──▶ asked ──begin──▶ aborting ──handlers done──▶ interrupted
//	   │                │                 │                             │
//	   └────────────────┴──── returned ───┴──── (waits for handlers) ───┘
//
// "The function has returned" and "abort handlers begin" exclude each other: both happen under one mutex. Fence beats all;
// between abort and timeout the row has decided before anyone asks here; shutdown yields to both.
type interruption struct {
	mu       sync.Mutex
	phase    phase
	cause    error // the strongest that was asked for
	declared bool  // abortable without handlers
	hasAbort bool  // a handler was registered
	expired  bool  // the limit passed when nothing could abort the function
	aborts   []handlerFunc
	cleanups []handlerFunc
	failures []*failure
	late     sync.WaitGroup // handlers still running beside or after the others
	fenced   chan struct{}  // closed by the first fence
	asked    chan struct{}  // holds one: the runner should look
	end      context.CancelCauseFunc
}

type phase int

const (
	phaseRunning     phase = iota // the function runs
	phaseAborting                 // abort handlers run, the function too
	phaseInterrupted              // they have run, the function's context has ended
	phaseReturned                 // the function has returned without an interruption
	phaseStopped                  // the function has returned after one
)

type handlerFunc = func(ctx context.Context) error

func (i *interruption) init(declared bool) {
	i.declared = declared
	i.asked = make(chan struct{}, 1)
	i.fenced = make(chan struct{})
}

// strength orders causes: fence beats all, shutdown yields to abort and timeout.
func strength(cause error) int {
	switch cause {
	case nil:
		return 0
	case ErrShutdown:
		return 1
	case ErrFenced:
		return 3
	}
	return 2
}

// ask wants the execution to stop. It never blocks and may be repeated.
func (i *interruption) ask(cause error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if strength(cause) > strength(i.cause) {
		i.cause = cause
		if cause == ErrFenced {
			close(i.fenced)
		}
	}
	poke(i.asked)
}

// begin is true once: when something was asked for and the function still runs. The caller then runs the abort handlers
// that next gives out.
func (i *interruption) begin() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.phase != phaseRunning || i.cause == nil {
		return false
	}
	i.phase = phaseAborting
	return true
}

// next gives out the abort handlers, last registered first, among them those registered meanwhile. With none left the
// execution is interrupted and its context must end with the cause.
func (i *interruption) next() (fn handlerFunc, cause error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.aborts); n > 0 {
		fn = i.aborts[n-1]
		i.aborts = i.aborts[:n-1]
		return fn, nil
	}
	if i.phase == phaseAborting {
		i.phase = phaseInterrupted
	}
	return nil, i.cause
}

// returned marks the end of the function. It is called in the function's goroutine, before anybody is told.
func (i *interruption) returned() {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch i.phase {
	case phaseRunning:
		i.phase = phaseReturned
	case phaseAborting, phaseInterrupted:
		i.phase = phaseStopped
	}
}

type added int

const (
	addedIgnored added = iota // the function has returned
	addedLate                 // after an interruption: the caller runs it, between late.Add and late.Done
	addedFirst                // the task was not abortable before: the caller stores that it is
	addedMore
)

func (i *interruption) addAbort(fn handlerFunc) added {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch i.phase {
	case phaseReturned, phaseStopped:
		return addedIgnored
	case phaseInterrupted:
		i.late.Add(1)
		return addedLate
	}
	i.aborts = append(i.aborts, fn)
	first := !i.hasAbort
	i.hasAbort = true
	if i.expired {
		poke(i.asked) // the limit is enforced now
	}
	if first && !i.declared {
		return addedFirst
	}
	return addedMore
}

func (i *interruption) addCleanup(fn handlerFunc) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.phase == phaseReturned || i.phase == phaseStopped {
		return false
	}
	i.cleanups = append(i.cleanups, fn)
	return true
}

// takeCleanups gives out the cleanup handlers, once, in the order they run.
func (i *interruption) takeCleanups() []handlerFunc {
	i.mu.Lock()
	defer i.mu.Unlock()
	fns := i.cleanups
	i.cleanups = nil
	slices.Reverse(fns)
	return fns
}

// expiry says what a passed time limit means now.
type expiry int

const (
	expiryIgnored expiry = iota // returned, or an interruption is in hand
	expiryWarn                  // nothing could abort the function
	expiryClaim                 // move the row to aborting
)

// expire is asked when the limit has passed, and again when a handler is registered after that.
func (i *interruption) expire() expiry {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.phase != phaseRunning || i.cause != nil:
		return expiryIgnored
	case !i.declared && !i.hasAbort:
		i.expired = true
		return expiryWarn
	}
	i.expired = false
	return expiryClaim
}

// overdue reports whether the limit passed unenforced and could now be enforced.
func (i *interruption) overdue() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.expired && i.hasAbort
}

func (i *interruption) fail(f *failure) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f != nil {
		i.failures = append(i.failures, f)
	}
}

// verdict is what the end of an execution is decided by.
type verdict struct {
	fenced      bool
	interrupted bool // before the function returned
	cause       error
	failures    []*failure // of handlers, in order
}

func (i *interruption) verdict() verdict {
	i.mu.Lock()
	defer i.mu.Unlock()
	return verdict{
		fenced:      i.cause == ErrFenced,
		interrupted: i.phase == phaseStopped,
		cause:       i.cause,
		failures:    slices.Clone(i.failures),
	}
}

func (i *interruption) isFenced() bool {
	select {
	case <-i.fenced:
		return true
	default:
		return false
	}
}
