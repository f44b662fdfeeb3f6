package demodata

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDrawImages(t *testing.T) {
	t.Parallel()
	t.Run("draws what can be decoded, the same each time", func(t *testing.T) {
		t.Parallel()
		one, two := filepath.Join(t.TempDir(), "new"), t.TempDir()
		for _, dir := range []string{one, two} {
			if err := DrawImages(t.Context(), dir, 3); err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]string{"picture-001.jpg": "jpeg", "picture-002.jpg": "jpeg", "picture-003.png": "png"} {
			a, err := os.ReadFile(filepath.Join(one, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, format, err := image.Decode(bytes.NewReader(a)); err != nil || format != want {
				t.Errorf("%s is %q (error %v), want %q", name, format, err, want)
			}
			if b, err := os.ReadFile(filepath.Join(two, name)); err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s differs the second time (error %v)", name, err)
			}
		}
	})
	t.Run("stops with its context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := DrawImages(ctx, t.TempDir(), 1); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want context.Canceled", err)
		}
	})
}

func TestFillSales(t *testing.T) {
	t.Parallel()
	t.Run("fills as many rows as asked for", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "sales?.db")
		if err := FillSales(t.Context(), path, 1234); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path, filepath.Join(filepath.Dir(path), "sales.db")); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", filepath.Join(filepath.Dir(path), "sales.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var rows, regions int
		var first, last string
		err = db.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT region), min(sold_at)||'', max(sold_at)||'' FROM ("+Sales+")").
			Scan(&rows, &regions, &first, &last)
		if err != nil {
			t.Fatal(err)
		}
		if rows != 1234 || regions != 4 || first != "2023-01-02 00:00:00" || last < "2025-12" || last >= "2026" {
			t.Errorf("got %d rows of %d regions from %s to %s", rows, regions, first, last)
		}
	})
	t.Run("says which file it could not fill", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "missing", "sales.db")
		if err := FillSales(t.Context(), path, 1); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error is %v, want one that names the file", err)
		}
	})
}

func BenchmarkFillSales(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		if err := FillSales(b.Context(), filepath.Join(dir, "sales.db"), 200_000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDrawImages(b *testing.B) {
	for b.Loop() {
		if err := DrawImages(b.Context(), b.TempDir(), 10); err != nil {
			b.Fatal(err)
		}
	}
}
