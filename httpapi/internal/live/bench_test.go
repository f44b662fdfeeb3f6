package live_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/live"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/sqlitestore"
)

const (
	benchClients = 1000
	benchStalled = 10  // of them read nothing behind the hello
	benchTasks   = 200 // each changes once a second
	benchPeople  = 20  // whom the tasks belong to
	benchSeconds = 10
)

// BenchmarkStreams has 1,000 clients on connections of their own to this process while 200 tasks report progress once a second
// each. Half of the clients see all tasks, half a twentieth; ten read nothing. It reports the memory of an open stream, and the
// time from a commit until a client has read of it, for all clients that read.
func BenchmarkStreams(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		store, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "gtf.db"), nil)
		if err != nil {
			b.Fatal(err)
		}
		benchStreams(b, store)
	})
	b.Run("postgres", func(b *testing.B) {
		store, err := pgstore.Open(b.Context(), dbtest.Postgres(b), &pgstore.Options{Migrate: true})
		if err != nil {
			b.Fatal(err)
		}
		benchStreams(b, store)
	})
}

func benchStreams(b *testing.B, store interface {
	gtf.Store
	gtf.SignalSource
}) {
	b.Helper()
	defer func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}()
	for b.Loop() {
		t := &traffic{Store: store, report: make(chan int64)}
		t.serve(b, store.Signals())
		t.begin(b)
		t.connect(b)
		t.change(b)
		t.tell(b)
		t.close(b)
	}
}

// traffic is a store that notes when reports were committed, and all that goes on above it.
type traffic struct {
	gtf.Store

	client  *gtf.Client
	hub     *live.Hub
	servers [2]*http.Server // the second has connections that hold little
	address [2]string
	serving sync.WaitGroup
	report  chan int64 // the number of the next report, to whichever task is free

	conns   []net.Conn
	idle    float64 // bytes of a stream
	commits [1 + benchTasks*benchSeconds]atomic.Int64
	began   time.Time
	took    time.Duration
	reading sync.WaitGroup
	mu      sync.Mutex
	late    []time.Duration
}

// Update notes the time of each report by its number.
func (t *traffic) Update(ctx context.Context, updates []gtf.Update) ([]bool, error) {
	held, err := t.Store.Update(ctx, updates)
	for i := range updates {
		if p := updates[i].Progress; p != nil {
			t.commits[p.Current].Store(int64(time.Since(t.began)))
		}
	}
	return held, err
}

func (t *traffic) serve(b *testing.B, signals gtf.Signals) {
	b.Helper()
	work := gtf.Define[int, int]("bench.count", nil).Handler(func(ctx context.Context, _ int) (int, error) {
		x := gtf.FromContext(ctx)
		for n := range t.report {
			x.Count(int(n))
			if err := x.Flush(ctx); err != nil {
				return 0, err
			}
		}
		return 0, nil
	})
	var err error
	t.client, err = gtf.New(t, &gtf.Config{Logger: discard, Signals: signals, Handlers: []gtf.Handler{work}})
	if err != nil {
		b.Fatal(err)
	}
	t.hub = live.New(t.client, live.Options{MaxPerPrincipal: benchClients, WriteTimeout: 2 * time.Second})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := r.URL.Query().Get("who")
		t.hub.Serve(w, r, live.Stream{Viewer: gtf.Viewer{All: who == "admin", Kind: gtf.KindUser, ID: who}})
	})
	for i := range t.servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		t.address[i] = l.Addr().String()
		t.servers[i] = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		if i == 1 {
			t.servers[i].ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				if err := c.(*net.TCPConn).SetWriteBuffer(4096); err != nil { //nolint:errcheck // the listener is one of TCP
					b.Error(err)
				}
				return ctx
			}
		}
		t.serving.Go(func() {
			if err := t.servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				b.Error(err)
			}
		})
	}
}

