package gtf

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// ScheduleOpts overrides the definition for one call; zero inherits, [None] is none.
type ScheduleOpts struct {
	// Client names the caller's browser tab or the like, for types whose subscriptions are per client. Default none.
	Client string
	// Delay until the task is due. Default none.
	Delay time.Duration
	// DueAt is when the task is due; not together with Delay. Default at once.
	DueAt time.Time
	// Key of the work, at most 256 characters. Default the definition's key function, else random.
	Key string
	// MaxAttempts, 1 to 100. Default the definition's.
	MaxAttempts int
	// MaxQueueTime. Default the definition's.
	MaxQueueTime time.Duration
	// Name for people, at most 256 characters. Default the definition's name function.
	Name string
	// Priority, 1 (first) to 9. Default the definition's.
	Priority int
	// Queue. Default the definition's.
	Queue string
	// Timeout of one attempt. Default the definition's.
	Timeout time.Duration
	// Tx is a transaction of the caller (pgstore.Tx, sqlitestore.Tx): the task exists if and only if it commits (S4.7). Until
	// then other submits of the key wait, and with SQLite every other write: keep it short. Workers then learn of the task
	// at once where signals go by PostgreSQL, elsewhere after [Handle.Announce] or by looking. Default none: the task is
	// committed when Schedule returns.
	Tx Tx
}

// RunOpts overrides the definition for one inline run.
type RunOpts struct {
	// Client, Key, MaxAttempts, Name and Timeout are as in ScheduleOpts.
	Client      string
	Key         string
	MaxAttempts int
	Name        string
	Timeout     time.Duration
}

// Item is one task of ScheduleMany.
type Item[In any] struct {
	In   In
	Opts *ScheduleOpts
}

// Schedule stores a task for a worker, or joins the active one with the same key (S4). It returns when that is committed.
// The principal of ctx is subscribed. Ended before the commit, ctx gives its error; the task may then exist.
//
// Errors: a [*ValidationError] that lists every bad field, with nothing written; ErrDisabled; the store's.
func (d *Definition[In, Out]) Schedule(ctx context.Context, c *Client, in In, opts *ScheduleOpts) (*Handle[Out], error) {
	return schedule[Out](ctx, c, d.def, in, opts)
}

func schedule[Out any](ctx context.Context, c *Client, def *definition, in any, opts *ScheduleOpts) (*Handle[Out], error) {
	var o ScheduleOpts
	if opts != nil {
		o = *opts
	}
	sub, err := c.submission(ctx, def, in, o, "")
	if err != nil {
		return nil, err
	}
	sub.Mode = ModeAsync
	if o.Tx != nil {
		handles, err := scheduleTx[Out](ctx, c, o.Tx, []*Submission{sub})
		if err != nil {
			return nil, fmt.Errorf("schedule %s %s: %w", def.typ, sub.ID, err)
		}
		return handles[0], nil
	}
	traced := c.traceSubmit(ctx, sub)
	done, err := c.submits.call(ctx, sub)
	traced(done, err)
	if err != nil {
		return nil, fmt.Errorf("schedule %s %s: %w", def.typ, sub.ID, err)
	}
	c.announceSubmit(sub, done)
	return &Handle[Out]{ID: done.ID, Joined: !done.Created, client: c}, nil
}

// scheduleTx submits within a transaction of the caller. What it calls for is sent with the transaction if signals can be,
// and else when the caller announces it.
func scheduleTx[Out any](ctx context.Context, c *Client, tx Tx, subs []*Submission) ([]*Handle[Out], error) {
	if c.isStopped() {
		return nil, ErrStopped
	}
	traced := c.traceSubmits(ctx, subs)
	done, err := c.store.SubmitTx(ctx, tx, subs)
	traced(done, err)
	if err != nil {
		return nil, err
	}
	handles := make([]*Handle[Out], len(done))
	var signals []Signal
	for i := range done {
		signals = append(signals, submitSignal(subs[i], done[i]))
		handles[i] = &Handle[Out]{ID: done[i].ID, Joined: !done[i].Created, client: c, announce: func() { c.announceSubmit(subs[i], done[i]) }}
	}
	return handles, c.hub.publishTx(ctx, tx, signals)
}

