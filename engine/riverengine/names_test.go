package riverengine

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestQueueName(t *testing.T) {
	t.Parallel()
	rivers := regexp.MustCompile(`^[a-z0-9]+(?:[_|\-]?[a-z0-9]+)*$`) // as of River 0.51
	longest := strings.Repeat("q", maxQueueName-len(plainPrefix))
	tests := []struct {
		name, queue string
		want        string // "": hashed
	}{
		{"a plain one", "default", "gtf-default"},
		{"separators", "a_b-c|d", "gtf-a_b-c|d"},
		{"digits", "7", "gtf-7"},
		{"the longest that fits", longest, "gtf-" + longest},
		{"one more", longest + "q", ""},
		{"capitals", "Reports", ""},
		{"spaces", "a b", ""},
		{"two separators", "a--b", ""},
		{"a separator at the end", "a-", ""},
		{"a newline at the end", "a\n", ""},
		{"other scripts", "頁", ""},
	}
	seen := map[string]string{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := queueName(tt.queue)
			if tt.want != "" && got != tt.want || tt.want == "" && !strings.HasPrefix(got, hashedPrefix) {
				t.Errorf("queueName(%q) = %q, want %q, or if empty, a hash", tt.queue, got, tt.want)
			}
			if len(got) > maxQueueName || !rivers.MatchString(got) {
				t.Errorf("queueName(%q) = %q, which River refuses", tt.queue, got)
			}
			if other, taken := seen[got]; taken {
				t.Errorf("queues %q and %q are both %q", other, tt.queue, got)
			}
			seen[got] = tt.queue
			if queueName(tt.queue) != got {
				t.Errorf("queueName(%q) changes", tt.queue)
			}
		})
	}
	// Rows hold these names: another hash strands what waits.
	if got, want := queueName("Reports"), "gtfx-rb6a7it3ud3a824j24locs7kadigl08j"; got != want {
		t.Errorf("queueName(Reports) = %q, want %q", got, want)
	}
}

func TestPriority(t *testing.T) {
	t.Parallel()
	last := 1
	for p := 1; p <= 9; p++ {
		got := priority(p)
		if got < last || got > last+1 || got > 4 {
			t.Errorf("priority(%d) = %d behind %d, want 1 to 4, rising", p, got, last)
		}
		last = got
	}
	if priority(1) == priority(5) || priority(5) == priority(9) {
		t.Error("1, 5 and 9 are not told apart")
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	w := &worker{poll: time.Second}
	if got := w.again([]byte(`{"snoozes": 3}`)); got != w.pause() {
		t.Errorf("the fourth pause is %v, want %v", got, w.pause())
	}
	if got := w.again([]byte(`{"snoozes": 10}`)); got != 4*w.pause() {
		t.Errorf("the eleventh pause is %v, want %v", got, 4*w.pause())
	}
	for _, metadata := range []string{`{"snoozes": 1000000}`, `{"snoozes": 9223372036854775807}`} {
		if got := w.again([]byte(metadata)); got != pauseMax {
			t.Errorf("with %s the pause is %v, want %v", metadata, got, pauseMax)
		}
	}
	for _, metadata := range []string{``, `{}`, `[]`, `{"snoozes": -1}`, `{"snoozes": "x"}`} {
		if got := w.again([]byte(metadata)); got != w.pause() {
			t.Errorf("with metadata %q the pause is %v, want %v", metadata, got, w.pause())
		}
	}
	slow := &worker{poll: 2 * time.Minute}
	if got := slow.again([]byte(`{"snoozes": 100}`)); got != slow.pause() {
		t.Errorf("with a slow poll the pause is %v, want %v", got, slow.pause())
	}
}
