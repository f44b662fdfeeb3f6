package enginetest_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/engine/enginetest"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/sqlitestore"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// The stores' own queues have to pass, too.

func TestQueueOfSQLitePassesTheSuite(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, func(t *testing.T) (gtf.Store, gtf.Engine) {
		s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "gtf.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, s)
		return s, nil
	}, &enginetest.Options{Begin: map[string]func(*testing.T, gtf.Store) (gtf.Tx, func(bool) error){
		"database/sql": func(t *testing.T, s gtf.Store) (gtf.Tx, func(bool) error) {
			t.Helper()
			info, err := s.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", "file:"+info.Where+"?_pragma=busy_timeout(5000)")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return sqlitestore.Tx(tx), func(commit bool) error {
				if commit {
					return tx.Commit()
				}
				return tx.Rollback()
			}
		},
	}})
}

func TestQueueOfPostgreSQLPassesTheSuite(t *testing.T) {
	t.Parallel()
	var urls sync.Map // by store
	enginetest.Run(t, func(t *testing.T) (gtf.Store, gtf.Engine) {
		url := dbtest.Postgres(t)
		s, err := pgstore.Open(t.Context(), url, &pgstore.Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, s)
		urls.Store(s, url)
		return s, nil
	}, &enginetest.Options{Begin: map[string]func(*testing.T, gtf.Store) (gtf.Tx, func(bool) error){
		"pgx": func(t *testing.T, s gtf.Store) (gtf.Tx, func(bool) error) {
			t.Helper()
			url, _ := urls.Load(s)
			conn, err := pgx.Connect(t.Context(), fmt.Sprint(url))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close(context.Background()) }) // ends what is open, too
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return pgstore.Tx(tx), func(commit bool) error {
				if commit {
					return tx.Commit(t.Context())
				}
				return tx.Rollback(t.Context())
			}
		},
	}})
}

func closeAfter(t *testing.T, s gtf.Store) {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
