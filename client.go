package gtf

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Client submits, watches, cancels and executes tasks of one store. Its methods may be called by many goroutines.
//
// A client that is not started schedules, watches and runs inline; started, it also works on its queues and keeps house.
// Stop it in either case.
type Client struct {
	store    Store
	cfg      Config
	log      *slog.Logger
	id       string // of this client among its peers; workers have ids of their own
	handlers map[string]Handler
	locker   Locker
	enabled  atomic.Bool

	hub       *hub
	submits   *group[*Submission, Submitted]
	claims    *group[claimOne, *Job] // of what an engine delivers
	updates   *group[Update, bool]
	finishes  *group[Finish, Finished]
	looks     *group[ID, *Look]
	lifelines *lifelines
	slots     *slots
	executing gate // every execution, inline or not
	crew      *crew
	people    people
	tracer    Tracer    // Config.Observer, if it is one; nil: none
	survived  sync.Once // a panic of the observer: it is logged

	mu      sync.Mutex
	state   clientState
	drain   context.CancelFunc // ends claiming and housekeeping
	claimer sync.WaitGroup
	hurry   chan struct{} // closed when the grace is over
	stopped chan struct{} // closed when Stop is done with the tasks
}

type clientState int

const (
	clientNew clientState = iota
	clientStarted
	clientStopped
)

// New makes a client. nil cfg is the zero Config. It reads and writes nothing yet.
//
// Errors: a [*ValidationError] for settings out of range or that contradict each other, and for two handlers of one type.
func New(store Store, cfg *Config) (*Client, error) {
	resolved, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	c := &Client{
		store: store, cfg: resolved, log: resolved.Logger, id: NewID().String(), handlers: map[string]Handler{},
		locker: resolved.Locker, hurry: make(chan struct{}), stopped: make(chan struct{}),
	}
	c.enabled.Store(!resolved.Disabled)
	c.tracer, _ = resolved.Observer.(Tracer)
	var bad problems
	for _, h := range resolved.Handlers {
		if _, twice := c.handlers[h.def.typ]; twice {
			bad.add("handlers", "has two for type %q", h.def.typ)
		}
		c.handlers[h.def.typ] = h
	}
	engineStore, ok := store.(EngineStore)
	if resolved.Engine != nil && !ok {
		bad.add("engine", "is given, but the store has no place for one: its own queue delivers")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if c.locker == nil {
		c.locker = store
	}
	c.crew = newCrew()
	c.hub = newHub(c)
	c.lifelines = &lifelines{c: c}
	c.slots = newSlots(resolved.Queues)
	wide := 1
	if w, ok := store.(Wide); ok {
		wide = w.InFlight()
	}
	c.submits = newGroup(c.crew, 1000, wide, func(s *Submission) string { return s.DedupKey }, store.Submit)
	c.claims = newGroup(c.crew, 1000, wide, func(o claimOne) string { return o.id.String() }, c.claimThese)
	c.updates = newGroup(c.crew, 1000, wide, func(u Update) string { return u.ID.String() }, c.writeUpdates)
	c.finishes = newGroup(c.crew, 1000, wide, func(f Finish) string { return f.ID.String() }, store.Finish)
	c.looks = newGroup(c.crew, 500, wide, ID.String, c.lookAll)
	if resolved.Engine != nil {
		engineStore.UseEngine(resolved.Engine)
	}
	return c, nil
}

// Start begins to work on the queues and to keep house. ctx bounds only the start: that the store can be reached and this
// process is registered. A client starts once.
func (c *Client) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case clientStarted:
		return fmt.Errorf("start: the client is started already")
	case clientStopped:
		return fmt.Errorf("start: %w", ErrStopped)
	}
	life, release, err := c.lifelines.enlist(ctx, true)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	working, drain := context.WithCancel(context.Background())
	c.drain = drain
	c.claimer.Go(func() { c.work(working, life, release) })
	c.claimer.Go(func() { c.keepHouse(working) })
	c.state = clientStarted
	return nil
}

