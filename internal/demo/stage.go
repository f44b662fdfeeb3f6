package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/demodata"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// stage is everything that is needed, and what has become of it.
type stage struct {
	Options
	tempo

	board    *board
	dir      string // temporary
	database string // of gtf
	store    gtf.Store
	client   *gtf.Client
	worker   *worker
	material material
	repo     place
	goSource place // zero if there is none

	cast
	lastWords []string // of the worker's log
}

// tempo is how long things take.
type tempo struct {
	beat         time.Duration // between two scenes, to read
	backoff      gtf.Backoff
	delay        time.Duration // of the joined task: it must not be over before it is joined, however quick the machine
	pictures     int
	rows         int
	nightlySteps int
	nightlyStep  time.Duration
	reportStep   time.Duration
	queryLimit   time.Duration
}

var (
	slow = tempo{
		beat: time.Second, backoff: gtf.Backoff{Base: time.Second, Max: 2 * time.Second}, delay: 2 * time.Second, pictures: 100, rows: 200_000,
		nightlySteps: 60, nightlyStep: 250 * time.Millisecond, reportStep: 200 * time.Millisecond, queryLimit: 4 * time.Second,
	}
	fast = tempo{
		beat: 100 * time.Millisecond, backoff: gtf.Backoff{Base: 200 * time.Millisecond, Max: time.Second}, delay: time.Second, pictures: 60, rows: 20_000,
		nightlySteps: 20, nightlyStep: 100 * time.Millisecond, reportStep: 100 * time.Millisecond, queryLimit: time.Second,
	}
)

// openStage makes what is needed. What it returns has to be closed, with an error too.
func openStage(ctx context.Context, b *board, o Options, fail context.CancelCauseFunc) (*stage, error) {
	s := &stage{Options: o, tempo: slow, board: b}
	if o.Fast {
		s.tempo = fast
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "gtf-demo-"); err != nil {
		return s, fmt.Errorf("make a temporary directory: %w", err)
	}
	s.database = s.path("gtf.db")
	store, err := sqlitestore.Open(ctx, s.database, nil)
	if err != nil {
		return s, fmt.Errorf("make the database: %w", err)
	}
	s.store = store
	if s.client, err = gtf.New(s.store, &gtf.Config{Backoff: s.backoff, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return s, err
	}
	if s.worker, err = startWorker(o.Binary, databaseURL(s.database), s.path("worker.log"), fail); err != nil {
		return s, err
	}
	s.material.make(ctx, s)
	s.repo, s.goSource = findRepository(o), findGoSource(ctx)
	b.say("", "three people share one worker: ada (an admin), grace and alan")
	b.say("", "the database is %s, fresh", s.database)
	b.say("", "the worker is process %d, a program of its own; it runs %d tasks at a time", s.worker.pid, slots)
	err = s.untilWorking(ctx)
	return s, err
}

// untilWorking waits for the worker's first heartbeat.
func (s *stage) untilWorking(ctx context.Context) error {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		workers, err := s.client.Workers(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(workers, func(w gtf.Worker) bool { return len(w.Types) > 0 }) {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// close leaves nothing behind, except with Keep the directory.
func (s *stage) close() error {
	var errs []error
	s.material.done.Wait()
	if s.worker != nil {
		errs = append(errs, s.worker.close())
	}
	if s.client != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		errs = append(errs, s.client.Stop(ctx))
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.dir != "" && !s.Keep {
		errs = append(errs, os.RemoveAll(s.dir))
		if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s is still there", s.dir))
		}
	}
	return errors.Join(errs...)
}

// path is one of a file in the temporary directory.
func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// databaseURL is the path as gtf's own setting has it.
func databaseURL(path string) string {
	return "sqlite://" + strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(filepath.ToSlash(path))
}

// material is what is made while the first scenes are played.
type material struct {
	done          sync.WaitGroup
	drawn, filled chan error
}

func (m *material) make(ctx context.Context, s *stage) {
	m.drawn, m.filled = make(chan error, 1), make(chan error, 1)
	m.done.Go(func() { m.drawn <- demodata.DrawImages(ctx, s.path("pictures"), s.pictures) })
	m.done.Go(func() { m.filled <- demodata.FillSales(ctx, s.path("sales.filling"), s.rows) })
}

// await waits for one of them.
func await(ctx context.Context, made <-chan error) error {
	select {
	case err := <-made:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