// begin starts the tasks, which wait for what to report.
func (t *traffic) begin(b *testing.B) {
	b.Helper()
	def := gtf.Define[int, int]("bench.count", nil)
	for i := range benchTasks {
		ctx := gtf.WithPrincipal(b.Context(), gtf.Principal{ID: fmt.Sprint("user", i%benchPeople)})
		if _, err := def.Start(ctx, t.client, i, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// connect opens the streams and reads their hello, without anything of its own but the connections, and measures memory.
func (t *traffic) connect(b *testing.B) {
	b.Helper()
	before := inUse()
	buffer := make([]byte, 4096)
	for i := range benchClients {
		who, server := "admin", 0
		if i%2 == 1 {
			who = fmt.Sprint("user", i/2%benchPeople)
		}
		if i < 2*benchStalled && i%2 == 0 { // they see all
			server = 1
		}
		c, err := net.Dial("tcp", t.address[server])
		if err != nil {
			b.Fatal(err)
		}
		t.conns = append(t.conns, c)
		if server == 1 {
			if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil { //nolint:errcheck // it is one of TCP
				b.Fatal(err)
			}
		}
		if _, err := fmt.Fprintf(c, "GET /?who=%s HTTP/1.1\r\nHost: gtf\r\n\r\n", who); err != nil {
			b.Fatal(err)
		}
		for got := []byte(nil); !bytes.Contains(got, []byte("data: {}")); {
			n, err := c.Read(buffer)
			if err != nil {
				b.Fatalf("%s: %v", got, err)
			}
			got = append(got, buffer[:n]...)
		}
	}
	t.idle = float64(inUse()-before) / benchClients
}

// inUse is what this process needs by itself: heap and stacks, without what is garbage.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// change has all that can read while tasks report.
func (t *traffic) change(b *testing.B) {
	b.Helper()
	t.began = time.Now()
	for i, c := range t.conns {
		if i < 2*benchStalled && i%2 == 0 {
			continue
		}
		t.reading.Go(func() { t.read(b, c) })
	}
	timer := time.NewTimer(0)
	for n := int64(1); n <= benchTasks*benchSeconds; n++ {
		<-timer.C
		t.report <- n
		timer.Reset(time.Until(t.began.Add(time.Duration(n) * time.Second / benchTasks)))
	}
	t.took = time.Since(t.began)
}

// read takes the time of every event of a task until the stream ends.
func (t *traffic) read(b *testing.B, c net.Conn) {
	late := make([]time.Duration, 0, benchTasks*benchSeconds)
	current := []byte(`"progress_current":`)
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				b.Error(err)
			}
			break
		}
		_, rest, found := bytes.Cut(line, current)
		if number, _, ok := bytes.Cut(rest, []byte(",")); found && ok {
			if n, err := strconv.Atoi(string(number)); err == nil {
				late = append(late, max(0, time.Since(t.began)-time.Duration(t.commits[n].Load())))
			}
		}
		if bytes.HasPrefix(line, []byte("event: reset")) {
			b.Error("a client that reads was told to reset")
		}
		if bytes.HasPrefix(line, []byte("event: bye")) {
			break
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late = append(t.late, late...)
}

// tell ends the streams and says what was measured.
func (t *traffic) tell(b *testing.B) {
	b.Helper()
	stats := t.hub.Stats()
	t.hub.Close()
	t.reading.Wait()
	if stats.Cut != benchStalled || stats.Open != benchClients-benchStalled {
		b.Errorf("%+v, want %d cut", stats, benchStalled)
	}
	slices.Sort(t.late)
	if len(t.late) == 0 {
		b.Fatal("no client was told anything")
	}
	at := func(part float64) float64 {
		return float64(t.late[int(part*float64(len(t.late)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(t.idle, "B/stream")
	b.ReportMetric(benchTasks*benchSeconds/t.took.Seconds(), "updates/s")
	b.ReportMetric(float64(len(t.late))/t.took.Seconds(), "events/s")
	b.ReportMetric(at(0.50), "p50-ms")
	b.ReportMetric(at(0.95), "p95-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}

func (t *traffic) close(b *testing.B) {
	b.Helper()
	close(t.report)
	for _, c := range t.conns {
		_ = c.Close() // some have been cut
	}
	for _, server := range t.servers {
		if err := server.Shutdown(b.Context()); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			b.Error(err)
		}
	}
	t.serving.Wait()
	if err := t.client.Stop(b.Context()); err != nil {
		b.Error(err)
	}
}