// Stop ends the client (S12.5). It claims no more, waits for running tasks up to Config.Grace, then interrupts them with
// ErrShutdown, and returns when every outcome is stored. If ctx ends before that, the error names what still runs; the
// tasks are then taken over like those of a lost worker. Stopping twice is harmless.
func (c *Client) Stop(ctx context.Context) error {
	c.mu.Lock()
	if c.state == clientStopped {
		c.mu.Unlock()
		return nil
	}
	c.state = clientStopped
	drain := c.drain
	c.mu.Unlock()
	if drain != nil {
		drain()
	}
	idle := make(chan struct{})
	go func() { // a hanging claim must hold up neither the grace nor ctx
		defer close(idle)
		c.claimer.Wait()
		<-c.executing.close()
	}()
	grace := time.NewTimer(max(0, c.cfg.Grace))
	defer grace.Stop()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
	case <-grace.C:
		close(c.hurry)
		c.lifelines.interruptAll(ErrShutdown)
		select {
		case <-idle:
		case <-ctx.Done():
		}
	}
	select {
	case <-idle:
		c.lifelines.leaveAll(ctx)
	default:
		err = fmt.Errorf("stop: still running: %v: %w", c.lifelines.running(), context.Cause(ctx))
		c.lifelines.giveUpAll("the stop was given up")
	}
	c.hub.drain(ctx)
	close(c.stopped)
	c.crew.dismiss()
	return err
}

func (c *Client) isStopped() bool {
	select {
	case <-c.stopped:
		return true
	default:
		return false
	}
}

// SetEnabled switches the framework on or off in this process (S1). Off: Schedule and Run return ErrDisabled before any
// side effect, and the worker finishes what it runs and claims nothing.
func (c *Client) SetEnabled(on bool) {
	c.enabled.Store(on)
	c.slots.wakeUp()
}

// Enabled reports the switch.
func (c *Client) Enabled() bool { return c.enabled.Load() }

// Config returns the settings in force, defaults filled in.
func (c *Client) Config() Config {
	cfg := c.cfg
	cfg.Handlers, cfg.Queues = slices.Clone(cfg.Handlers), maps.Clone(cfg.Queues)
	return cfg
}

// Types describes the types that this client can execute, by name.
func (c *Client) Types() []TypeInfo {
	infos := make([]TypeInfo, 0, len(c.handlers))
	for _, h := range c.handlers {
		infos = append(infos, h.Info())
	}
	slices.SortFunc(infos, func(a, b TypeInfo) int { return strings.Compare(a.Type, b.Type) })
	return infos
}

// Handler returns the handler of a type.
func (c *Client) Handler(typ string) (Handler, bool) {
	h, ok := c.handlers[typ]
	return h, ok
}

func (c *Client) typeNames() []string {
	names := make([]string, 0, len(c.handlers))
	for name := range c.handlers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// crew owns the background goroutines of a client: they get a context that ends when the client is dismissed, which waits
// for them.
type crew struct {
	spawn   func(func(ctx context.Context)) bool // false: dismissed already
	dismiss func()
}

func newCrew() *crew {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var wg sync.WaitGroup
	gone := false
	return &crew{
		spawn: func(work func(ctx context.Context)) bool {
			mu.Lock()
			defer mu.Unlock()
			if !gone {
				wg.Go(func() { work(ctx) })
			}
			return !gone
		},
		dismiss: func() {
			mu.Lock()
			gone = true
			mu.Unlock()
			cancel()
			wg.Wait()
		},
	}
}

// gate counts what is inside, and once closed lets nothing in and tells when it is empty.
type gate struct {
	mu     sync.Mutex
	inside int
	empty  chan struct{} // not nil once closed
}

// enter is refused once the gate is closed, except to what somebody inside brings along.
func (g *gate) enter(fromInside bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil && (!fromInside || g.inside == 0) {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.empty != nil && g.inside == 0 {
		close(g.empty)
	}
}

func (g *gate) close() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.empty = make(chan struct{})
	if g.inside == 0 {
		close(g.empty)
	}
	return g.empty
}
