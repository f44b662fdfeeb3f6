package gtf_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/globaltask/gtf"
)

type modelIn struct{ Heeds modelHeeding }

type modelOut struct{ Text string }

// modelRun is one call of a task's function: the function does what the test tells it, and notes what happens to it.
type modelRun struct {
	w       *modelWorld
	proc    *modelProc
	x       *gtf.Execution
	ctx     context.Context //nolint:containedctx // the one that the function was called with: it is what is looked at
	id      gtf.ID
	attempt int
	worker  string // the id of the process at that time; empty: not known
	heeds   modelHeeding
	steps   chan func()
	returns chan modelReturn

	// Under w.mu.
	begun, interrupted time.Time // interrupted: the first abort handler began, or the context ended
	cause              error     // of the context, if it ended before the function returned
	busy               int       // steps that are not done
	handlers           []*modelHandler
	ran                int       // of them
	firstAbort         time.Time // when OnAbort was called first
	stored             bool      // OnAbort has returned
	ret                *modelReturn
	returned           time.Time
	stopped            bool // the interruption came before the return
	wrote, finished    bool // it stored its outcome; that ended the task
	progress           *gtf.Progress
	fields             map[string]int
	reported           time.Time // the last progress or payload
	explained, named   bool      // the reason and the cause were checked
	taken              time.Time // when the test saw that the task was taken from it
}

// modelHeeding is what a function does when its context ends.
type modelHeeding string

const (
	heedsError   modelHeeding = "returns the context's error"
	heedsOwn     modelHeeding = "returns an error of its own"
	heedsNothing modelHeeding = "returns nothing, as if it were done"
	heedsNot     modelHeeding = "goes on"
)

// modelReturn is how a function ends.
type modelReturn struct {
	kind string
	text string
}

const (
	returnsValue   = "value"
	returnsError   = "error"
	returnsFinal   = "an error that is not to be retried"
	returnsPanic   = "panic"
	returnsGoexit  = "goexit"
	returnsContext = "the error of its context"
)

func (r *modelRun) String() string {
	return fmt.Sprintf("attempt %d of %v in %v", r.attempt, r.w.name(r.id), r.proc)
}

func (r *modelRun) GoString() string { return r.String() }

// work is the function of every task of a process.
func (p *modelProc) work(ctx context.Context, in modelIn) (modelOut, error) {
	w, x := p.w, gtf.FromContext(ctx)
	r := &modelRun{
		w: w, proc: p, x: x, ctx: ctx, id: x.ID(), attempt: x.Attempt(), begun: time.Now(), heeds: in.Heeds,
		steps: make(chan func()), returns: make(chan modelReturn), fields: map[string]int{},
	}
	w.mu.Lock()
	if other := w.run(r.id, r.attempt); other != nil {
		w.complain("%v was started, after %v", r, other)
	}
	w.runs = append(w.runs, r)
	closing := w.closing
	w.mu.Unlock()
	context.AfterFunc(ctx, r.contextEnded)
	if closing {
		return r.end(modelReturn{returnsValue, "closing"})
	}
	ended := ctx.Done()
	if r.heeds == heedsNot {
		ended = nil
	}
	for {
		select {
		case step := <-r.steps:
			step()
			w.mu.Lock()
			r.busy--
			closing = w.closing
			w.mu.Unlock()
			if closing {
				return r.end(modelReturn{returnsValue, "closing"})
			}
		case ret := <-r.returns:
			return r.end(ret)
		case <-ended:
			switch r.heeds {
			case heedsError:
				return r.end(modelReturn{returnsContext, ""})
			case heedsOwn:
				return r.end(modelReturn{returnsError, "stopped half-way"})
			}
			return r.end(modelReturn{returnsValue, "cut short"})
		}
	}
}

func (r *modelRun) contextEnded() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	cause := context.Cause(r.ctx)
	if errors.Is(cause, context.Canceled) {
		return // it always ends after the function
	}
	r.cause = cause
	r.interruptedNow("its context ended")
}

// interruptedNow notes an interruption, which comes before the return: of two things at one instant, gtf decides which was
// the first, and a function cannot note its return at the same moment as gtf.
func (r *modelRun) interruptedNow(how string) {
	if r.interrupted.IsZero() {
		r.interrupted = time.Now()
	}
	if r.ret != nil && !r.stopped {
		r.stopped = true
		if !r.returned.Equal(r.interrupted) {
			r.w.complain("%v had returned when %s", r, how)
		}
	}
}

// end notes how the function returns, and returns.
func (r *modelRun) end(ret modelReturn) (modelOut, error) {
	r.w.mu.Lock()
	if r.ctx.Err() != nil {
		r.interruptedNow("its context ended")
	}
	r.ret, r.returned = &ret, time.Now()
	r.stopped = !r.interrupted.IsZero()
	r.w.mu.Unlock()
	switch ret.kind {
	case returnsError:
		return modelOut{}, errors.New(ret.text)
	case returnsFinal:
		return modelOut{}, fmt.Errorf("wrapped: %w", gtf.NoRetry(errors.New(ret.text)))
	case returnsPanic:
		panic(ret.text)
	case returnsGoexit:
		runtime.Goexit()
	case returnsContext:
		return modelOut{}, fmt.Errorf("query: %w", r.ctx.Err())
	}
	return modelOut{ret.text}, nil
}

// modelHandler is a handler that a run registered.
type modelHandler struct {
	run     *modelRun
	kind    string // of handler
	does    modelDoing
	n       int // in the order they were registered
	release chan struct{}

	// Under w.mu.
	alone       bool // it was registered after the interruption: it runs at once, and has the time of handlers for itself
	began, done time.Time
	place       int    // in the order they ran
	late        bool   // it began when the time of the handlers was over: whether it counts as failed is a matter of chance
	fails       string // its part of the task's error; empty if it did not fail
}

