package gtf

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// reporter holds what a running task says until it is stored: memory at once, the store at most once per throttle
// interval, always with the latest (S6.2). At most one write of a task is in flight.
type reporter struct {
	x *Execution

	mu       sync.Mutex
	progress Progress
	fields   map[string]json.RawMessage
	payload  json.RawMessage // fields, encoded
	logs     logBuffer

	dirtyProgress, dirtyPayload, dirtyAbortable, dirtyWarning bool

	last   time.Time   // when the last write began
	timer  *time.Timer // armed for the tail
	due    time.Time   // when it fires
	flight chan struct{}
	closed bool
}

func (r *reporter) init(x *Execution) {
	r.x = x
	r.payload = x.job.Payload
}

func (r *reporter) setProgress(p Progress) {
	r.change(0, func() {
		r.progress, r.dirtyProgress = p, true
	})
}

func (r *reporter) mergePayload(fields map[string]any, limit int) error {
	encoded := make(map[string]json.RawMessage, len(fields))
	for key, value := range fields {
		raw, problem := marshal(value, limit)
		if problem != "" {
			return &ValidationError{[]Problem{{"payload." + clean(key, maxKey), problem}}}
		}
		encoded[key] = raw
	}
	var err error
	r.change(0, func() {
		if r.fields == nil {
			r.fields = rawFields(r.payload)
		}
		merged := maps.Clone(r.fields)
		maps.Copy(merged, encoded)
		raw, problem := marshal(merged, limit)
		if problem == "" {
			problem = rawProblem(raw, fields, limit)
		}
		if problem != "" {
			err = &ValidationError{[]Problem{{"payload", problem}}}
			return
		}
		r.fields, r.payload, r.dirtyPayload = merged, raw, true
	})
	return err
}

func (r *reporter) addLog(line LogLine) {
	r.change(r.x.c.cfg.Throttle/4, func() { r.logs.add(line) })
}

// warn never waits for the store, whatever the throttle: it is called by those who attend to the function.
func (r *reporter) warn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.dirtyWarning = true
		r.schedule(0)
	}
}

// change does something to the state and sees that it will be written. What has patience waits a little for company: a log
// line must not keep the progress that follows it from being written at once.
func (r *reporter) change(patience time.Duration, do func()) {
	throttle := r.x.c.cfg.Throttle
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	do()
	if throttle == None {
		r.mu.Unlock()
		_ = r.flush(context.Background()) // a failed write stays due
		return
	}
	deferred := r.schedule(max(patience, time.Until(r.last.Add(throttle))))
	r.mu.Unlock()
	if deferred {
		r.x.c.observe(Event{Kind: EventDeferred, ID: r.x.job.ID, Type: r.x.job.Type})
	}
}

// schedule arms the next write, at once if there is nothing to wait for. The caller holds mu.
func (r *reporter) schedule(wait time.Duration) (deferred bool) {
	due := time.Now().Add(wait)
	if r.flight != nil || !r.dirty() || r.timer != nil && !due.Before(r.due) {
		return r.dirty()
	}
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if wait <= 0 {
		r.takeOff()
		return false
	}
	r.due = due
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.timer != timer {
			return // another one was armed
		}
		r.timer = nil
		if r.flight == nil && !r.closed && r.dirty() {
			r.takeOff()
		}
	})
	r.timer = timer
	return true
}

func (r *reporter) dirty() bool {
	return r.dirtyProgress || r.dirtyPayload || r.dirtyAbortable || r.dirtyWarning || !r.logs.empty()
}

// takeOff begins a write. The caller holds mu; whoever closes or flushes waits for flight.
func (r *reporter) takeOff() {
	update := r.take()
	landed := make(chan struct{})
	r.flight = landed
	if !r.x.c.crew.spawn(func(ctx context.Context) { r.land(update, landed, r.write(ctx, update)) }) {
		r.flight = nil
	}
}

func (r *reporter) land(update Update, landed chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flight = nil
	close(landed)
	if err != nil {
		r.putBack(update)
	}
	if r.closed || errors.Is(err, ErrFenced) {
		return
	}
	pause := max(0, r.x.c.cfg.Throttle)
	if err != nil {
		pause = max(pause, time.Second)
	}
	r.schedule(time.Until(r.last.Add(pause)))
}

