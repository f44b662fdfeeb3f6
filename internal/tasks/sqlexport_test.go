package tasks_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/demodata"
	"github.com/globaltask/gtf/internal/tasks"
)

// endless finds its first rows at once and then never another.
const endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT n FROM c WHERE n < 1000"

func TestExport(t *testing.T) {
	t.Parallel()
	t.Run("writes all rows as CSV or JSON lines", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		db := sales(t, 1500)
		dir := t.TempDir()
		asCSV, asJSON := filepath.Join(dir, "sales.csv"), filepath.Join(dir, "sales.jsonl")
		for format, path := range map[string]string{"csv": asCSV, "jsonl": asJSON} {
			out, err := tasks.Export.Run(ctx, c, tasks.ExportInput{DatabaseURL: db, Query: demodata.Sales, Format: format, Out: path}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if out.Rows != 1500 || out.Path != path || out.Bytes != int64(len(read(t, path))) {
				t.Errorf("output is %+v, want 1500 rows and the size of the file", out)
			}
		}
		rows, err := csv.NewReader(bytes.NewReader(read(t, asCSV))).ReadAll()
		if err != nil || len(rows) != 1501 || rows[0][0] != "id" || rows[1][0] != "1500" || rows[1500][0] != "1" {
			t.Fatalf("read back %d rows (error %v), want a header and 1500 from the newest", len(rows), err)
		}
		n := 0
		for lines := bufio.NewScanner(bytes.NewReader(read(t, asJSON))); lines.Scan(); n++ {
			var row struct {
				ID       int       `json:"id"`
				SoldAt   time.Time `json:"sold_at"`
				Customer string    `json:"customer"`
			}
			if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			if row.ID != 1500-n || row.Customer != rows[n+1][3] || row.SoldAt.Format(time.RFC3339) != rows[n+1][1] {
				t.Fatalf("line %d is %s, the CSV has %q", n+1, lines.Bytes(), rows[n+1])
			}
		}
		if n != 1500 {
			t.Errorf("read back %d lines, want 1500", n)
		}
	})
	t.Run("abort interrupts the query and leaves no file", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := tree(t, map[string]string{"rows.csv": "old"})
		h := start(ctx, t, c, tasks.Export, tasks.ExportInput{
			DatabaseURL: sales(t, 1), Query: endless, Format: "csv", Out: filepath.Join(dir, "rows.csv"),
		})
		await(ctx, t, h, "its query", func(task *gtf.Task) bool { return task.Logged.Lines > 0 })
		abort(ctx, t, c, h)
		wantFiles(t, dir, "rows.csv")
		if got := string(read(t, filepath.Join(dir, "rows.csv"))); got != "old" {
			t.Errorf("the file is %q, want the old one", got)
		}
		if log := logOf(ctx, t, c, h.ID); !strings.Contains(log, "query interrupted") {
			t.Errorf("the log does not say that the query was interrupted:\n%s", log)
		}
	})
	t.Run("a time limit interrupts the query", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := t.TempDir()
		_, err := tasks.Export.Run(ctx, c, tasks.ExportInput{
			DatabaseURL: sales(t, 1), Query: endless, Format: "jsonl", Out: filepath.Join(dir, "rows"),
		}, &gtf.RunOpts{Timeout: 50 * time.Millisecond})
		if !errors.Is(err, gtf.ErrTimedOut) {
			t.Errorf("error is %v, want that it timed out", err)
		}
		wantFiles(t, dir)
	})
	t.Run("a failed query leaves no file and reads only", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		db, dir := sales(t, 1), t.TempDir()
		for _, query := range []string{"SELECT nothing FROM sales", "SELECT abs(-9223372036854775808)", "DELETE FROM sales", "SELECT 1; DELETE FROM sales"} {
			_, err := tasks.Export.Run(ctx, c, tasks.ExportInput{DatabaseURL: db, Query: query, Format: "csv", Out: filepath.Join(dir, "rows")}, nil)
			if !errors.Is(err, gtf.ErrFailed) || !strings.Contains(err.Error(), "query: ") {
				t.Errorf("%s: error is %v, want a failure of the query", query, err)
			}
		}
		wantFiles(t, dir)
		out, err := tasks.Export.Run(ctx, c, tasks.ExportInput{DatabaseURL: db, Query: demodata.Sales, Format: "csv", Out: filepath.Join(dir, "rows")}, nil)
		if err != nil || out.Rows != 1 {
			t.Errorf("afterwards there are %d rows (error %v), want 1", out.Rows, err)
		}
	})
	t.Run("never shows the password", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		h := start(ctx, t, c, tasks.Export, tasks.ExportInput{
			DatabaseURL: "postgres://ada:verysecret@127.0.0.1:1/db?connect_timeout=5", Query: "SELECT 1", Format: "csv", Out: filepath.Join(t.TempDir(), "o"),
		})
		_, err := h.Wait(ctx)
		if !errors.Is(err, gtf.ErrFailed) {
			t.Fatalf("error is %v, want a failure", err)
		}
		task, getErr := c.Get(context.Background(), h.ID)
		if getErr != nil {
			t.Fatal(getErr)
		}
		shown := fmt.Sprintf("%+v", task)
		if all := err.Error() + shown + logOf(ctx, t, c, h.ID); strings.Contains(all, "verysecret") {
			t.Errorf("the password is shown: %s", all)
		}
	})
}

