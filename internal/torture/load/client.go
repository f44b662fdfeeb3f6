package load

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
	"github.com/globaltask/gtf/signal/redissignal"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// SQLiteScheme begins the name of a SQLite file.
const SQLiteScheme = "sqlite:"

// StatementTimeout is that of PostgreSQL's stores.
const StatementTimeout = 5 * time.Second

// OpenStore opens what a job names.
func OpenStore(ctx context.Context, name string, migrate bool) (gtf.Store, error) {
	if path, ok := strings.CutPrefix(name, SQLiteScheme); ok {
		return sqlitestore.Open(ctx, path, &sqlitestore.Options{NoMigrate: !migrate})
	}
	return pgstore.Open(ctx, name, &pgstore.Options{Migrate: migrate, StatementTimeout: StatementTimeout})
}

// grace is short, so that a drain interrupts some tasks and lets others finish.
const grace = time.Second

func (p *process) newClient(signals gtf.Signals) (*gtf.Client, error) {
	t := p.job.Timing
	return gtf.New(&seenStore{Store: p.store, journal: p.journal, tokens: map[string]bool{}}, &gtf.Config{
		Backoff:        gtf.Backoff{Base: t.Heartbeat / 6, Max: 2 * t.Heartbeat},
		ClaimInterval:  4 * t.Heartbeat,
		ClaimPolling:   t.Heartbeat,
		FenceAfter:     t.Fence,
		Grace:          grace,
		HandlerTimeout: grace,
		Handlers:       handlers(p.journal),
		Heartbeat:      t.Heartbeat,
		Logger:         p.log,
		LookInterval:   6 * t.Heartbeat,
		LookPolling:    t.Heartbeat,
		Observer:       observer{p.journal},
		Queues:         map[string]int{gtf.DefaultQueue: 8, narrowQueue: 1},
		Retention:      gtf.None,
		Signals:        signals,
		StuckAfter:     t.Fence,
		Throttle:       t.Heartbeat / 3,
		Version:        p.job.Name,
		WorkerTimeout:  t.WorkerTimeout,
	})
}

// openSignals opens the transport that a job names; nil is that of the store.
func (p *process) openSignals(ctx context.Context) (gtf.Signals, func() error, error) {
	nothing := func() error { return nil }
	switch p.job.Signals {
	case "store":
		return nil, nothing, nil
	case "none":
		return &gtf.LocalSignals{}, nothing, nil
	}
	s, err := redissignal.Open(ctx, p.job.Signals, nil)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// seenStore writes down which worker ids and which token of the housekeeping lease are this process's.
type seenStore struct {
	gtf.Store
	journal *journal.Writer

	mu     sync.Mutex
	tokens map[string]bool
}

var (
	_ gtf.SignalSource = (*seenStore)(nil)
	_ gtf.Wide         = (*seenStore)(nil)
)

// Register tells the id before it can be seen in the table.
func (s *seenStore) Register(ctx context.Context, w *gtf.Worker) error {
	s.journal.Write(journal.Event{Kind: journal.Enlist, Worker: w.ID})
	return s.Store.Register(ctx, w)
}

// Acquire tells the token when it is first used.
func (s *seenStore) Acquire(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	s.mu.Lock()
	first := !s.tokens[token]
	s.tokens[token] = true
	s.mu.Unlock()
	if first {
		s.journal.Write(journal.Event{Kind: journal.Keeper, Token: token})
	}
	return s.Store.Acquire(ctx, name, token, ttl)
}

// Signals are those of the store.
func (s *seenStore) Signals() gtf.Signals {
	if source, ok := s.Store.(gtf.SignalSource); ok {
		return source.Signals()
	}
	return &gtf.LocalSignals{}
}

// InFlight is that of the store.
func (s *seenStore) InFlight() int {
	if w, ok := s.Store.(gtf.Wide); ok {
		return w.InFlight()
	}
	return 1
}

type observer struct{ journal *journal.Writer }

// Observe writes down when the claims of the process are given up.
func (o observer) Observe(e gtf.Event) {
	if e.Kind == gtf.EventFenced {
		o.journal.Write(journal.Event{Kind: journal.Fenced})
	}
}
