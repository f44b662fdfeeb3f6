// Package live tells many clients over HTTP which tasks have changed, by server-sent events (S11).
//
// One [Hub] serves all streams of a process from one feed of changes, which it reads with the subscribers of the tasks: each
// stream picks what its viewer may see (S10.2). What a stream sends, in this order:
//
//	hello   The stream is open. Its id is a cursor, unless what was missed since the client's own cursor follows now.
//	task    {"id", "version", "status", "progress", "progress_current", "progress_total"}: a nudge. The task has changed, and this
//	        is how it was then; percent is 0 to 1, and what is unknown is null. It may come twice, or be older than what the
//	        client knows: the version tells.
//	reset   What changed is not known, or more than this client takes: it should read all that it shows once.
//	end     {"id"}: only for a stream of one task: it has ended, or the viewer sees it no longer. Nothing more comes.
//	bye     {"retry"}: the server ends the stream: it stops, gtf is switched off, the stream is old, or its right is gone.
//	        The client comes back after so many milliseconds with its cursor; nothing is lost.
//
// The id of an event, and of a block without one, is a cursor as Last-Event-ID or ?cursor= take it: all before it has been
// sent. Events of tasks carry none, but the block behind the last one does, so that a connection that breaks in between
// loses nothing. Comments keep an idle connection open. The id of the event end is the word end, and a stream that is asked
// to go on behind that is 204, by which an EventSource gives up.
//
// Nobody waits for a slow reader. What it has not read waits in a bounded buffer; when that is full it is thrown away, and a
// reset is sent instead. A connection that takes nothing for a while is cut.
package live

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

// Options bound the streams. Zero fields are the defaults.
type Options struct {
	// Buffer is how many events wait for one slow reader before they become a reset. Default 1,024.
	Buffer int
	// Heartbeat is the time between two comments, and how often the right to the stream is checked. Default 15 s.
	Heartbeat time.Duration
	// Linger is how long changes are still followed after the last stream. Default 1 min.
	Linger time.Duration
	// Logger. Default none.
	Logger *slog.Logger
	// MaxAge of a stream, less up to a tenth, so that its client has to show its credentials again. Default 1 h.
	MaxAge time.Duration
	// MaxMissed is how many changes a client that comes back is told of before it is told to reset. Default 5,000.
	MaxMissed int
	// MaxPerPrincipal is how many streams one principal may have open. Default 32.
	MaxPerPrincipal int
	// MaxStreams is how many streams there are in all. Default 4,096.
	MaxStreams int
	// WriteTimeout is how long a connection may take nothing. Default 10 s.
	WriteTimeout time.Duration
}

// Stream says what one client asks for.
type Stream struct {
	// Viewer is who asks. One who is nobody and does not see everything gets 401.
	Viewer gtf.Viewer
	// Only narrows it to one task, which the viewer sees: it is told at once as it is, whatever After says. Default all.
	Only gtf.ID
	// Types narrows it to tasks of these types. Default all.
	Types []string
	// After is the cursor to go on behind, see [After]. Default from now on.
	After string
	// Alive reports whether the client still has the right to the stream. It is asked every Heartbeat. Default it has.
	Alive func(context.Context) bool
}

// After is the cursor of a request: its Last-Event-ID, which an EventSource sends with the old address, or else ?cursor=.
func After(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return r.URL.Query().Get("cursor")
}

// Hub serves the streams of one process. Its methods may be called by many goroutines.
type Hub struct {
	client  *gtf.Client
	o       Options
	readers chan struct{} // holds one for each client that reads what it missed
	running sync.WaitGroup
	counts  counts

	mu       sync.Mutex
	flow     *flow // nil: nothing is followed
	admitted int
	of       map[person]int
	linger   *time.Timer
	closed   bool
}

// person is whose streams are counted together.
type person struct {
	kind gtf.PrincipalKind
	id   string
}

// maxReaders is how many clients read at once what they missed: after a restart all come back together.
const maxReaders = 8

