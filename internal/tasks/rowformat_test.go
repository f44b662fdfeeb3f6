package tasks

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sqliteFile makes a database and returns its path.
func sqliteFile(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b?c#d%20.db") // a name that a careless URL would break
	db, err := sql.Open("sqlite", filepath.Join(filepath.Dir(path), "made.db"))
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("make a database: %v", err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	if err := os.Rename(filepath.Join(filepath.Dir(path), "made.db"), path); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	return path
}

// exported returns what a query on a SQLite file becomes.
func exported(t *testing.T, path, query, format string) string {
	t.Helper()
	db, err := openSource("sqlite://" + path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer db.Close()
	out, err := createOutput(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exportRows(context.Background(), db, ExportInput{Query: query, Format: format}, out, func(int) {}); err != nil {
		t.Fatalf("export: %v", err)
	}
	if err := out.keep(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRowFormat(t *testing.T) {
	t.Parallel()
	values := sqliteFile(t,
		`CREATE TABLE v (i INT, f REAL, s TEXT, b BLOB, d DATE, ts TIMESTAMP, j JSON)`,
		`INSERT INTO v VALUES (9007199254740993, 1.5, 'a "quoted", <b>'||char(10)||'line', x'00ff', '2026-01-05', '2026-01-05 10:00:00', '{"k": [1]}')`,
		`INSERT INTO v VALUES (NULL, 1e999, '', NULL, '2026-01-05 10:00:00', 'soon', 'not JSON')`,
	)
	t.Run("CSV has a header and quotes what needs it", func(t *testing.T) {
		t.Parallel()
		want := "i,f,s,b,d,ts,j\n" +
			"9007199254740993,1.5,\"a \"\"quoted\"\", <b>\nline\",AP8=,2026-01-05,2026-01-05T10:00:00Z,\"{\"\"k\"\": [1]}\"\n" +
			",+Inf,,,2026-01-05T10:00:00Z,soon,not JSON\n"
		if got := exported(t, values, "SELECT * FROM v", "csv"); got != want {
			t.Errorf("CSV is\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("JSON lines keep order, exact numbers and JSON", func(t *testing.T) {
		t.Parallel()
		want := `{"i":9007199254740993,"f":1.5,"s":"a \"quoted\", <b>\nline","b":"AP8=","d":"2026-01-05","ts":"2026-01-05T10:00:00Z","j":{"k":[1]}}` + "\n" +
			`{"i":null,"f":"+Inf","s":"","b":null,"d":"2026-01-05T10:00:00Z","ts":"soon","j":"not JSON"}` + "\n"
		if got := exported(t, values, "SELECT * FROM v", "jsonl"); got != want {
			t.Errorf("JSON lines are\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("a single empty field is still a row", func(t *testing.T) {
		t.Parallel()
		text := exported(t, values, "VALUES ('a'), (NULL), ('b'), ('') -- the end", "csv")
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(rows) != 5 {
			t.Errorf("read back %d rows and error %v, want 5: %q", len(rows), err, text)
		}
	})
	t.Run("rows keep the order of the query", func(t *testing.T) {
		t.Parallel()
		got := exported(t, values, "SELECT column1 AS n FROM (VALUES (1), (3), (2)) ORDER BY n DESC; ", "csv")
		if got != "n\n3\n2\n1\n" {
			t.Errorf("CSV is %q", got)
		}
	})
	t.Run("no rows are a header alone", func(t *testing.T) {
		t.Parallel()
		if got := exported(t, values, "SELECT i FROM v WHERE 0", "csv"); got != "i\n" {
			t.Errorf("CSV is %q", got)
		}
		if got := exported(t, values, "SELECT i FROM v WHERE 0", "jsonl"); got != "" {
			t.Errorf("JSON lines are %q", got)
		}
	})
}

func TestJSONOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		value        any
		databaseType string
		want         string
	}{
		{"exact numbers stay numbers", "12345678901234567890.10", "NUMERIC", `12345678901234567890.10`},
		{"an exact NaN is text", "NaN", "NUMERIC", `"NaN"`},
		{"a word in a number's column is text", "true", "NUMERIC", `"true"`},
		{"digits in a text column are text", "12", "TEXT", `"12"`},
		{"JSON as bytes is JSON", []byte(`[1]`), "JSONB", `[1]`},
		{"infinity is text", math.Inf(-1), "FLOAT8", `"-Inf"`},
		{"a moment keeps its fraction", time.Date(2026, 1, 5, 0, 0, 0, 5e8, time.UTC), "TIMESTAMPTZ", `"2026-01-05T00:00:00.5Z"`},
		{"a truth value is one", true, "BOOL", `true`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(jsonOf(tt.value, tt.databaseType))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestOpenSource(t *testing.T) {
	t.Parallel()
	path := sqliteFile(t, "CREATE TABLE t (n INT)")
	t.Run("a SQLite database cannot be written", func(t *testing.T) {
		t.Parallel()
		db, err := openSource("sqlite://" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err == nil || !strings.Contains(err.Error(), "readonly") {
			t.Errorf("writing gives error %v, want one that says readonly", err)
		}
	})
	t.Run("a missing file is named and not made", func(t *testing.T) {
		t.Parallel()
		missing := filepath.Join(t.TempDir(), "missing.db")
		if _, err := openSource("sqlite://" + missing); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("opening gives error %v, want one that names the file", err)
		}
		if _, err := os.Stat(missing); !os.IsNotExist(err) {
			t.Errorf("the file exists now: %v", err)
		}
	})
	t.Run("a URL that is not understood does not show its password", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{"postgres://u:se%zzcret@h/d", "postgres://u:secret@h:port/d", "postgres://u:secret@h/d?sslmode=secret"} {
			_, err := openSource(url)
			if err == nil || strings.Contains(err.Error(), "cret") {
				t.Errorf("error is %v, want one without the password", err)
			}
		}
	})
}
