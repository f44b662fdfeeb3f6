package term

import (
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestETAText(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	running := gtf.Task{
		Status: gtf.StatusInProgress, StartedAt: noon.Add(-9 * time.Second), ChangedAt: noon,
		Progress: gtf.Progress{Form: gtf.FormTotal, Current: 9, Total: 60},
	}
	if got := ETAText(&running, noon); got != "ETA 51s" {
		t.Errorf("a running task: %q, want ETA 51s", got)
	}
	if got := ETAText(&gtf.Task{}, noon); got != "" {
		t.Errorf("a task that does not run: %q, want nothing", got)
	}
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
