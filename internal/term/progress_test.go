package term

import (
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestETA(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	running := gtf.Task{
		Status: gtf.StatusInProgress, StartedAt: noon.Add(-9 * time.Second), ChangedAt: noon,
		Progress: gtf.Progress{Form: gtf.FormTotal, Current: 9, Total: 60},
	}
	t.Run("counts down between reports, and grows when the promise is broken", func(t *testing.T) {
		for after, want := range map[time.Duration]string{
			-time.Second: "ETA 51s", 0: "ETA 51s", time.Second: "ETA 50s", 50 * time.Second: "ETA 1s", 60 * time.Second: "ETA 6m 31s",
		} {
			if got := ETAText(&running, noon.Add(after)); got != want {
				t.Errorf("after %v: %q, want %q", after, got, want)
			}
		}
	})
	t.Run("is for running tasks that say how far they are", func(t *testing.T) {
		waits, counts := running, running
		waits.Status = gtf.StatusPending
		counts.Progress = gtf.Progress{Form: gtf.FormCount, Current: 42}
		for _, task := range []*gtf.Task{&waits, &counts, {Status: gtf.StatusInProgress}} {
			if got := ETAText(task, noon); got != "" {
				t.Errorf("%s with %q: %q, want nothing", task.Status, task.Progress, got)
			}
		}
	})
}

func TestElapsed(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	if got := Elapsed(&gtf.Task{}, noon); got != None {
		t.Errorf("a task that never ran: %q, want %q", got, None)
	}
	if got := Elapsed(&gtf.Task{StartedAt: noon.Add(-9 * time.Second)}, noon); got != "9s" {
		t.Errorf("a running task: %q, want 9s", got)
	}
}

func TestBar(t *testing.T) {
	for fraction, want := range map[float64]string{-1: "░░░░", 0: "░░░░", 0.49: "█░░░", 0.5: "██░░", 1: "████", 2: "████"} {
		if got := Bar(fraction, 4); got != want {
			t.Errorf("Bar(%v, 4) = %q, want %q", fraction, got, want)
		}
	}
}
