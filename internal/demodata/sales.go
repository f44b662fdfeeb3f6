package demodata

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Sales is a query that fits FillSales: the whole table, the newest first.
const Sales = "SELECT id, sold_at, region, customer, product, quantity, cents FROM sales ORDER BY sold_at DESC, id DESC"

const (
	salesTable = `CREATE TABLE sales (
	id       INTEGER PRIMARY KEY,
	sold_at  TIMESTAMP NOT NULL,
	region   TEXT NOT NULL,
	customer TEXT NOT NULL,
	product  TEXT NOT NULL,
	quantity INTEGER NOT NULL,
	cents    INTEGER NOT NULL
)`
	salesRow  = "(?,?,?,?,?,?,?)"
	perInsert = 100 // rows of one statement: fewer round trips through the driver
)

var (
	regions  = []string{"north", "east", "south", "west"}
	forename = []string{"Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Frances", "Dennis", "Hedy", "Niklaus"}
	surname  = []string{"Adams", "Brown", "Çelik", "Díaz", "Evans", "Fischer", "Garcia", "Hansen", "Ito", "Jones", "Kowalski", "Łukasik"}
	products = []struct {
		name  string
		cents int
	}{
		{"tea", 450}, {"coffee", 890}, {"mug, blue", 1290}, {"mug, \"the big one\"", 1690}, {"kettle", 3990}, {"grinder", 8900},
		{"espresso machine", 64900}, {"filter paper", 290}, {"cup & saucer", 1490},
	}
)

// FillSales makes a SQLite database at path with a table sales of n rows, over the three years before 2026.
func FillSales(ctx context.Context, path string, n int) (err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	file := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	db, err := sql.Open("sqlite", file.String())
	if err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil) // one for all: each would otherwise wait for the disk
	if err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	defer tx.Rollback() //nolint:errcheck // after the commit it does nothing
	if _, err := tx.ExecContext(ctx, salesTable); err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	if err := insertSales(ctx, tx, n); err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	return nil
}

func insertSales(ctx context.Context, tx *sql.Tx, n int) error {
	many, err := tx.PrepareContext(ctx, "INSERT INTO sales VALUES "+salesRow+strings.Repeat(","+salesRow, perInsert-1)) //nolint:gosec // placeholders
	if err != nil {
		return err
	}
	defer many.Close()
	one, err := tx.PrepareContext(ctx, "INSERT INTO sales VALUES "+salesRow)
	if err != nil {
		return err
	}
	defer one.Close()
	r := rand.New(rand.NewPCG(2, 2))
	for id := 1; id <= n; {
		insert, rows := many, perInsert
		if n-id+1 < perInsert {
			insert, rows = one, 1
		}
		var values []any
		for range rows {
			values = append(values, sale(r, id, n)...)
			id++
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return fmt.Errorf("row %d: %w", id, err)
		}
	}
	return nil
}

// sale is one row; ids rise with time.
func sale(r *rand.Rand, id, n int) []any {
	product := products[r.IntN(len(products))]
	quantity := 1 + int(r.ExpFloat64()*2)
	const span = 3 * 365 * 24 * time.Hour
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-span + span/time.Duration(n)*time.Duration(id-1))
	return []any{
		id, at.Format(time.DateTime), regions[r.IntN(len(regions))],
		forename[r.IntN(len(forename))] + " " + surname[r.IntN(len(surname))], product.name, quantity, quantity * product.cents,
	}
}
