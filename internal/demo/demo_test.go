package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// leavesNothing wants the test to end without a file in the directory for temporary ones.
func leavesNothing(t *testing.T) (end func()) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return func() { t.Helper(); empty(t, dir) }
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("%s is left", e.Name())
	}
}

func TestRun(t *testing.T) {
	t.Run("says that the worker has ended, once, and leaves nothing", func(t *testing.T) {
		program, err := exec.LookPath("false")
		if err != nil {
			t.Skip("there is no program that only fails")
		}
		defer leavesNothing(t)()
		var out bytes.Buffer
		err = Run(t.Context(), Options{Binary: program, Dir: t.TempDir(), Fast: true, Out: &out})
		if err == nil || strings.Count(err.Error(), "the worker has ended by itself: exit status 1") != 1 {
			t.Errorf("error is %v, want one that says once that the worker has ended", err)
		}
	})
	t.Run("says that there is no worker, and leaves nothing", func(t *testing.T) {
		defer leavesNothing(t)()
		err := Run(t.Context(), Options{Binary: t.TempDir(), Dir: t.TempDir(), Fast: true, Out: &bytes.Buffer{}})
		if err == nil || !strings.Contains(err.Error(), "start the worker") {
			t.Errorf("error is %v, want one that says that the worker does not start", err)
		}
	})
	t.Run("ends with its context, and leaves nothing", func(t *testing.T) {
		defer leavesNothing(t)()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Run(ctx, Options{Binary: t.TempDir(), Dir: t.TempDir(), Out: &bytes.Buffer{}}); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want context.Canceled", err)
		}
	})
}

func TestCheckSights(t *testing.T) {
	shared := &part{id: gtf.NewID(), title: "Shared", audience: []string{"grace"}}
	system := &part{id: gtf.NewID(), title: "System"}
	see := func(by gtf.Principal, parts ...*part) sight {
		s := sight{by: by}
		for _, p := range parts {
			s.tasks = append(s.tasks, &gtf.Task{ID: p.id})
		}
		return s
	}
	tests := []struct {
		name  string
		lists []sight
		want  string
	}{
		{"everybody sees what they should", []sight{see(ada, shared, system), see(grace, shared), see(alan)}, ""},
		{"somebody sees too much", []sight{see(grace, shared, system)}, `grace sees "System": true, expected false`},
		{"somebody sees too little", []sight{see(ada, system)}, `ada sees "Shared": false, expected true`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := checkSights(tt.lists, []*part{shared, system})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckOutcomes(t *testing.T) {
	b := &board{parts: []*part{
		{title: "A", want: gtf.StatusSuccess, task: &gtf.Task{Status: gtf.StatusSuccess}},
		{title: "B", want: gtf.StatusAborted, task: &gtf.Task{Status: gtf.StatusFailure, Error: "because"}},
	}}
	text, err := (&stage{board: b}).checkOutcomes(t.Context())
	if want := `"B" ended as failure: because, expected aborted`; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if want := "2 tasks ended as expected: 1 succeeded and 1 failed"; text != want {
		t.Errorf("says %q, want %q", text, want)
	}
}

func TestBecause(t *testing.T) {
	task := &gtf.Task{CreatedBy: alan, Subscribers: []gtf.Subscriber{{ID: "alan"}, {ID: "grace"}}}
	left := &gtf.Task{CreatedBy: alan, Subscribers: []gtf.Subscriber{{ID: "grace"}}}
	tests := []struct {
		task *gtf.Task
		by   gtf.Principal
		want string
	}{
		{task, alan, "started it"},
		{task, grace, "joined it"},
		{task, ada, "as an admin: it is alan's"},
		{left, grace, "joined it; alan, who started it, has left"},
	}
	for _, tt := range tests {
		if got := because(tt.task, tt.by); got != tt.want {
			t.Errorf("%s sees it: got %q, want %q", tt.by.ID, got, tt.want)
		}
	}
}
