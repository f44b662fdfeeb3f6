package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
)

func TestScheduleInATransactionOfTheCaller(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	kinds := map[string]func(*testing.T, string) (gtf.Tx, func(), func()){"of pgx": beginPgx, "of database/sql": beginSQL}
	s := &shelf{url: url}

	for name, begin := range kinds {
		t.Run(name+" wakes the worker by its commit, and not before (S4.7)", func(t *testing.T) {
			t.Parallel()
			store := s.open(t)
			ran := make(chan string, 10)
			worker := startClient(t, store, patiently(func(_ context.Context, in string) (string, error) {
				ran <- in
				return in, nil
			}))
			linked(t, worker)
			web := newClient(t, store, &gtf.Config{LookInterval: time.Hour})
			for _, in := range []string{"one", "two"} { // the second is not helped by the claim at the start
				tx, commit, _ := begin(t, url)
				h := schedule(t, web, in, &gtf.ScheduleOpts{Tx: tx})
				if !silent(ran, 300*time.Millisecond) {
					t.Error("it ran before the commit")
				}
				commit()
				if got := must[string](t)(h.Wait(within(t))); got != in {
					t.Errorf("the output is %q, want %q", got, in)
				}
				receive(t, ran, "run")
			}
		})
		t.Run(name+" leaves nothing and wakes nobody by its rollback (S4.7)", func(t *testing.T) {
			t.Parallel()
			store := s.open(t)
			c := startClient(t, store, patiently(func(_ context.Context, in string) (string, error) {
				if in == "never" {
					t.Error("it runs")
				}
				return in, nil
			}))
			linked(t, c)
			tx, _, rollback := begin(t, url)
			h := schedule(t, c, "never", &gtf.ScheduleOpts{Tx: tx})
			rollback()
			h.Announce(t.Context())
			must[string](t)(schedule(t, c, "another", nil).Wait(within(t))) // claimed after the rollback
			if _, err := h.Wait(within(t)); !errors.Is(err, gtf.ErrNotFound) {
				t.Errorf("Wait gives %v, want ErrNotFound", err)
			}
		})
		t.Run(name+" takes many tasks, all or nothing (S4.8)", func(t *testing.T) {
			t.Parallel()
			c := startClient(t, s.open(t), patiently(echo))
			linked(t, c)
			for _, commits := range []bool{false, true} {
				tx, commit, rollback := begin(t, url)
				items := make([]gtf.Item[string], 50)
				for i := range items {
					items[i] = gtf.Item[string]{In: fmt.Sprint(i), Opts: &gtf.ScheduleOpts{Tx: tx}}
				}
				handles := must[[]*gtf.Handle[string]](t)(work.ScheduleMany(within(t), c, items))
				if !commits {
					rollback()
					continue
				}
				commit()
				for i, h := range handles {
					if got := must[string](t)(h.Wait(within(t))); got != fmt.Sprint(i) {
						t.Errorf("item %d: the output is %q", i, got)
					}
				}
			}
			if page := must[*gtf.TaskPage](t)(c.List(within(t), nil)); page.Count != 50 {
				t.Errorf("there are %d tasks, want 50", page.Count)
			}
		})
	}

	t.Run("wakes nobody where signals do not go by it, until it is announced (S4.7)", func(t *testing.T) {
		t.Parallel()
		store := s.open(t)
		between := &gtf.LocalSignals{}
		cfg := patiently(echo)
		cfg.Signals = between
		claims := make(chan struct{}, 100)
		c := startClient(t, &noting{Store: store, claims: claims}, cfg)
		receive(t, claims, "claimed at the start")
		eventually(t, "quiet", func() bool { return silent(claims, 200*time.Millisecond) }) // the link wakes the worker, too
		tx, commit, _ := beginPgx(t, url)
		h := schedule(t, c, "key", &gtf.ScheduleOpts{Tx: tx})
		commit()
		if !silent(claims, 300*time.Millisecond) {
			t.Error("a claim was made without a signal")
		}
		if look := must[[]gtf.Look](t)(store.Look(t.Context(), []gtf.ID{h.ID})); look[0].Status != gtf.StatusPending {
			t.Errorf("before Announce the task is %s", look[0].Status)
		}
		h.Announce(t.Context())
		must[string](t)(h.Wait(within(t)))
	})

	t.Run("that began long before it commits is found at its commit, however much was claimed meanwhile", func(t *testing.T) {
		t.Parallel()
		store := s.open(t)
		c := startClient(t, store, patiently(echo))
		linked(t, c)
		for round := range 3 {
			tx, commit, _ := beginPgx(t, url)
			h := schedule(t, c, fmt.Sprint("slow ", round), &gtf.ScheduleOpts{Tx: tx})
			for i, began := 0, time.Now(); time.Since(began) < 700*time.Millisecond; i++ { // later tasks overtake it
				must[string](t)(schedule(t, c, fmt.Sprint("fast ", round, i), nil).Wait(within(t)))
			}
			commit()
			began := time.Now()
			must[string](t)(h.Wait(within(t)))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it ended %v after its commit", took)
			}
		}
	})

	t.Run("fails where the transaction has ended or has failed", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, s.open(t), nil)
		tx, commit, _ := beginPgx(t, url)
		commit()
		if _, err := work.Schedule(within(t), c, "key", &gtf.ScheduleOpts{Tx: tx}); !errors.Is(err, pgx.ErrTxClosed) {
			t.Errorf("in a transaction that has ended: %v, want %v", err, pgx.ErrTxClosed)
		}
		own := must[pgx.Tx](t)(connect(t, url).Begin(t.Context()))
		if _, err := own.Exec(t.Context(), "SELECT 1/0"); err == nil {
			t.Fatal("1/0 is a number")
		}
		if _, err := work.Schedule(within(t), c, "key", &gtf.ScheduleOpts{Tx: pgstore.Tx(own)}); err == nil {
			t.Error("in a transaction that has failed: no error")
		}
		_ = own.Rollback(t.Context())
	})

	t.Run("is undone alone by a savepoint of the caller", func(t *testing.T) {
		t.Parallel()
		c := startClient(t, s.open(t), patiently(echo))
		linked(t, c)
		own := must[pgx.Tx](t)(connect(t, url).Begin(t.Context()))
		stays := schedule(t, c, "stays", &gtf.ScheduleOpts{Tx: pgstore.Tx(own)})
		point := must[pgx.Tx](t)(own.Begin(t.Context()))
		goes := schedule(t, c, "goes", &gtf.ScheduleOpts{Tx: pgstore.Tx(point)})
		ended(t, point.Rollback(t.Context()))
		ended(t, own.Commit(t.Context()))
		must[string](t)(stays.Wait(within(t)))
		if _, err := goes.Wait(within(t)); !errors.Is(err, gtf.ErrNotFound) {
			t.Errorf("what was rolled back to the savepoint: %v, want ErrNotFound", err)
		}
	})
}

// noting is a store that tells of claims.
type noting struct {
	gtf.Store
	claims chan struct{}
}

func (n *noting) Claim(ctx context.Context, p *gtf.ClaimParams) (*gtf.Claimed, error) {
	select {
	case n.claims <- struct{}{}:
	default:
	}
	return n.Store.Claim(ctx, p)
}
