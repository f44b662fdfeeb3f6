package conduct

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/globaltask/gtf/internal/servers"
	"github.com/globaltask/gtf/internal/torture/audit"
	"github.com/globaltask/gtf/internal/torture/journal"
	"github.com/globaltask/gtf/internal/torture/load"
)

// stage is everything that a test needs, and takes away again.
type stage struct {
	o       *Options
	dir     string
	journal *journal.Writer
	calls   atomic.Int64
	spawner spawner

	store    string // the conductor's own way, past all proxies
	signals  string
	postgres *servers.Postgres
	redis    *servers.Redis
	server   sync.Mutex // one fault of a server at a time
	db       *audit.Database

	workers, submitters []*slot
	children            sync.WaitGroup

	mu       sync.Mutex
	problems []error
}

// problem is something that went wrong by itself, as opposed to what the record shows.
func (s *stage) problem(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err)
}

// openStage starts the servers and makes the schema.
func openStage(ctx context.Context, o *Options) (s *stage, err error) {
	s = &stage{o: o, signals: o.Signals, spawner: newSpawner()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(), os.RemoveAll(s.dir))
		}
	}()
	if s.dir, err = os.MkdirTemp(o.TempDir, "gtf-torture-"); err != nil {
		return s, err
	}
	if s.journal, err = journal.Create(s.dir, "conductor"); err != nil {
		return s, err
	}
	if err := s.openServers(ctx); err != nil {
		return s, err
	}
	store, err := load.OpenStore(ctx, s.store, true)
	if err != nil {
		return s, err
	}
	if err := store.Close(); err != nil {
		return s, err
	}
	if s.db, err = audit.Open(ctx, s.store); err != nil {
		return s, err
	}
	if err := s.openSlots(); err != nil {
		return s, err
	}
	return s, nil
}

func (s *stage) openServers(ctx context.Context) (err error) {
	if s.o.Signals == SignalsRedis {
		if s.redis, err = servers.StartRedis(ctx, nil); err != nil {
			return err
		}
		s.signals = s.redis.URL()
	}
	if s.o.Store == StoreSQLite {
		s.store = load.SQLiteScheme + filepath.Join(s.dir, "tasks.db")
		return nil
	}
	if s.postgres, err = servers.StartPostgres(ctx, &servers.PostgresOptions{NoSync: true}); err != nil {
		return err
	}
	s.store = s.postgres.URL()
	return nil
}

func (s *stage) openSlots() error {
	for i := range s.o.Workers {
		s.workers = append(s.workers, &slot{role: load.Worker, index: i + 1, store: s.store})
	}
	for i := range s.o.Submitters {
		s.submitters = append(s.submitters, &slot{role: load.Submitter, index: i + 1, store: s.store})
	}
	for _, sl := range s.slots() {
		if err := s.openNetwork(sl); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) slots() []*slot { return slices.Concat(s.workers, s.submitters) }

// openNetwork gives a slot a network of its own to the database.
func (s *stage) openNetwork(sl *slot) (err error) {
	if s.postgres == nil {
		return nil
	}
	if sl.proxy, err = servers.StartProxy(s.postgres.Addr()); err != nil {
		return err
	}
	u, err := url.Parse(s.store)
	if err != nil {
		return fmt.Errorf("the database's URL: %w", err)
	}
	u.Host = sl.proxy.Addr()
	sl.store = u.String()
	return nil
}

// close ends every process and server. The directory stays.
func (s *stage) close() error {
	for _, sl := range s.slots() {
		if c := sl.last(); c != nil {
			c.kill.Store(true)
			_ = c.cmd.Process.Kill() // it may have ended
		}
	}
	s.children.Wait()
	close(s.spawner)
	var errs []error
	for _, sl := range s.slots() {
		if sl.proxy != nil {
			sl.proxy.Stop()
		}
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Stop())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	return errors.Join(errs...)
}