// ScheduleMany stores or joins many tasks in one transaction, all or nothing. Handles are in the order of items; two items
// with one key share a task. Limits are per item; problems name it as items[3].key.
func (d *Definition[In, Out]) ScheduleMany(ctx context.Context, c *Client, items []Item[In]) ([]*Handle[Out], error) {
	var bad problems
	var tx Tx
	subs := make([]*Submission, len(items))
	for i, item := range items {
		var o ScheduleOpts
		if item.Opts != nil {
			o = *item.Opts
		}
		if i == 0 {
			tx = o.Tx
		} else if !sameTx(o.Tx, tx) {
			bad.add(fmt.Sprintf("items[%d].tx", i), "is not that of items[0]: all are written in one transaction")
		}
		sub, err := c.submission(ctx, d.def, item.In, o, fmt.Sprintf("items[%d].", i))
		if invalid, ok := errors.AsType[*ValidationError](err); ok {
			for _, p := range invalid.Problems {
				if !slices.Contains(bad, p) { // the caller's own are those of every item
					bad = append(bad, p)
				}
			}
			continue
		} else if err != nil {
			return nil, err
		}
		sub.Mode = ModeAsync
		subs[i] = sub
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if len(subs) == 0 {
		return nil, nil
	}
	if c.isStopped() {
		return nil, fmt.Errorf("schedule %d tasks of %s: %w", len(subs), d.def.typ, ErrStopped)
	}
	if tx != nil {
		handles, err := scheduleTx[Out](ctx, c, tx, subs)
		if err != nil {
			return nil, fmt.Errorf("schedule %d tasks of %s: %w", len(subs), d.def.typ, err)
		}
		return handles, nil
	}
	traced := c.traceSubmits(ctx, subs)
	done, err := c.submitMany(ctx, subs)
	traced(done, err)
	if err != nil {
		return nil, fmt.Errorf("schedule %d tasks of %s: %w", len(subs), d.def.typ, err)
	}
	handles := make([]*Handle[Out], len(done))
	for i := range done {
		handles[i] = &Handle[Out]{ID: done[i].ID, Joined: !done[i].Created, client: c}
		c.announceSubmit(subs[i], done[i])
	}
	return handles, nil
}

// sameTx compares what may be of any type.
func sameTx(a, b Tx) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && (a == nil || reflect.TypeOf(a).Comparable() && a == b)
}

// submitMany waits, as long as ctx allows, while other transactions hold one of the keys.
func (c *Client) submitMany(ctx context.Context, subs []*Submission) ([]Submitted, error) {
	for {
		done, err := c.store.Submit(ctx, subs)
		if !errors.Is(err, ErrLocked) {
			return done, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(lockPause):
		}
	}
}

// Run does the work in this process and returns its output: the same life as a scheduled task, visible and stoppable, or
// the outcome of the active task with the same key (S5.1, S5.2). The function's context is detached from ctx: if ctx ends
// first, the error is a [*WaitError] and the task goes on; only Cancel stops it, or the Stop of c.
//
// A task that did not succeed is a [*TaskError]. A Run that would wait for the task it is called from is ErrSelfJoin. In a
// request handler prefer Schedule: Run keeps its goroutine waiting.
func (d *Definition[In, Out]) Run(ctx context.Context, c *Client, in In, opts *RunOpts) (Out, error) {
	h, err := start[Out](ctx, c, d.def, in, opts)
	if err != nil {
		var none Out
		return none, err
	}
	return h.Wait(ctx)
}

// Start is Run without the wait: it returns when the task is stored and runs in this process, or was joined.
func (d *Definition[In, Out]) Start(ctx context.Context, c *Client, in In, opts *RunOpts) (*Handle[Out], error) {
	return start[Out](ctx, c, d.def, in, opts)
}

func start[Out any](ctx context.Context, c *Client, def *definition, in any, opts *RunOpts) (*Handle[Out], error) {
	var o RunOpts
	if opts != nil {
		o = *opts
	}
	if _, ok := c.handlers[def.typ]; !ok {
		return nil, &ValidationError{[]Problem{{"type", fmt.Sprintf("%q has no handler in this client: Run needs one", def.typ)}}}
	}
	sub, err := c.submission(ctx, def, in, ScheduleOpts{Client: o.Client, Key: o.Key, MaxAttempts: o.MaxAttempts,
		MaxQueueTime: None, Name: o.Name, Timeout: o.Timeout}, "")
	if err != nil {
		return nil, err
	}
	sub.Mode = ModeSync
	traced := c.traceSubmit(ctx, sub)
	id, created, err := c.startInline(ctx, sub)
	traced(Submitted{id, created}, err)
	if err != nil {
		return nil, err
	}
	if !created && FromContext(ctx).within(id) {
		return nil, fmt.Errorf("run %s: %w: it would join task %s", def.typ, ErrSelfJoin, id)
	}
	return &Handle[Out]{ID: id, Joined: !created, client: c}, nil
}