func TestExportFromPostgreSQL(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	t.Run("keeps exact numbers, JSON and times", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		path := filepath.Join(t.TempDir(), "out")
		out, err := tasks.Export.Run(ctx, c, tasks.ExportInput{DatabaseURL: url, Format: "jsonl", Out: path, Query: `
			SELECT 1::int AS i, 12345678901234567890.10::numeric AS n, 'NaN'::float8 AS nan, '{"k":1}'::jsonb AS j, date '2026-01-05' AS d,
				timestamptz '2026-01-05 10:00:00.5Z' AS ts, '\x00ff'::bytea AS b, ARRAY[1,2] AS a, NULL AS nothing, true AS yes`}, nil)
		if err != nil || out.Rows != 1 {
			t.Fatalf("%d rows, error %v", out.Rows, err)
		}
		want := `{"i":1,"n":12345678901234567890.10,"nan":"NaN","j":{"k":1},"d":"2026-01-05","ts":"2026-01-05T10:00:00.5Z",` +
			`"b":"AP8=","a":"{1,2}","nothing":null,"yes":true}` + "\n"
		if got := string(read(t, path)); got != want {
			t.Errorf("the line is %s, want %s", got, want)
		}
	})
	t.Run("abort interrupts the query on the server", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := t.TempDir()
		mark := "gtf test " + gtf.NewID().String()
		h := start(ctx, t, c, tasks.Export, tasks.ExportInput{
			DatabaseURL: url, Query: "SELECT 1 UNION ALL SELECT 1 FROM pg_sleep(600) -- " + mark, Format: "csv", Out: filepath.Join(dir, "out"),
		})
		watcher, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Close()
		running := func() (n int) {
			const q = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%' || $1"
			if err := watcher.QueryRowContext(ctx, q, mark).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for running() == 0 { // the server tells when it has begun
			if ctx.Err() != nil {
				t.Fatal("the query never began")
			}
		}
		abort(ctx, t, c, h)
		if n := running(); n > 0 {
			t.Errorf("%d queries still run on the server", n)
		}
		wantFiles(t, dir)
	})
	t.Run("reads only", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		_, err := tasks.Export.Run(ctx, c, tasks.ExportInput{
			DatabaseURL: url, Query: "CREATE TABLE gtf_test_never_made (n INT)", Format: "csv", Out: filepath.Join(t.TempDir(), "out"),
		}, nil)
		if !errors.Is(err, gtf.ErrFailed) || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("error is %v, want one that says read-only", err)
		}
	})
	t.Run("wants different names for JSON", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		_, err := tasks.Export.Run(ctx, c, tasks.ExportInput{
			DatabaseURL: url, Query: "SELECT 1 AS n, 2 AS n", Format: "jsonl", Out: filepath.Join(t.TempDir(), "out"),
		}, nil)
		if !errors.Is(err, gtf.ErrFailed) || !strings.Contains(err.Error(), `"n"`) {
			t.Errorf("error is %v, want one that names the column", err)
		}
	})
}

func sales(t *testing.T, rows int) (databaseURL string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sales.db")
	if err := demodata.FillSales(t.Context(), path, rows); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + path
}