// take empties the state into an update. The caller holds mu.
func (r *reporter) take() Update {
	u := Update{Ref: r.x.job.Ref, Abortable: r.dirtyAbortable, TimeoutWarning: r.dirtyWarning}
	if r.dirtyProgress {
		p := r.progress
		u.Progress = &p
	}
	if r.dirtyPayload {
		u.Payload = r.payload
	}
	u.Logs, u.LogsDropped = r.logs.take()
	r.dirtyProgress, r.dirtyPayload, r.dirtyAbortable, r.dirtyWarning = false, false, false, false
	r.last = time.Now()
	return u
}

// putBack makes a failed update due again; what is newer stays. The caller holds mu.
func (r *reporter) putBack(u Update) {
	r.dirtyProgress = r.dirtyProgress || u.Progress != nil
	r.dirtyPayload = r.dirtyPayload || u.Payload != nil
	r.dirtyAbortable = r.dirtyAbortable || u.Abortable
	r.dirtyWarning = r.dirtyWarning || u.TimeoutWarning
	r.logs.putBack(u.Logs, u.LogsDropped)
}

// write stores an update together with those of other tasks; a lost claim fences the execution.
func (r *reporter) write(ctx context.Context, u Update) error {
	held, err := r.x.c.updates.call(ctx, u)
	if err != nil {
		if ctx.Err() == nil {
			r.x.c.log.Debug("report not stored; will be repeated", "task", r.x.job.ID, "type", r.x.job.Type, "error", err)
		}
		return err
	}
	if !held {
		r.x.ask(ErrFenced)
		return ErrFenced
	}
	r.x.c.hub.publish(Signal{Kind: SignalChanged, ID: r.x.job.ID})
	return nil
}

// flush writes what is due, now, after a write in flight.
func (r *reporter) flush(ctx context.Context) error {
	for {
		r.mu.Lock()
		if r.closed || r.flight == nil {
			break
		}
		flight := r.flight
		r.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if r.x.isFenced() {
		r.mu.Unlock()
		return ErrFenced
	}
	if r.closed || !r.dirty() {
		r.mu.Unlock()
		return nil
	}
	update := r.take()
	landed := make(chan struct{})
	r.flight = landed
	r.mu.Unlock()
	err := r.write(ctx, update)
	r.land(update, landed, err)
	return err
}

// storeAbortable writes that the task is abortable, again and again until it is stored, the claim is lost or the function
// has returned (S6.3).
func (x *Execution) storeAbortable() {
	r := &x.report
	r.mu.Lock()
	r.dirtyAbortable = true
	r.mu.Unlock()
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		err := r.flush(context.Background())
		if err == nil || errors.Is(err, ErrFenced) || errors.Is(err, ErrStopped) {
			return
		}
		select {
		case <-time.After(pause):
		case <-x.fenced:
			return
		}
	}
}

// How background writes that must succeed are repeated.
const (
	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
)

// close ends reporting and returns what is not stored, for the final write.
func (r *reporter) close() Update {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	flight := r.flight
	r.mu.Unlock()
	if flight != nil {
		<-flight
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.take()
}

// logBuffer keeps the lines that are not stored yet, within the limits of what a store keeps.
type logBuffer struct {
	lines   []LogLine
	bytes   int
	dropped int // before the first line
}

func (b *logBuffer) empty() bool { return len(b.lines) == 0 && b.dropped == 0 }

func (b *logBuffer) add(line LogLine) {
	b.lines = append(b.lines, line)
	b.bytes += len(line.Text)
	b.trim()
}

func (b *logBuffer) trim() {
	n := 0
	for len(b.lines)-n > MaxLogLines || b.bytes > MaxLogBytes {
		b.bytes -= len(b.lines[n].Text)
		n++
	}
	b.dropped += n
	b.lines = b.lines[n:]
}

func (b *logBuffer) take() (lines []LogLine, dropped int) {
	lines, dropped = b.lines, b.dropped
	*b = logBuffer{}
	return lines, dropped
}

func (b *logBuffer) putBack(lines []LogLine, dropped int) {
	b.lines = slices.Concat(lines, b.lines)
	for _, l := range lines {
		b.bytes += len(l.Text)
	}
	b.dropped += dropped
	b.trim()
}

// writeUpdates is the grouped statement behind all reporters of a client.
func (c *Client) writeUpdates(ctx context.Context, updates []Update) ([]bool, error) {
	held, err := c.store.Update(ctx, updates)
	if err == nil {
		c.observe(Event{Kind: EventFlushed, Count: len(updates)})
	}
	return held, err
}
