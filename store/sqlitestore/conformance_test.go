package sqlitestore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/lock/locktest"
	"github.com/globaltask/gtf/signal/signaltest"
	"github.com/globaltask/gtf/store/sqlitestore"
	"github.com/globaltask/gtf/store/storetest"
)

// open opens a store at path until the test ends.
func open(t *testing.T, path string) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func inFile(t *testing.T) *sqlitestore.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "gtf.db"))
}

func inMemory(t *testing.T) *sqlitestore.Store {
	t.Helper()
	return open(t, ":memory:")
}

func TestStoreInFilePassesTheSuite(t *testing.T) {
	t.Parallel()
	var paths sync.Map // of a store: its file
	storetest.Run(t, func(t *testing.T) gtf.Store {
		path := filepath.Join(t.TempDir(), "gtf.db")
		store := open(t, path)
		paths.Store(store, path)
		return store
	}, &storetest.Options{OneWriter: true, Statements: statements, Begin: func(t *testing.T, store gtf.Store) (gtf.Tx, func(), func()) {
		path, _ := paths.Load(store)
		return begin(t, fmt.Sprint(path))
	}})
}

func statements(s gtf.Store) int64 {
	return s.(interface{ Statements() int64 }).Statements() //nolint:errcheck // a store that does not count would panic, as it should
}

// begin starts a transaction of a connection of its own.
func begin(t *testing.T, path string) (tx gtf.Tx, commit, rollback func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(1000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	own, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	end := func(err error) {
		t.Helper()
		if err != nil {
			t.Errorf("end the transaction: %v", err)
		}
	}
	return sqlitestore.Tx(own), func() { end(own.Commit()) }, func() { end(own.Rollback()) }
}

func TestStoreInMemoryPassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) gtf.Store { return inMemory(t) }, &storetest.Options{Statements: statements})
}

func TestLocksPassTheSuite(t *testing.T) {
	t.Parallel()
	t.Run("in a file", func(t *testing.T) {
		t.Parallel()
		locktest.Run(t, func(t *testing.T) gtf.Locker { return inFile(t) }, nil)
	})
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		locktest.Run(t, func(t *testing.T) gtf.Locker { return inMemory(t) }, nil)
	})
}

func TestSignalsPassTheSuite(t *testing.T) {
	t.Parallel()
	signaltest.Run(t, func(t *testing.T) (a, b gtf.Signals) {
		signals := inFile(t).Signals()
		return signals, signals
	})
}
