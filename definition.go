package gtf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Definition names a type of task and what goes in and comes out. It is declared once, as a package variable, and imported
// by those who schedule and those who execute; it holds no code to run and no dependencies.
type Definition[In, Out any] struct {
	def *definition
}

// DefineOpts is the policy of a type. Scope and Abortable hold for every task of it; a call may override the rest (S2.4).
type DefineOpts[In any] struct {
	// Abortable says that ending the context is all that it needs to stop. Default false: it becomes abortable when
	// it registers an abort handler.
	Abortable bool
	// Backoff spaces the attempts. Default Config.Backoff.
	Backoff Backoff
	// Check refuses input that cannot be worked on, when it is submitted: its error becomes a problem of the field "input" of a
	// [*ValidationError], or problems of input.field if it is one itself. Default: every input is accepted.
	Check func(In) error
	// Description is a line for people, shown by "gtf types". Default empty.
	Description string
	// Key is the identity of the work: a submit with the key of an active task joins it. A shared type needs one, here or
	// in the call. Default random: nothing ever joins.
	Key func(In) string
	// MaxAttempts is how often the function may be started, 1 to 100. Default Config.MaxAttempts, which is 1.
	MaxAttempts int
	// MaxQueueTime ends tasks that wait longer for their first start as timed_out. Default none.
	MaxQueueTime time.Duration
	// Name is what people see; it is cut at 256 characters. Default: the key.
	Name func(In) string
	// PerClient is the subscription policy: a person with several clients (browser tabs) leaves a task only with the last
	// of them. Default false.
	PerClient bool
	// Priority is 1 (first) to 9 within a queue. Default 5.
	Priority int
	// Queue that the tasks wait in. Default "default".
	Queue string
	// Scope says who sees the tasks. Default ScopePrivate.
	Scope Scope
	// Timeout of one attempt. It is enforced if the task is abortable. Default Config.Timeout, which is none.
	Timeout time.Duration
	// TimeoutOf is the timeout where it depends on the input; zero inherits Timeout. Default: it does not.
	TimeoutOf func(In) time.Duration
}

// definition is what the client needs of a type, without its Go types.
type definition struct {
	typ          string
	description  string
	abortable    bool
	backoff      Backoff
	key, name    func(in any) string // nil: none
	check        func(in any) error
	timeoutOf    func(in any) time.Duration
	decode       func(raw []byte, strict bool) (in any, err error)
	zero         any // the zero input, for people
	maxAttempts  int
	maxQueueTime time.Duration
	perClient    bool
	priority     int
	queue        string
	scope        Scope
	timeout      time.Duration
}

// Define declares a type. It panics on a bad name or policy, like regexp.MustCompile. nil opts are the zero ones.
//
// The name matches ^[a-z0-9_]+(\.[a-z0-9_]+)*$ and has at most 100 bytes. In and Out must survive encoding/json.
func Define[In, Out any](typ string, opts *DefineOpts[In]) *Definition[In, Out] {
	var o DefineOpts[In]
	if opts != nil {
		o = *opts
	}
	if o.Scope == "" {
		o.Scope = ScopePrivate
	}
	if o.Priority == 0 {
		o.Priority = 5
	}
	if o.Queue == "" {
		o.Queue = DefaultQueue
	}
	var zero In
	d := &definition{
		typ: typ, description: o.Description, abortable: o.Abortable, backoff: o.Backoff, zero: zero,
		decode:      decoder[In],
		maxAttempts: o.MaxAttempts, maxQueueTime: o.MaxQueueTime, perClient: o.PerClient,
		priority: o.Priority, queue: o.Queue, scope: o.Scope, timeout: o.Timeout,
	}
	if o.Key != nil {
		d.key = func(in any) string { return o.Key(as[In](in)) }
	}
	if o.Name != nil {
		d.name = func(in any) string { return o.Name(as[In](in)) }
	}
	if o.Check != nil {
		d.check = func(in any) error { return o.Check(as[In](in)) }
	}
	if o.TimeoutOf != nil {
		d.timeoutOf = func(in any) time.Duration { return o.TimeoutOf(as[In](in)) }
	}
	if err := d.validate(); err != nil {
		panic(fmt.Sprintf("gtf.Define %q: %v", typ, err))
	}
	return &Definition[In, Out]{d}
}

func decoder[In any](raw []byte, strict bool) (any, error) {
	var in In
	if !strict {
		err := json.Unmarshal(raw, &in)
		return in, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the JSON value")
	}
	return in, nil
}

