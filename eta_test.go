package gtf_test

import (
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestTaskETA(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	running := gtf.Task{
		Status: gtf.StatusInProgress, StartedAt: noon.Add(-9 * time.Second), ChangedAt: noon,
		Progress: gtf.Progress{Form: gtf.FormTotal, Current: 9, Total: 60},
	}
	t.Run("counts down between reports, and grows when the promise is broken", func(t *testing.T) {
		t.Parallel()
		for after, want := range map[time.Duration]time.Duration{
			-time.Second: 51 * time.Second, 0: 51 * time.Second, time.Second: 50 * time.Second, 50 * time.Second: time.Second,
			60 * time.Second: 391 * time.Second,
		} {
			if got, ok := running.ETA(noon.Add(after)); !ok || got.Round(time.Millisecond) != want {
				t.Errorf("after %v: %v, %v, want %v", after, got, ok, want)
			}
		}
	})
	t.Run("is for running tasks that say how far they are", func(t *testing.T) {
		t.Parallel()
		waits, counts := running, running
		waits.Status = gtf.StatusPending
		counts.Progress = gtf.Progress{Form: gtf.FormCount, Current: 42}
		for _, task := range []*gtf.Task{&waits, &counts, {Status: gtf.StatusInProgress}} {
			if got, ok := task.ETA(noon); ok {
				t.Errorf("%s with %q: %v, want none", task.Status, task.Progress, got)
			}
		}
	})
}
