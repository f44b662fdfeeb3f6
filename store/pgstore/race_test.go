package pgstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
)

// An abort that comes while an attempt is about to go back to pending must not leave the attempt without an outcome (S3.5).
func TestFinishMeetsCancel(t *testing.T) {
	t.Parallel()
	shelf := newShelf(t)
	store := shelf.open(t)
	worker := gtf.NewID().String()
	if err := store.Register(t.Context(), &gtf.Worker{ID: worker}); err != nil {
		t.Fatal(err)
	}
	id := gtf.NewID()
	sub := &gtf.Submission{
		ID: id, DedupKey: id.String(), Type: "test.race", Key: id.String(), Scope: gtf.ScopeSystem, Mode: gtf.ModeAsync, Queue: "default",
		Priority: 5, MaxAttempts: 2, Abortable: true, Input: []byte(`{}`),
	}
	if _, err := store.Submit(t.Context(), []*gtf.Submission{sub}); err != nil {
		t.Fatal(err)
	}
	claimed, err := store.Claim(t.Context(), &gtf.ClaimParams{Worker: worker, Queues: []gtf.QueueSlots{{Queue: "default", Free: 1}}, Types: []string{sub.Type}})
	if err != nil || len(claimed.Jobs) != 1 {
		t.Fatalf("claimed %d: %v", len(claimed.Jobs), err)
	}
	finished := make(chan gtf.Finished, 1)
	_, err = store.Cancel(t.Context(), id, func(*gtf.Task) (gtf.Deed, error) {
		go func() { // waits for the row
			defer close(finished)
			done, err := store.Finish(t.Context(), []gtf.Finish{{
				Update: gtf.Update{Ref: claimed.Jobs[0].Ref}, Running: gtf.Outcome{Status: gtf.StatusPending, Error: "not yet"},
			}})
			if err != nil {
				t.Error(err)
				return
			}
			finished <- done[0]
		}()
		waitForLock(t, shelf.url)
		return gtf.Deed{Kind: gtf.DeedAbort}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-finished; !got.Held || got.Status != gtf.StatusAborted {
		t.Errorf("the finish answers %+v, want held and aborted", got)
	}
	if task, err := store.Get(t.Context(), id, gtf.Viewer{All: true}); err != nil || task.Status != gtf.StatusAborted {
		t.Errorf("the task is %+v (%v), want aborted", task, err)
	}
}

// waitForLock returns when somebody waits for a lock in the database.
func waitForLock(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for waiting := false; !waiting && t.Context().Err() == nil; <-tick.C {
		if err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting); err != nil {
			t.Error(err)
			return
		}
	}
}