type modelDoing string

const (
	doesWell   modelDoing = "well"
	doesFail   modelDoing = "fail"
	doesPanic  modelDoing = "panic"
	doesWait   modelDoing = "wait" // until it is released, or its context ends
	doesIgnore modelDoing = "wait, whatever its context says"
)

const (
	modelAbortHandler   = "abort handler"
	modelCleanupHandler = "cleanup handler"
)

func (h *modelHandler) String() string {
	return fmt.Sprintf("%s %d of %v, which does %s", h.kind, h.n, h.run, h.does)
}

func (h *modelHandler) GoString() string { return h.String() }

// register has the function register a handler.
func (r *modelRun) register(kind string, does modelDoing) {
	h := &modelHandler{run: r, kind: kind, does: does, release: make(chan struct{})}
	r.w.mu.Lock()
	h.n, h.alone = len(r.handlers)+1, kind == modelAbortHandler && r.ctx.Err() != nil
	r.handlers = append(r.handlers, h)
	if kind == modelAbortHandler && r.firstAbort.IsZero() {
		r.firstAbort = time.Now()
	}
	r.w.mu.Unlock()
	if kind == modelCleanupHandler {
		r.x.OnCleanup(h.call)
		return
	}
	r.x.OnAbort(h.call)
	r.w.mu.Lock()
	r.stored = true
	r.w.mu.Unlock()
}

func (h *modelHandler) call(ctx context.Context) error {
	h.begin()
	switch h.does {
	case doesFail:
		h.end("cannot")
		return errors.New("cannot")
	case doesPanic:
		h.end("panic: oops")
		panic("oops")
	case doesWait:
		select {
		case <-h.release:
		case <-ctx.Done():
			h.end(" ") // whether its own error is told, or that it took too long, is a matter of chance
			return ctx.Err()
		}
	case doesIgnore:
		<-h.release
		if ctx.Err() != nil {
			h.end("not done within")
			return nil //nolint:nilerr // too late to say anything
		}
	}
	h.end("")
	return nil
}

// begin checks the rules of S6.4.
func (h *modelHandler) begin() {
	r, w := h.run, h.run.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if !h.began.IsZero() {
		w.complain("%v began twice", h)
	}
	r.ran++
	h.began, h.place = time.Now(), r.ran
	h.late = !h.alone && slices.ContainsFunc(r.handlers, func(o *modelHandler) bool {
		return !o.alone && o.kind == h.kind && !o.began.IsZero() && time.Since(o.began) >= modelHandlerTime
	})
	for _, other := range r.handlers {
		switch {
		case other.kind == h.kind && other.n > h.n && other.began.IsZero() && !h.late:
			w.complain("%v began before %v", h, other)
		case other.kind == modelAbortHandler && h.kind == modelCleanupHandler && !other.began.IsZero() && other.done.IsZero():
			w.complain("%v began while %v still ran", h, other)
		}
	}
	switch {
	case h.kind == modelCleanupHandler && r.ret == nil:
		w.complain("%v began while the function still ran", h)
	case h.kind == modelAbortHandler:
		r.interruptedNow(h.String() + " began")
	}
}

func (h *modelHandler) end(fails string) {
	h.run.w.mu.Lock()
	defer h.run.w.mu.Unlock()
	h.done = time.Now()
	if fails != "" {
		h.fails = h.kind + ": " + fails
	}
	if fails == " " {
		h.fails = h.kind
	}
}

// over tells whether all is done that comes before the outcome: the function has returned, and every handler that has to
// run has run. The caller holds w.mu, as for all that follows.
func (r *modelRun) over() bool {
	return r.ret != nil && !slices.ContainsFunc(r.handlers, func(h *modelHandler) bool {
		return h.done.IsZero() && (h.kind == modelCleanupHandler || r.stopped)
	})
}

// outcome is S3.5, for a run that was not fenced, by the status that its row has now.
func (r *modelRun) outcome(t *modelTask) (to gtf.Status, says []string) {
	var failures []string // in the order the handlers ran
	ran := slices.SortedFunc(slices.Values(r.handlers), func(a, b *modelHandler) int { return cmp.Compare(a.place, b.place) })
	for _, h := range ran {
		if h.fails != "" && !h.late {
			failures = append(failures, h.fails)
		}
	}
	var own []string // what the function said, unless it only says that its context ended
	switch r.ret.kind {
	case returnsError, returnsFinal, returnsPanic:
		own = []string{r.ret.text}
	case returnsGoexit:
		own = []string{"Goexit"}
	}
	byShutdown := r.stopped && errors.Is(r.cause, gtf.ErrShutdown)
	moves := t.sub.Mode == gtf.ModeAsync || !byShutdown // a sync task never moves (S5.1)
	switch {
	case len(failures) > 0:
		return gtf.StatusFailure, append(own, failures...)
	case r.stopped && t.status == gtf.StatusAborting && t.reason == gtf.AbortByTimeout:
		return gtf.StatusTimedOut, own
	case r.stopped && t.status == gtf.StatusAborting:
		return gtf.StatusAborted, own
	case r.ret.kind == returnsValue:
		return gtf.StatusSuccess, nil
	case t.status == gtf.StatusInProgress && r.attempt < t.sub.MaxAttempts && r.ret.kind != returnsFinal && moves:
		return gtf.StatusPending, own
	case byShutdown:
		return gtf.StatusFailure, append([]string{"interrupted by shutdown"}, own...)
	}
	return gtf.StatusFailure, own
}

// result is what a success stores.
func (r *modelRun) result() string {
	raw, _ := json.Marshal(modelOut{r.ret.text}) //nolint:musttag // the field has its own name in JSON
	return string(raw)
}