// as is in.(In), where In may be an interface type and in nil.
func as[In any](in any) In {
	v, _ := in.(In)
	return v
}

func (d *definition) validate() error {
	var bad problems
	checkTypeName(&bad, d.typ)
	checkOneOf(&bad, "scope", []Scope{ScopePrivate, ScopeShared, ScopeSystem}, d.scope)
	checkQueueName(&bad, "queue", d.queue)
	checkPriority(&bad, "priority", d.priority)
	if d.maxAttempts != 0 {
		checkAttempts(&bad, "max_attempts", d.maxAttempts)
	}
	checkLimit(&bad, "timeout", d.timeout)
	checkLimit(&bad, "max_queue_time", d.maxQueueTime)
	if d.backoff.Base < 0 || d.backoff.Max < 0 || d.backoff.Max > 0 && d.backoff.Base > d.backoff.Max {
		bad.add("backoff", "is %v to %v, must be positive and rising", d.backoff.Base, d.backoff.Max)
	}
	return bad.err()
}

// timeoutFor is the definition's timeout for an input.
func (d *definition) timeoutFor(in any) time.Duration {
	if d.timeoutOf != nil {
		return or(d.timeoutOf(in), d.timeout)
	}
	return d.timeout
}

// checkLimit accepts zero (inherit), None and positive durations.
func checkLimit(bad *problems, field string, d time.Duration) {
	if d < 0 && d != None {
		bad.add(field, "is %v, must be positive, zero or gtf.None", d)
	}
}

// Type is the name of the type.
func (d *Definition[In, Out]) Type() string { return d.def.typ }

// Handler binds the definition to the function that does the work, for Config.Handlers.
//
// The context of fn carries the execution ([FromContext]) and who submitted the task. It ends, with a [context.Cause], on
// abort, timeout, shutdown, or when the claim is lost, after the abort handlers have run. It has no deadline. A panic in
// fn is a failure of the task; a panic in a goroutine that fn starts ends the process, as always in Go.
func (d *Definition[In, Out]) Handler(fn func(ctx context.Context, in In) (Out, error)) Handler {
	if fn == nil {
		panic(fmt.Sprintf("gtf: the handler of %q is nil", d.def.typ))
	}
	return Handler{def: d.def, call: func(ctx context.Context, in any) (any, error) { return fn(ctx, as[In](in)) }}
}

// Handler is a definition with its function.
type Handler struct {
	def  *definition
	call func(ctx context.Context, in any) (any, error)
}

// TypeInfo describes a type for people.
type TypeInfo struct {
	Type        string
	Description string
	Scope       Scope
	Queue       string
	Priority    int
	Abortable   bool // as declared
	Keyed       bool // has a key function
	MaxAttempts int
	Timeout     time.Duration   // None or zero: none
	Input       json.RawMessage // the zero input, to show the fields
}

// Info describes the handler's type.
func (h Handler) Info() TypeInfo {
	input, _ := json.Marshal(h.def.zero)
	return TypeInfo{
		Type: h.def.typ, Description: h.def.description, Scope: h.def.scope, Queue: h.def.queue,
		Priority: h.def.priority, Abortable: h.def.abortable, Keyed: h.def.key != nil,
		MaxAttempts: max(1, h.def.maxAttempts), Timeout: h.def.timeout, Input: input,
	}
}

// Schedule is Definition.Schedule for input that is already JSON, as a command line has it. A field that the type does
// not know is a [*ValidationError].
func (h Handler) Schedule(ctx context.Context, c *Client, input json.RawMessage, opts *ScheduleOpts) (*Handle[json.RawMessage], error) {
	in, err := h.input(input)
	if err != nil {
		return nil, err
	}
	return schedule[json.RawMessage](ctx, c, h.def, in, opts)
}

// Start is Definition.Start for input that is already JSON.
func (h Handler) Start(ctx context.Context, c *Client, input json.RawMessage, opts *RunOpts) (*Handle[json.RawMessage], error) {
	in, err := h.input(input)
	if err != nil {
		return nil, err
	}
	return start[json.RawMessage](ctx, c, h.def, in, opts)
}

func (h Handler) input(raw json.RawMessage) (any, error) {
	in, err := h.def.decode(raw, true)
	if err != nil {
		return nil, &ValidationError{[]Problem{{"input", clean(err.Error(), maxError)}}}
	}
	return in, nil
}
