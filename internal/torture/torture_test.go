package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/servers"
	"github.com/globaltask/gtf/internal/torture/conduct"
	"github.com/globaltask/gtf/internal/torture/load"
)

// The processes of a test are this binary.
func TestMain(m *testing.M) {
	load.Main()
	os.Exit(m.Run())
}

func TestTorture(t *testing.T) {
	tests := []struct {
		name string
		o    conduct.Options
	}{
		{"no fault loses, doubles or strands a task on SQLite", conduct.Options{Store: conduct.StoreSQLite, Duration: 20 * time.Second, Seed: 11}},
		{"no fault loses, doubles or strands a task on PostgreSQL", conduct.Options{Store: conduct.StorePostgres, Duration: 40 * time.Second, Seed: 12}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Out = t.Output()
			err := conduct.Run(t.Context(), tt.o)
			if errors.Is(err, servers.ErrMissing) && os.Getenv("GTF_TEST_ALL") != "yes" {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
