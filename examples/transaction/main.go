// Command transaction stores an order and the task that confirms it in one PostgreSQL transaction: there are both, or
// neither. GTF_DATABASE_URL names the database; "make services" starts one to try.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/pgstore"
)

// Confirm tells a customer that an order has arrived.
var Confirm = gtf.Define[int64, string]("order.confirm", &gtf.DefineOpts[int64]{Scope: gtf.ScopeSystem})

// shop keeps its orders in the database in which gtf keeps the tasks.
type shop struct {
	client *gtf.Client
	pool   *pgxpool.Pool
}

// place stores an order and the task that confirms it. Without a payment there is neither.
func (s *shop) place(ctx context.Context, customer string, pay func() error) (h *gtf.Handle[string], err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var order int64
		row := tx.QueryRow(ctx, "INSERT INTO example_orders (customer) VALUES ($1) RETURNING id", customer)
		if err := row.Scan(&order); err != nil {
			return err
		}
		h, err = Confirm.Schedule(ctx, s.client, order, &gtf.ScheduleOpts{Tx: pgstore.Tx(tx)})
		if err != nil {
			return err // PostgreSQL takes nothing more in this transaction
		}
		return pay()
	})
	return h, err
}

// confirm finds the order, because the task exists only if that was committed.
func (s *shop) confirm(ctx context.Context, order int64) (string, error) {
	var customer string
	row := s.pool.QueryRow(ctx, "SELECT customer FROM example_orders WHERE id = $1", order)
	if err := row.Scan(&customer); err != nil {
		return "", fmt.Errorf("read order %d: %w", order, err)
	}
	return "dear " + customer + ", thank you", nil
}

func main() {
	url := os.Getenv("GTF_DATABASE_URL")
	if !strings.HasPrefix(url, "postgres") {
		log.Fatal("GTF_DATABASE_URL names no PostgreSQL database: run make services, which prints a line to paste")
	}
	if err := run(context.Background(), url); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string) (err error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close() // the store uses it, and closes only what it has opened itself
	store, err := pgstore.New(ctx, pool, &pgstore.Options{Migrate: true})
	if err != nil {
		return err
	}
	s := &shop{pool: pool}
	s.client, err = gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Confirm.Handler(s.confirm)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, s.client.Stop(ctx), store.Close()) }()
	if err := s.client.Start(ctx); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "CREATE TABLE example_orders (id bigint GENERATED ALWAYS AS IDENTITY, customer text)"); err != nil {
		return err
	}
	defer func() {
		_, dropErr := pool.Exec(ctx, "DROP TABLE example_orders")
		err = errors.Join(err, dropErr)
	}()
	return s.open(ctx)
}

// open serves two customers.
func (s *shop) open(ctx context.Context) error {
	h, err := s.place(ctx, "Grace", func() error { return errors.New("the card is refused") })
	fmt.Println("Grace:", err)
	_, err = s.client.Get(ctx, h.ID)
	fmt.Println("her task does not exist:", errors.Is(err, gtf.ErrNotFound))

	if h, err = s.place(ctx, "Ada", func() error { return nil }); err != nil {
		return err
	}
	mail, err := h.Wait(ctx) // the commit has woken the worker: the signal is part of the transaction
	if err != nil {
		return err
	}
	fmt.Println("Ada:", mail)
	var orders int
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM example_orders").Scan(&orders)
	fmt.Println("orders:", orders)
	return err
}

// Output:
// Grace: the card is refused
// her task does not exist: true
// Ada: dear Ada, thank you
// orders: 1
