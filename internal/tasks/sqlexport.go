package tasks

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	"github.com/globaltask/gtf"
)

// ExportInput says what to export.
type ExportInput struct {
	DatabaseURL string `json:"database_url"` // sqlite:///path, sqlite://path or postgres://…; only read from
	Query       string `json:"query"`        // on SQLite one SELECT or VALUES
	Format      string `json:"format"`       // csv or jsonl
	Out         string `json:"out"`          // replaced if it exists
}

// ExportOutput says what was written.
type ExportOutput struct {
	Rows  int    `json:"rows"`
	Bytes int64  `json:"bytes"`
	Path  string `json:"path"`
}

// Export writes the rows of a query into a file. It is private: the input may hold a password, and the rows are for who
// asked.
var Export = gtf.Define[ExportInput, ExportOutput]("sql.export", &gtf.DefineOpts[ExportInput]{
	Check:       ExportInput.check,
	Description: "writes the rows of a query on a SQLite or PostgreSQL database into a CSV or JSON lines file",
	Name:        func(in ExportInput) string { return nameOf("Export to", filepath.Base(in.Out)) },
})

func export(ctx context.Context, in ExportInput) (ExportOutput, error) {
	x := gtf.FromContext(ctx)

	// What has to stop is the query, and it runs elsewhere: an abort handler stops it. It could as well be declared
	// abortable, as the query would end with ctx; but a handler runs first, while ctx lives. So the query gets a context of
	// its own, and what is done here after its end (say how far it came, ask the database something) still has one.
	querying, interrupt := context.WithCancel(ctx)
	defer interrupt()
	x.OnAbort(func(context.Context) error {
		interrupt()
		return nil
	})

	db, err := openSource(in.DatabaseURL)
	if err != nil {
		return ExportOutput{}, err
	}
	defer db.Close()
	out, err := createOutput(in.Out)
	if err != nil {
		return ExportOutput{}, err
	}
	x.OnCleanup(func(context.Context) error { return out.discard() })

	x.Logger().Info("query started")
	n, err := exportRows(querying, db, in, out, x.Count)
	if querying.Err() != nil {
		x.Logger().Warn("query interrupted", "rows", n)
		return ExportOutput{}, querying.Err() // what the database says of it is no news
	}
	if err != nil {
		return ExportOutput{}, err
	}
	info, err := out.Stat()
	if err != nil {
		return ExportOutput{}, fmt.Errorf("measure %s: %w", in.Out, err)
	}
	x.Logger().Info("rows written", "rows", n, "bytes", info.Size())
	return ExportOutput{Rows: n, Bytes: info.Size(), Path: in.Out}, out.keep()
}

func (in ExportInput) check() error {
	var bad problems
	checkDatabaseURL(&bad, in.DatabaseURL)
	if in.Query == "" {
		bad.add("query", "is empty")
	}
	if formats[in.Format] == nil {
		bad.add("format", "is %.50q, must be csv or jsonl", in.Format)
	}
	bad.absolute("out", in.Out)
	return bad.err()
}

// exportRows streams: one row at a time is in memory.
func exportRows(ctx context.Context, db *source, in ExportInput, out *output, count func(int)) (n int, err error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("connect to the database: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was changed
	rows, err := tx.QueryContext(ctx, db.interruptible(in.Query))
	if err != nil {
		return 0, fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return 0, fmt.Errorf("query: %w", err)
	}
	w := bufio.NewWriterSize(out, 64<<10)
	format, err := formats[in.Format](w, columns)
	if err != nil {
		return 0, err
	}
	values := make([]any, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return n, fmt.Errorf("read row %d: %w", n+1, err)
		}
		if err := format.row(values); err != nil {
			return n, fmt.Errorf("write row %d: %w", n+1, err)
		}
		if n++; n%100 == 0 {
			count(n)
		}
	}
	if err := rows.Err(); err != nil {
		return n, fmt.Errorf("read row %d: %w", n+1, err)
	}
	count(n)
	if err := format.end(); err != nil {
		return n, fmt.Errorf("write %s: %w", out.path, err)
	}
	if err := w.Flush(); err != nil {
		return n, fmt.Errorf("write %s: %w", out.path, err)
	}
	return n, nil
}
