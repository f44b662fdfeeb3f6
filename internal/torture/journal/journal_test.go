package journal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/globaltask/gtf/internal/torture/journal"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for _, proc := range []string{"a", "b"} {
		w, err := journal.Create(dir, proc)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(journal.Event{Kind: journal.Born})
		w.Write(journal.Event{Kind: journal.Start, Task: "x", Claim: 2})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "b.journal")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(raw, `{"at":1,"pr`...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("gives the events of all processes by time, without a line that was cut off", func(t *testing.T) {
		events, err := journal.Read(dir)
		if err != nil || len(events) != 4 {
			t.Fatalf("Read returned %d events and %v, want 4", len(events), err)
		}
		for i := range events[1:] {
			if events[i+1].At < events[i].At {
				t.Errorf("event %d is before event %d", i+1, i)
			}
		}
	})
	t.Run("refuses a line that is broken in the middle", func(t *testing.T) {
		if err := os.WriteFile(file, append([]byte("{\n"), raw...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Read(dir); err == nil || !strings.Contains(err.Error(), "b.journal:1") {
			t.Errorf("Read returned %v, want an error that names the line", err)
		}
	})
}
