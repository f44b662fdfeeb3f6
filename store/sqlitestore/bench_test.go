package sqlitestore_test

import (
	"path/filepath"
	"testing"

	"github.com/globaltask/gtf/store/sqlitestore"
	"github.com/globaltask/gtf/store/storetest"
)

func BenchmarkLife(b *testing.B) {
	store, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "gtf.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	storetest.BenchLife(b, store)
}
