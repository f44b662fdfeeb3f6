package live_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/live"
)

var (
	admin = gtf.Viewer{All: true, Kind: gtf.KindUser, ID: "root"}
	ada   = gtf.Viewer{Kind: gtf.KindUser, ID: "ada"}
	bob   = gtf.Viewer{Kind: gtf.KindUser, ID: "bob"}
)

// journal is a store that knows nothing but what changed. Its cursors are c0, c1 and so on: how many changes are before.
type journal struct {
	gtf.Store // nil: nothing else is asked for

	mu      sync.Mutex
	changes []gtf.Change
	reads   []string // the cursors that were asked for
	reset   bool     // the next read is told to reset
	err     error    // of every read
	onRead  func()   // at the end of every read with a cursor, while nobody else reads
	slow    time.Duration

	reading, most atomic.Int32 // reads of others than the feed, at once
}

func (j *journal) Changes(_ context.Context, p *gtf.ChangesParams, v gtf.Viewer) (*gtf.Changes, error) {
	j.mu.Lock()
	slow := j.slow
	j.mu.Unlock()
	if !v.All {
		j.most.Store(max(j.most.Load(), j.reading.Add(1)))
		defer j.reading.Add(-1)
	}
	<-time.After(slow)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reads = append(j.reads, p.After)
	if j.err != nil {
		return nil, j.err
	}
	now := "c" + strconv.Itoa(len(j.changes))
	if j.reset || p.After == "" {
		answer := &gtf.Changes{Cursor: now, Reset: j.reset}
		j.reset = false
		return answer, nil
	}
	at, err := strconv.Atoi(strings.TrimPrefix(p.After, "c"))
	if err != nil {
		return nil, &gtf.ValidationError{Problems: []gtf.Problem{{Field: "cursor", Reason: "is none"}}}
	}
	to := min(at+p.Limit, len(j.changes))
	out := &gtf.Changes{Cursor: "c" + strconv.Itoa(to), More: to < len(j.changes)}
	for _, c := range j.changes[at:to] {
		if v.SeesChange(&c) && (p.Types == nil || slices.Contains(p.Types, c.Type)) {
			out.Tasks = append(out.Tasks, c)
		}
	}
	if j.onRead != nil {
		j.onRead()
	}
	return out, nil
}

func (j *journal) Get(_ context.Context, id gtf.ID, v gtf.Viewer) (*gtf.Task, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return nil, j.err
	}
	for _, c := range slices.Backward(j.changes) {
		if c.ID == id && v.SeesChange(&c) {
			return &gtf.Task{ID: id, Type: c.Type, Status: c.Status, Version: c.Version, Progress: c.Progress, Subscribers: c.Subscribers}, nil
		} else if c.ID == id {
			break
		}
	}
	return nil, gtf.ErrNotFound
}

func (j *journal) set(do func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	do()
}

// count is how many reads there were.
func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.reads)
}

// world is a hub behind a server without a network, in a bubble.
type world struct {
	store   *journal
	bus     *gtf.LocalSignals
	client  *gtf.Client
	hub     *live.Hub
	browser *http.Client

	mu      sync.Mutex
	streams []live.Stream
}

func newWorld(t *testing.T, o live.Options) *world {
	t.Helper()
	w := &world{store: &journal{}, bus: &gtf.LocalSignals{Alone: true}}
	client, err := gtf.New(w.store, &gtf.Config{Signals: w.bus, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	w.client, w.hub = client, live.New(client, o)
	l := newPipes()
	server := &http.Server{Handler: http.HandlerFunc(w.serve), ReadTimeout: 1e9, WriteTimeout: 1e9}
	w.browser = &http.Client{Transport: &http.Transport{DialContext: l.dial}}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		w.hub.Close()
		w.browser.CloseIdleConnections()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Errorf("streams did not end: %v", err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
		if err := client.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if open := w.hub.Stats().Open; open != 0 {
			t.Errorf("%d streams are counted after the last", open)
		}
	})
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Path[1:])
	w.mu.Lock()
	s := w.streams[n]
	w.mu.Unlock()
	s.After = live.After(r)
	w.hub.Serve(rw, r, s)
}

