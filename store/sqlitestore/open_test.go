package sqlitestore_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("of a fresh file by many at once makes one schema", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "fresh.db")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				store, err := sqlitestore.Open(t.Context(), path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer store.Close()
				if info, err := store.Info(t.Context()); err != nil || info.Schema != 2 {
					t.Errorf("schema %v, error %v, want 2", info, err)
				}
			})
		}
		wg.Wait()
	})

	t.Run("takes any path that a file can have", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "what? 100% #1 ünï&x=y.db")
		store, err := sqlitestore.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if info, err := store.Info(t.Context()); err != nil || info.Where != path || info.Bytes == 0 {
			t.Errorf("info %+v, error %v, want %s", info, err, path)
		}
	})

	t.Run("without migrating refuses an older schema, and takes a current one", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "old.db")
		only := &sqlitestore.Options{NoMigrate: true}
		if _, err := sqlitestore.Open(t.Context(), path, only); !errors.Is(err, gtf.ErrSchema) {
			t.Errorf("an empty file gives %v, want ErrSchema", err)
		}
		for _, opts := range []*sqlitestore.Options{nil, only} {
			store, err := sqlitestore.Open(t.Context(), path, opts)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
	})

	for name, tt := range map[string]struct {
		path string
		opts *sqlitestore.Options
		want string
	}{
		"a directory that is not there": {"/no/such/dir/a.db", nil, "no such file or directory"},
		"a directory":                   {"/", nil, "is a directory"},
		"an unknown setting":            {"a.db", &sqlitestore.Options{Synchronous: "off"}, "must be NORMAL or FULL"},
	} {
		t.Run("says what is wrong with "+name, func(t *testing.T) {
			t.Parallel()
			if _, err := sqlitestore.Open(t.Context(), tt.path, tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q in it", err, tt.want)
			}
		})
	}
}
