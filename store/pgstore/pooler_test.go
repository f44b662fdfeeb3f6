package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/lock/locktest"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/storetest"
)

func TestStoreBehindAPoolerPassesMuchOfTheSuite(t *testing.T) {
	t.Parallel()
	direct := newShelf(t)
	pooled := &shelf{url: dbtest.PgBouncer(t, direct.url)}
	open := func(t *testing.T) *pgstore.Store {
		store := pooled.open(t)
		schema, _ := pooled.in.Load(gtf.Store(store))
		direct.in.Store(gtf.Store(store), schema)
		return store
	}
	// In a group of its own, so that the pooler stays until all have ended.
	t.Run("store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) gtf.Store { return open(t) }, &storetest.Options{
			Advance: func(t *testing.T, store gtf.Store, d time.Duration) { direct.advance(t, store, d) },
			Groups:  []string{"Submit", "Claim", "Finish", "Cancel", "Reap"}, // every kind of statement and transaction
		})
	})
	t.Run("locks", func(t *testing.T) {
		locktest.Run(t, func(t *testing.T) gtf.Locker { return open(t) },
			&locktest.Options{Advance: func(t *testing.T, l gtf.Locker, d time.Duration) { direct.advance(t, l, d) }})
	})
}

func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	direct := dbtest.Postgres(t)
	pooled := dbtest.PgBouncer(t, direct)

	t.Run("clients do all their work", func(t *testing.T) {
		t.Parallel()
		store := openURL(t, pooled, &pgstore.Options{Schema: "work"})
		cfg := does(func(ctx context.Context, in string) (string, error) {
			x := gtf.FromContext(ctx)
			x.Logger().Info("begun", "in", in)
			x.Progress(1, 2)
			if in == "retried" && x.Attempt() < 3 {
				return "", errors.New("not yet")
			}
			if in == "cancelled" {
				x.OnAbort(func(context.Context) error { return nil })
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			lease, err := x.Client().Lock(ctx, "one at a time", nil)
			if err != nil {
				return "", err
			}
			return in, lease.Release()
		})
		cfg.LookPolling, cfg.ClaimPolling = 100*time.Millisecond, 100*time.Millisecond
		c := startClient(t, store, cfg)
		cancelled := schedule(t, c, "cancelled", nil)
		together(8, func(i int) {
			in := fmt.Sprint(i % 6) // some join
			if i == 7 {
				in = "retried"
			}
			h, err := work.Schedule(within(t), c, in, nil)
			if err != nil {
				t.Errorf("Schedule: %v", err)
				return
			}
			if got, err := h.Wait(within(t)); err != nil || got != in {
				t.Errorf("the output is %q, %v, want %q", got, err, in)
			}
		})
		if got := must[string](t)(other.Run(within(t), c, "inline", nil)); got != "inline" {
			t.Errorf("Run gives %q", got)
		}
		eventually(t, "abortable", func() bool { return must[*gtf.Task](t)(c.Get(t.Context(), cancelled.ID)).Abortable })
		must[*gtf.Canceled](t)(cancelled.Cancel(t.Context(), &gtf.CancelOpts{Force: true}))
		if _, err := cancelled.Wait(within(t)); !errors.Is(err, gtf.ErrAborted) {
			t.Errorf("the cancelled task: %v", err)
		}
		task := must[*gtf.Task](t)(c.Get(t.Context(), cancelled.ID))
		if task.Logged.Lines != 1 {
			t.Errorf("%d lines are kept, want 1", task.Logged.Lines)
		}
		must[*gtf.TaskPage](t)(c.List(t.Context(), nil))
	})

	t.Run("the client says why signals do not arrive", func(t *testing.T) {
		t.Parallel()
		c := startClient(t, openURL(t, pooled, &pgstore.Options{Schema: "deaf"}), does(echo))
		eventually(t, "deaf for a reason", func() bool {
			err := c.LinkError()
			return err != nil && strings.Contains(err.Error(), "pooler")
		})
		must[string](t)(schedule(t, c, "key", nil).Wait(within(t))) // by polling
	})

	t.Run("signals arrive by a listen URL that leads past it", func(t *testing.T) {
		t.Parallel()
		store := openURL(t, pooled, &pgstore.Options{Schema: "past", ListenURL: direct})
		worker := startClient(t, store, patiently(echo))
		linked(t, worker)
		web := newClient(t, openURL(t, pooled, &pgstore.Options{Schema: "past", ListenURL: direct}), nil)
		for i := range 3 {
			must[string](t)(schedule(t, web, fmt.Sprint(i), nil).Wait(within(t)))
		}
	})

	t.Run("fifty callers at once are served", func(t *testing.T) {
		t.Parallel()
		var clients []*gtf.Client
		for range 4 {
			cfg := does(echo)
			cfg.LookPolling, cfg.ClaimPolling = 200*time.Millisecond, 200*time.Millisecond
			clients = append(clients, startClient(t, openURL(t, pooled, &pgstore.Options{Schema: "crowd"}), cfg))
		}
		together(50, func(i int) {
			c := clients[i%len(clients)]
			for n := range 6 {
				in := fmt.Sprint(i, n)
				h, err := work.Schedule(within(t), c, in, nil)
				if err != nil {
					t.Errorf("Schedule: %v", err)
					return
				}
				if got, err := h.Wait(within(t)); err != nil || got != in {
					t.Errorf("the output is %q, %v, want %q", got, err, in)
				}
				if _, err := c.Get(within(t), h.ID); err != nil {
					t.Errorf("Get: %v", err)
				}
			}
		})
	})

}
