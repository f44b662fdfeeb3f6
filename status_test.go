package gtf_test

import (
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

// The table of S3.1, from and to; whatever is not in it is forbidden.
func TestStatusTransitions(t *testing.T) {
	t.Parallel()
	allowed := map[gtf.Status]string{
		gtf.StatusPending:    "in_progress aborted failure timed_out",
		gtf.StatusInProgress: "aborting success failure pending",
		gtf.StatusAborting:   "success failure aborted timed_out",
	}
	for _, from := range gtf.Statuses() {
		for _, to := range gtf.Statuses() {
			want := false
			for name := range strings.FieldsSeq(allowed[from]) {
				want = want || name == string(to)
			}
			if got := from.CanBecome(to); got != want {
				t.Errorf("%s may become %s: %v, want %v (S3.1)", from, to, got, want)
			}
			wrote := panics(func() { gtf.SQLFrom(to, from) }) == ""
			if wrote != want {
				t.Errorf("a store may write %s over %s: %v, want %v (S3.1)", to, from, wrote, want)
			}
		}
		if active := allowed[from] != ""; from.Active() != active || from.Terminal() == active {
			t.Errorf("%s is active: %v, terminal: %v (S3)", from, from.Active(), from.Terminal())
		}
	}
	if n := len(gtf.Statuses()); n != 7 {
		t.Errorf("%d statuses, want 7", n)
	}
	for _, unknown := range []gtf.Status{"", "done", "PENDING"} {
		if unknown.Active() || unknown.Terminal() || unknown.CanBecome(gtf.StatusPending) || gtf.StatusPending.CanBecome(unknown) {
			t.Errorf("%q is taken for a status", unknown)
		}
	}
}

func TestSQLFrom(t *testing.T) {
	t.Parallel()
	if got, want := gtf.SQLFrom(gtf.StatusSuccess, gtf.StatusInProgress, gtf.StatusAborting), "status IN ('in_progress','aborting')"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if panics(func() { gtf.SQLFrom(gtf.StatusSuccess, gtf.StatusInProgress, gtf.StatusPending) }) == "" {
		t.Error("a step that is not allowed slipped in among others")
	}
}
