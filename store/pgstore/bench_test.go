package pgstore_test

import (
	"testing"

	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/storetest"
)

func BenchmarkLife(b *testing.B) {
	store, err := pgstore.Open(b.Context(), dbtest.Postgres(b), &pgstore.Options{Migrate: true})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	storetest.BenchLife(b, store)
}