// submission merges the options (call over definition over config), validates everything and collects the problems.
func (c *Client) submission(ctx context.Context, def *definition, in any, o ScheduleOpts, at string) (*Submission, error) {
	if !c.Enabled() {
		return nil, ErrDisabled
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("submit %s: %w", def.typ, err)
	}
	by, _ := PrincipalFrom(ctx)
	by.Admin = false // a fact of the request, never stored
	s := &Submission{
		ID: NewID(), Type: def.typ, Scope: def.scope, Abortable: def.abortable, PerClient: def.perClient, By: by,
		Client: o.Client, Key: o.Key, Name: o.Name, Delay: o.Delay, DueAt: o.DueAt,
		Queue:        or(o.Queue, def.queue),
		Priority:     or(o.Priority, def.priority),
		MaxAttempts:  or(o.MaxAttempts, def.maxAttempts, c.cfg.MaxAttempts),
		MaxQueueTime: max(0, or(o.MaxQueueTime, def.maxQueueTime)),
		Timeout:      max(0, or(o.Timeout, def.timeoutFor(in), c.cfg.Timeout)),
		Backoff:      Backoff{Base: or(def.backoff.Base, c.cfg.Backoff.Base)},
	}
	s.Backoff.Max = or(def.backoff.Max, max(c.cfg.Backoff.Max, s.Backoff.Base))
	if s.Key == "" && def.key != nil {
		s.Key = def.key(in)
	}
	if s.Name == "" && def.name != nil {
		s.Name = cutName(def.name(in))
	}
	var bad problems
	if def.check != nil {
		bad.addInput(at+"input", def.check(in))
	}
	if s.Key == "" {
		if s.Scope == ScopeShared {
			bad.add(at+"key", "is empty: a shared task needs one, from the call or the definition's key function")
		}
		s.Key = s.ID.String()
		s.DedupKey = s.Key // unique already: no index is needed for it
	}
	checkText(&bad, at+"key", s.Key, maxKey)
	checkText(&bad, at+"name", s.Name, maxName)
	if !by.IsZero() {
		by.check(&bad)
	} else if s.Scope == ScopePrivate {
		bad.add("principal", "is missing: a private task belongs to somebody (gtf.WithPrincipal)")
	}
	checkClient(&bad, at+"client", o.Client)
	checkQueueName(&bad, at+"queue", s.Queue)
	checkPriority(&bad, at+"priority", s.Priority)
	checkAttempts(&bad, at+"max_attempts", s.MaxAttempts)
	checkLimit(&bad, at+"timeout", o.Timeout)
	checkLimit(&bad, at+"max_queue_time", o.MaxQueueTime)
	if o.Delay < 0 {
		bad.add(at+"delay", "is %v, must not be negative", o.Delay)
	}
	if o.Delay != 0 && !o.DueAt.IsZero() {
		bad.add(at+"due_at", "is given together with delay")
	}
	var problem string
	if s.Input, problem = marshal(in, c.cfg.MaxInput); problem != "" {
		bad.add(at+"input", "%s", problem)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if s.DedupKey == "" {
		s.DedupKey = dedupKey(s.Scope, s.Type, s.Key, s.By)
	}
	return s, nil
}

// announceSubmit sends what a committed submit calls for.
func (c *Client) announceSubmit(s *Submission, done Submitted) {
	c.hub.publish(submitSignal(s, done))
	if !done.Created {
		c.observe(Event{Kind: EventJoined, ID: done.ID, Type: s.Type, Queue: s.Queue})
		return
	}
	status := StatusInProgress
	if s.Mode == ModeAsync {
		status = StatusPending
	}
	c.observe(Event{Kind: EventTransition, ID: s.ID, Type: s.Type, Queue: s.Queue, Status: status})
}

// submitSignal is for the workers of the queue, or for those who watch, where a task was joined or runs already.
func submitSignal(s *Submission, done Submitted) Signal {
	if !done.Created || s.Mode == ModeSync {
		return Signal{Kind: SignalChanged, ID: done.ID}
	}
	return Signal{Kind: SignalWork, Queue: s.Queue}
}

// dedupKey is SHA-256 over the parts, each with its length before it, so that no two different lists collide (S4.3).
func dedupKey(scope Scope, typ, key string, by Principal) string {
	parts := []string{string(scope), typ, key}
	if scope == ScopePrivate {
		parts = append(parts, string(by.Kind), by.ID)
	}
	h := sha256.New()
	var n [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// or returns the first value that is not zero.
func or[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

// decodeOutput reads a stored result.
func decodeOutput[Out any](raw json.RawMessage) (Out, error) {
	var out Out
	if len(raw) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("decode the result: %w", err)
	}
	return out, nil
}