// request is one for a stream behind a cursor.
func (w *world) request(t *testing.T, method string, s live.Stream) *http.Request {
	t.Helper()
	w.mu.Lock()
	w.streams = append(w.streams, s)
	path := "http://gtf/" + strconv.Itoa(len(w.streams)-1)
	w.mu.Unlock()
	r, err := http.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if s.After != "" {
		r.URL.RawQuery = "cursor=" + s.After
	}
	return r
}

// do returns an answer whose body nobody reads yet. It is closed at the end.
func (w *world) do(t *testing.T, r *http.Request) *reader {
	t.Helper()
	answer, err := w.browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	synctest.Wait()
	return &reader{status: answer.StatusCode, header: answer.Header, body: answer.Body}
}

// open is a client that reads all it gets.
func (w *world) open(t *testing.T, s live.Stream) *reader {
	t.Helper()
	r := w.do(t, w.request(t, http.MethodGet, s))
	if r.status != http.StatusOK {
		t.Fatalf("status %d, want a stream", r.status)
	}
	go r.read()
	synctest.Wait()
	return r
}

// change commits changes and wakes whoever follows them.
func (w *world) change(t *testing.T, changes ...gtf.Change) {
	t.Helper()
	w.store.set(func() { w.store.changes = append(w.store.changes, changes...) })
	w.signal(t)
}

func (w *world) signal(t *testing.T) {
	t.Helper()
	if err := w.bus.Publish(t.Context(), []gtf.Signal{{Kind: gtf.SignalChanged}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the least time between two reads of a feed
	synctest.Wait()
}

// named is the task of one letter.
func named(name byte) gtf.ID { return gtf.ID{15: name} }

// task is a change of a private task whose subscribers are given.
func task(name byte, version int64, status gtf.Status, who ...gtf.Viewer) gtf.Change {
	c := gtf.Change{ID: named(name), Type: "t." + string(name), Scope: gtf.ScopePrivate, Status: status, Version: version}
	for _, v := range who {
		c.Subscribers = append(c.Subscribers, gtf.Subscriber{Kind: v.Kind, ID: v.ID})
	}
	return c
}

// reader keeps what a stream sent, a line for each block: "task a 3 success", "hello c1", "id c2", "end",
// "retry", ":".
type reader struct {
	status int
	header http.Header
	body   io.ReadCloser

	mu     sync.Mutex
	blocks []string
	over   bool
}

func (r *reader) read() {
	lines := bufio.NewScanner(r.body)
	var block []string
	for lines.Scan() {
		if line := lines.Text(); line != "" {
			block = append(block, line)
			continue
		}
		r.mu.Lock()
		r.blocks = append(r.blocks, brief(block))
		r.mu.Unlock()
		block = nil
	}
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
}

func brief(block []string) string {
	var parts []string
	for _, line := range block {
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "event":
			parts = append(parts, value)
		case "id":
			switch {
			case len(parts) == 0:
				parts = append(parts, "id", value)
			case value != parts[0]:
				parts = append(parts, value)
			}
		case "retry":
			parts = append(parts, "retry")
		case "data":
			var task struct {
				ID      gtf.ID `json:"id"`
				Version int64  `json:"version"`
				Status  string `json:"status"`
			}
			if err := json.Unmarshal([]byte(value), &task); err != nil {
				parts = append(parts, err.Error())
			} else if task.Status != "" {
				parts = append(parts, fmt.Sprintf("%c %d %s", task.ID[15], task.Version, task.Status))
			}
		default:
			parts = append(parts, ":")
		}
	}
	return strings.Join(parts, " ")
}

// wants takes what came and compares.
func (r *reader) wants(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.blocks, want) {
		t.Errorf("got %q, want %q", r.blocks, want)
	}
	r.blocks = nil
}

func (r *reader) isOver() bool {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// pipes is a listener whose connections are in memory: a write waits for its reader, by the bubble's clock.
type pipes struct {
	calls chan net.Conn
	gone  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{calls: make(chan net.Conn), gone: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.calls <- theirs:
		return ours, nil
	case <-p.gone:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.gone:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.gone) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
