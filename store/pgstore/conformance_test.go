package pgstore_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/lock/locktest"
	"github.com/globaltask/gtf/signal/signaltest"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/storetest"
)

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil { // most of the time they wait; the command line overrides it
		panic(err)
	}
	dbtest.Main(m)
}

// shelf is one database in which each store has a schema of its own.
type shelf struct {
	url     string
	schemas atomic.Int64
	in      sync.Map // of a store: its schema
}

func newShelf(t *testing.T) *shelf { return &shelf{url: dbtest.Postgres(t)} }

// open opens a store in a fresh schema until the test ends.
func (s *shelf) open(t *testing.T) *pgstore.Store {
	t.Helper()
	return s.openSchema(t, fmt.Sprintf("schema_%d", s.schemas.Add(1)))
}

func (s *shelf) openSchema(t *testing.T, schema string) *pgstore.Store {
	t.Helper()
	store, err := pgstore.Open(t.Context(), s.url, &pgstore.Options{Migrate: true, Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	s.in.Store(gtf.Store(store), schema)
	return store
}

// instants are the columns that tell a time.
var instants = map[string][]string{
	"tasks":       {"created_at", "changed_at", "due_at", "queue_deadline", "started_at", "ended_at", "aborted_at", "enqueued_at"},
	"subscribers": {"since", "task_created"},
	"task_logs":   {"at"},
	"workers":     {"started_at", "beat_at", "lost_at"},
	"locks":       {"ends_at"},
}

// advance lets time pass: everything that is stored happened earlier.
func (s *shelf) advance(t *testing.T, store any, d time.Duration) {
	t.Helper()
	schema, ok := s.in.Load(store)
	if !ok {
		t.Fatal("the store is not of this shelf")
	}
	conn, err := pgx.Connect(t.Context(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if store, ok := store.(*pgstore.Store); ok {
		store.ForgetMarks()
	}
	back := fmt.Sprintf("interval '%d microseconds'", d.Microseconds())
	for table, columns := range instants {
		var sets []string
		for _, c := range columns {
			sets = append(sets, c+" = "+c+" - "+back)
		}
		if table == "tasks" {
			sets = append(sets, fmt.Sprintf(`attempts = coalesce((SELECT jsonb_agg(a || jsonb_build_object(
				'started_at', (a->>'started_at')::bigint - %[1]d, 'ended_at', (a->>'ended_at')::bigint - %[1]d) ORDER BY n)
				FROM jsonb_array_elements(attempts) WITH ORDINALITY AS e (a, n)), '[]')`, d.Microseconds()))
		}
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("UPDATE %s.%s SET %s", schema, table, strings.Join(sets, ", "))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStorePassesTheSuite(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	storetest.Run(t, func(t *testing.T) gtf.Store { return s.open(t) },
		&storetest.Options{
			Advance:    func(t *testing.T, store gtf.Store, d time.Duration) { s.advance(t, store, d) },
			Begin:      func(t *testing.T, _ gtf.Store) (gtf.Tx, func(), func()) { return beginPgx(t, s.url) },
			Statements: func(store gtf.Store) int64 { return store.(interface{ Statements() int64 }).Statements() }, //nolint:errcheck // shelf.open opens nothing else
		})
}

func TestStoreTakesTransactionsOfDatabaseSQL(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	storetest.RunSubmitTx(t, func(t *testing.T) gtf.Store { return s.open(t) },
		&storetest.Options{
			Advance: func(t *testing.T, store gtf.Store, d time.Duration) { s.advance(t, store, d) },
			Begin:   func(t *testing.T, _ gtf.Store) (gtf.Tx, func(), func()) { return beginSQL(t, s.url) },
		})
}

func TestLocksPassTheSuite(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	locktest.Run(t, func(t *testing.T) gtf.Locker { return s.open(t) },
		&locktest.Options{Advance: func(t *testing.T, l gtf.Locker, d time.Duration) { s.advance(t, l, d) }})
}

func TestSignalsPassTheSuite(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	signaltest.Run(t, func(t *testing.T) (a, b gtf.Signals) {
		schema := fmt.Sprintf("signals_%d", s.schemas.Add(1))
		return s.openSchema(t, schema).Signals(), s.openSchema(t, schema).Signals()
	})
}
