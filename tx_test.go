package gtf_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// callersTx begins a transaction of the caller on a file, from a connection of its own.
func callersTx(t *testing.T, path string) *sql.Tx {
	t.Helper()
	db := must[*sql.DB](t)(sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(1000)"))
	t.Cleanup(func() { _ = db.Close() })
	tx := must[*sql.Tx](t)(db.BeginTx(t.Context(), nil))
	t.Cleanup(func() { _ = tx.Rollback() }) // if the test has not ended it
	return tx
}

// commit ends a transaction of the caller.
func commit(t *testing.T, tx *sql.Tx) {
	t.Helper()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// foreign is a transaction that no store has made.
type foreign struct{ name string }

func (foreign) Unwrap() any { return nil }

// mail is a transport that goes by transaction: what it was given is on record.
type mail struct {
	gtf.LocalSignals
	mu   sync.Mutex
	sent []gtf.Signal
	err  error
}

func (m *mail) PublishTx(_ context.Context, _ gtf.Tx, batch []gtf.Signal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, batch...)
	return m.err
}

func TestScheduleInATransactionOfTheCaller(t *testing.T) {
	t.Parallel()
	t.Run("runs after the commit, at once when it is announced (S4.7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gtf.db")
			between := &gtf.LocalSignals{}
			cfg := executes(echo)
			cfg.Signals, cfg.ClaimPolling, cfg.LookPolling = between, time.Hour, time.Second
			startClient(t, openFile(t, path), cfg)
			web := newClient(t, openFile(t, path), &gtf.Config{Signals: between, LookPolling: time.Second})

			tx := callersTx(t, path)
			h := schedule(t.Context(), t, web, sharedWork, "key", &gtf.ScheduleOpts{Tx: sqlitestore.Tx(tx)})
			_, err := h.Wait(t.Context())
			wantErr(t, "Wait before the commit", err, gtf.ErrNotFound)
			commit(t, tx)
			time.Sleep(time.Minute)
			wantStatus(t, web, h.ID, gtf.StatusPending) // nobody has told the worker
			began := time.Now()
			h.Announce(t.Context())
			if got := must[string](t)(h.Wait(t.Context())); got != "key" {
				t.Errorf("the output is %q, want key", got)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("after Announce it took %v, want no look to be waited for", took)
			}
			h.Announce(t.Context()) // again is harmless
		})
	})
	t.Run("without Announce is found by looking (S4.7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gtf.db")
			c := startClient(t, openFile(t, path), executes(echo))
			tx := callersTx(t, path)
			h := schedule(t.Context(), t, c, sharedWork, "key", &gtf.ScheduleOpts{Tx: sqlitestore.Tx(tx)})
			commit(t, tx)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			must[string](t)(h.Wait(ctx))
		})
	})
	t.Run("never runs after a rollback, announced or not (S4.7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gtf.db")
			c := startClient(t, openFile(t, path), executes(func(context.Context, string) (string, error) {
				t.Error("it runs")
				return "", nil
			}))
			tx := callersTx(t, path)
			h := schedule(t.Context(), t, c, sharedWork, "key", &gtf.ScheduleOpts{Tx: sqlitestore.Tx(tx)})
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			h.Announce(t.Context())
			time.Sleep(time.Minute)
			_, err := h.Wait(t.Context())
			wantErr(t, "Wait", err, gtf.ErrNotFound)
			if n := len(all(t, c)); n != 0 {
				t.Errorf("there are %d tasks, want none", n)
			}
		})
	})
	t.Run("of many tasks is one with the transaction (S4.7, S4.8)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gtf.db")
			c := startClient(t, openFile(t, path), executes(echo))
			for _, commits := range []bool{false, true} {
				own := callersTx(t, path)
				tx := sqlitestore.Tx(own)
				items := make([]gtf.Item[string], 20)
				for i := range items {
					items[i] = gtf.Item[string]{In: fmt.Sprint(i % 10), Opts: &gtf.ScheduleOpts{Tx: tx}}
				}
				handles := must[[]*gtf.Handle[string]](t)(sharedWork.ScheduleMany(t.Context(), c, items))
				for i, h := range handles {
					if h.ID != handles[i%10].ID || h.Joined != (i >= 10) {
						t.Errorf("item %d: task %s, joined %v", i, h.ID, h.Joined)
					}
				}
				if !commits {
					if err := own.Rollback(); err != nil {
						t.Fatal(err)
					}
					continue
				}
				commit(t, own)
				for _, h := range handles {
					h.Announce(t.Context())
				}
				for i, h := range handles {
					if got := must[string](t)(h.Wait(t.Context())); got != fmt.Sprint(i%10) {
						t.Errorf("item %d: the output is %q", i, got)
					}
				}
			}
			if n := len(all(t, c)); n != 10 {
				t.Errorf("there are %d tasks, want 10", n)
			}
		})
	})
	t.Run("of many tasks wants one transaction for all", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		in := func(tx gtf.Tx) gtf.Item[string] {
			return gtf.Item[string]{In: "key", Opts: &gtf.ScheduleOpts{Tx: tx}}
		}
		_, err := sharedWork.ScheduleMany(t.Context(), c, []gtf.Item[string]{in(foreign{"a"}), in(foreign{"b"}), in(foreign{"a"}), {In: "key"}})
		wantProblems(t, err, "items[1].tx", "items[3].tx")
		_, err = sharedWork.ScheduleMany(t.Context(), c, []gtf.Item[string]{{In: "key"}, in(foreign{"a"})})
		wantProblems(t, err, "items[1].tx")
	})
	t.Run("refuses a transaction that is not of the store, and a database in memory", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gtf.db")
		c, inMemory := newClient(t, openFile(t, path), nil), newClient(t, openFile(t, ":memory:"), nil)
		_, err := sharedWork.Schedule(t.Context(), c, "key", &gtf.ScheduleOpts{Tx: foreign{}})
		wantProblems(t, err, "tx")
		_, err = sharedWork.ScheduleMany(t.Context(), c, []gtf.Item[string]{{In: "key", Opts: &gtf.ScheduleOpts{Tx: foreign{}}}})
		wantProblems(t, err, "tx")
		tx := callersTx(t, path)
		_, err = sharedWork.Schedule(t.Context(), inMemory, "key", &gtf.ScheduleOpts{Tx: sqlitestore.Tx(tx)})
		wantProblems(t, err, "tx")
	})
	t.Run("that is refused leaves the transaction as it was", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gtf.db")
		c := newClient(t, openFile(t, path), nil)
		own := callersTx(t, path)
		tx := sqlitestore.Tx(own)
		_, err := sharedWork.Schedule(t.Context(), c, "", &gtf.ScheduleOpts{Tx: tx}) // no key
		wantProblems(t, err, "key")
		h := schedule(t.Context(), t, c, sharedWork, "key", &gtf.ScheduleOpts{Tx: tx})
		commit(t, own)
		wantStatus(t, c, h.ID, gtf.StatusPending)
	})
	t.Run("in a client that is off or stopped writes nothing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gtf.db")
		c := newClient(t, openFile(t, path), nil)
		own := callersTx(t, path)
		opts := &gtf.ScheduleOpts{Tx: sqlitestore.Tx(own)}
		c.SetEnabled(false)
		_, err := sharedWork.Schedule(t.Context(), c, "key", opts)
		wantErr(t, "switched off", err, gtf.ErrDisabled)
		c.SetEnabled(true)
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = sharedWork.Schedule(t.Context(), c, "key", opts)
		wantErr(t, "stopped", err, gtf.ErrStopped)
		_, err = sharedWork.ScheduleMany(t.Context(), c, []gtf.Item[string]{{In: "key", Opts: opts}})
		wantErr(t, "stopped, many", err, gtf.ErrStopped)
		commit(t, own)
		if n := len(all(t, c)); n != 0 {
			t.Errorf("there are %d tasks, want none", n)
		}
	})
	t.Run("sends signals with the transaction where they can go by it, each once (S9.9)", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gtf.db")
		post := &mail{}
		c := newClient(t, openFile(t, path), &gtf.Config{Signals: post})
		known := schedule(t.Context(), t, c, sharedWork, "known", nil)
		own := callersTx(t, path)
		opts := func(queue string) *gtf.ScheduleOpts { return &gtf.ScheduleOpts{Queue: queue, Tx: sqlitestore.Tx(own)} }
		must[[]*gtf.Handle[string]](t)(sharedWork.ScheduleMany(t.Context(), c, []gtf.Item[string]{
			{In: "a", Opts: opts("slow")}, {In: "known", Opts: opts("slow")}, {In: "b", Opts: opts("slow")}, {In: "c", Opts: opts("fast")},
			{In: "known", Opts: opts("slow")},
		}))
		want := map[gtf.Signal]bool{
			{Kind: gtf.SignalWork, Queue: "slow"}: true, {Kind: gtf.SignalWork, Queue: "fast"}: true, {Kind: gtf.SignalChanged, ID: known.ID}: true,
		}
		for _, s := range post.sent {
			if !want[s] {
				t.Errorf("the signal %+v was sent, want each of %v once, without origin: it has to arrive here too", s, want)
			}
			delete(want, s)
		}
		if len(want) > 0 {
			t.Errorf("not sent: %v", want)
		}
		post.err = errors.New("the wire is broken")
		_, err := sharedWork.Schedule(t.Context(), c, "d", opts("slow"))
		wantErr(t, "Schedule whose signals cannot be sent", err, post.err)
	})
}
