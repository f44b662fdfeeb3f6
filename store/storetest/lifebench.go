package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// BenchLife measures what each step of a task's life costs by group: submit, claim, finish.
func BenchLife(b *testing.B, store gtf.Store) {
	b.Helper()
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			worker := gtf.NewID().String()
			if err := store.Register(b.Context(), &gtf.Worker{ID: worker}); err != nil {
				b.Fatal(err)
			}
			var took [3]time.Duration
			for b.Loop() {
				subs := make([]*gtf.Submission, n)
				for i := range subs {
					id := gtf.NewID()
					subs[i] = &gtf.Submission{
						ID: id, DedupKey: id.String(), Type: "bench.noop", Key: id.String(), Scope: gtf.ScopePrivate, Mode: gtf.ModeAsync,
						Queue: worker, Priority: 5, MaxAttempts: 1, Input: []byte(`{}`), By: gtf.Principal{Kind: gtf.KindUser, ID: "7"},
					}
				}
				began := time.Now()
				if _, err := store.Submit(b.Context(), subs); err != nil {
					b.Fatal(err)
				}
				submitted := time.Now()
				claimed, err := store.Claim(b.Context(), &gtf.ClaimParams{
					Worker: worker, Queues: []gtf.QueueSlots{{Queue: worker, Free: n}}, Types: []string{"bench.noop"},
				})
				if err != nil || len(claimed.Jobs) != n {
					b.Fatalf("claimed %d of %d: %v", len(claimed.Jobs), n, err)
				}
				taken := time.Now()
				finishes := make([]gtf.Finish, n)
				for i, job := range claimed.Jobs {
					finishes[i] = gtf.Finish{Update: gtf.Update{Ref: job.Ref}, Running: gtf.Outcome{Status: gtf.StatusSuccess, Result: []byte(`{}`)}}
				}
				if _, err := store.Finish(b.Context(), finishes); err != nil {
					b.Fatal(err)
				}
				took[0] += submitted.Sub(began)
				took[1] += taken.Sub(submitted)
				took[2] += time.Since(taken)
			}
			for i, step := range []string{"submit", "claim", "finish"} {
				b.ReportMetric(float64(took[i].Microseconds())/float64(b.N*n), step+"-µs/task")
			}
		})
	}
}