// New makes a hub, which reads nothing before its first stream. Close it.
func New(client *gtf.Client, o Options) *Hub {
	d := Options{Buffer: 1024, Heartbeat: 15 * time.Second, Linger: time.Minute, Logger: slog.New(slog.DiscardHandler), MaxAge: time.Hour,
		MaxMissed: 5000, MaxPerPrincipal: 32, MaxStreams: 4096, WriteTimeout: 10 * time.Second}
	if o.Logger == nil {
		o.Logger = d.Logger
	}
	for _, each := range []struct{ given, standard *int }{
		{&o.Buffer, &d.Buffer}, {&o.MaxMissed, &d.MaxMissed}, {&o.MaxPerPrincipal, &d.MaxPerPrincipal}, {&o.MaxStreams, &d.MaxStreams},
	} {
		if *each.given <= 0 {
			*each.given = *each.standard
		}
	}
	for _, each := range []struct{ given, standard *time.Duration }{
		{&o.Heartbeat, &d.Heartbeat}, {&o.Linger, &d.Linger}, {&o.MaxAge, &d.MaxAge}, {&o.WriteTimeout, &d.WriteTimeout},
	} {
		if *each.given <= 0 {
			*each.given = *each.standard
		}
	}
	return &Hub{client: client, o: o, readers: make(chan struct{}, maxReaders), of: map[person]int{}}
}

// Close says bye on every stream and lets no new one in. It does not wait for them: their server does. Closing twice is
// harmless.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.letGo()
	h.mu.Unlock()
	h.running.Wait()
}

// Stats counts what the streams of a hub have done since it was made.
type Stats struct {
	Open    int   // streams, now
	Opened  int64 // streams
	Refused int64 // streams, because there were too many
	Events  int64 // of tasks, that were put into buffers or sent to who had missed them
	Resets  int64
	Cut     int64 // streams, because the client took nothing
}

type counts struct{ opened, refused, events, resets, cut atomic.Int64 }

// Stats are the counts so far.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	open := h.admitted
	h.mu.Unlock()
	c := &h.counts
	return Stats{Open: open, Opened: c.opened.Load(), Refused: c.refused.Load(), Events: c.events.Load(), Resets: c.resets.Load(), Cut: c.cut.Load()}
}

// admit lets a stream in, and begins to follow changes for the first. leave is to be called at its end.
func (h *Hub) admit(v gtf.Viewer) (f *flow, leave func(), refusal *web.Problem) {
	who := person{v.Kind, v.ID}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		refusal = web.NewProblem(http.StatusServiceUnavailable, "the server is stopping")
	case h.admitted >= h.o.MaxStreams:
		refusal = web.NewProblem(http.StatusServiceUnavailable, "too many event streams are open")
	case who.id != "" && h.of[who] >= h.o.MaxPerPrincipal:
		refusal = web.NewProblem(http.StatusTooManyRequests, "too many event streams of yours are open")
	}
	if refusal != nil {
		h.counts.refused.Add(1)
		return nil, nil, refusal
	}
	h.counts.opened.Add(1)
	h.admitted++
	h.of[who]++
	if h.linger != nil {
		h.linger.Stop()
	}
	if h.flow == nil || h.flow.isOver() {
		h.follow()
	}
	return h.flow, func() { h.leave(who) }, nil
}

func (h *Hub) leave(who person) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.admitted--
	if h.of[who]--; h.of[who] == 0 {
		delete(h.of, who)
	}
	if h.admitted == 0 && !h.closed {
		h.linger = time.AfterFunc(h.o.Linger, h.quiet)
	}
}

// quiet ends the feed if still nobody has come.
func (h *Hub) quiet() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.admitted == 0 {
		h.letGo()
	}
}

// letGo ends the feed, and with it the streams. The lock is held.
func (h *Hub) letGo() {
	if h.linger != nil {
		h.linger.Stop()
	}
	if h.flow != nil {
		h.flow.stop()
		h.flow = nil
	}
}

// follow begins to read changes. The lock is held.
func (h *Hub) follow() {
	ctx, stop := context.WithCancel(context.Background())
	f := &flow{over: ctx.Done(), stop: stop, ready: make(chan struct{}), listeners: map[*listener]struct{}{}}
	h.flow = f
	h.running.Go(func() { h.read(ctx, f) })
	h.running.Go(func() { h.watchSwitch(f) })
}

// read hands out changes until the flow is stopped, or cannot go on.
func (h *Hub) read(ctx context.Context, f *flow) {
	defer f.stop()
	for changes, err := range h.client.Feed(ctx, "") {
		switch {
		case err == nil:
			h.handOut(f, changes)
		case ctx.Err() == nil && !errors.Is(err, gtf.ErrStopped):
			h.o.Logger.Error("event streams end: changes cannot be followed", "error", err)
		}
	}
}

// watchSwitch ends the flow soon after gtf was switched off (S1.2).
func (h *Hub) watchSwitch(f *flow) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for h.client.Enabled() {
		select {
		case <-f.over:
			return
		case <-tick.C:
		}
	}
	f.stop()
}

// within is a random part of d, not less than a tenth, so that clients do not come back in step.
func within(d time.Duration) time.Duration {
	return d - time.Duration(rand.Float64()*0.9*float64(d))
}
