package gtf_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// progressAfter is what the row of a task says that reported like this.
func progressAfter(t *testing.T, report func(x *gtf.Execution)) gtf.Progress {
	t.Helper()
	c := newClient(t, open(t), executes(func(ctx context.Context, _ string) (string, error) {
		report(gtf.FromContext(ctx))
		return "", nil
	}))
	h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", nil))
	must[string](t)(h.Wait(t.Context()))
	return get(t, c, h.ID).Progress
}

func fraction(f float64) gtf.Progress { return gtf.Progress{Form: gtf.FormFraction, Ratio: f} }
func count(n int64) gtf.Progress      { return gtf.Progress{Form: gtf.FormCount, Current: n} }
func ofTotal(n, total int64) gtf.Progress {
	return gtf.Progress{Form: gtf.FormTotal, Current: n, Total: total}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		report func(x *gtf.Execution)
		want   gtf.Progress
	}{
		"nothing said is nothing known":          {func(*gtf.Execution) {}, gtf.Progress{}},
		"a fraction":                             {func(x *gtf.Execution) { x.Fraction(0.25) }, fraction(0.25)},
		"a fraction below 0 is clamped":          {func(x *gtf.Execution) { x.Fraction(-0.5) }, fraction(0)},
		"a fraction above 1 is clamped":          {func(x *gtf.Execution) { x.Fraction(1.5) }, fraction(1)},
		"infinity is clamped":                    {func(x *gtf.Execution) { x.Fraction(math.Inf(1)) }, fraction(1)},
		"less than infinitely little is clamped": {func(x *gtf.Execution) { x.Fraction(math.Inf(-1)) }, fraction(0)},
		"NaN is ignored":                         {func(x *gtf.Execution) { x.Fraction(0.5); x.Fraction(math.NaN()) }, fraction(0.5)},
		"a count":                                {func(x *gtf.Execution) { x.Count(42) }, count(42)},
		"a negative count is clamped":            {func(x *gtf.Execution) { x.Count(-1) }, count(0)},
		"a count of a total":                     {func(x *gtf.Execution) { x.Progress(9, 60) }, ofTotal(9, 60)},
		"more than the total is clamped":         {func(x *gtf.Execution) { x.Progress(61, 60) }, ofTotal(60, 60)},
		"less than none of the total is clamped": {func(x *gtf.Execution) { x.Progress(-1, 60) }, ofTotal(0, 60)},
		"a total of zero is unknown":             {func(x *gtf.Execution) { x.Progress(9, 0) }, ofTotal(9, 0)},
		"a negative total is unknown":            {func(x *gtf.Execution) { x.Progress(9, -1) }, ofTotal(9, 0)},
		"the latest wins":                        {func(x *gtf.Execution) { x.Count(1); x.Count(3); x.Count(2) }, count(2)},
		"a count clears a fraction":              {func(x *gtf.Execution) { x.Fraction(0.5); x.Count(2) }, count(2)},
		"a fraction clears a count of a total":   {func(x *gtf.Execution) { x.Progress(1, 2); x.Fraction(0.75) }, fraction(0.75)},
		"a count of a total clears a fraction":   {func(x *gtf.Execution) { x.Fraction(0.75); x.Progress(1, 2) }, ofTotal(1, 2)},
		"a count clears a count of a total":      {func(x *gtf.Execution) { x.Progress(1, 2); x.Count(7) }, count(7)},
		"one form clears the others when it is flushed": {func(x *gtf.Execution) {
			x.Progress(1, 2)
			_ = x.Flush(context.Background())
			x.Fraction(0.75)
			_ = x.Flush(context.Background())
		}, fraction(0.75)},
		"great numbers are kept": {func(x *gtf.Execution) { x.Progress(math.MaxInt64-1, math.MaxInt64) }, ofTotal(math.MaxInt64-1, math.MaxInt64)},
	} {
		t.Run(name+" (S6.1)", func(t *testing.T) {
			t.Parallel()
			if got := progressAfter(t, tt.report); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestProgressForPeople(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p        gtf.Progress
		text     string
		fraction float64 // negative: unknown
	}{
		{gtf.Progress{}, "", -1},
		{fraction(0), "0%", 0},
		{fraction(0.5), "50%", 0.5},
		{fraction(0.999), "99%", 0.999},
		{fraction(1), "100%", 1},
		{count(42), "42 processed", -1},
		{ofTotal(9, 60), "9 of 60 (15%)", 0.15},
		{ofTotal(60, 60), "60 of 60 (100%)", 1},
		{ofTotal(9, 0), "9 processed", -1},
		{ofTotal(29, 100), "29 of 100 (29%)", 0.29},
		{ofTotal(57, 100), "57 of 100 (57%)", 0.57},
		{fraction(0.29), "29%", 0.29},
	} {
		if got := tt.p.String(); got != tt.text {
			t.Errorf("%+v reads %q, want %q", tt.p, got, tt.text)
		}
		f, known := tt.p.Fraction()
		if known != (tt.fraction >= 0) || known && f != tt.fraction {
			t.Errorf("%+v is %v, %v, want %v (S6.1)", tt.p, f, known, tt.fraction)
		}
	}
}

func TestProgressETA(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p       gtf.Progress
		elapsed time.Duration
		want    time.Duration // negative: unknown
	}{
		{fraction(0.25), time.Minute, 3 * time.Minute},
		{ofTotal(1, 4), time.Minute, 3 * time.Minute},
		{fraction(0.5), 0, 0},
		{fraction(0), time.Minute, -1},
		{fraction(1), time.Minute, -1},
		{count(5), time.Minute, -1},
		{gtf.Progress{}, time.Minute, -1},
		{fraction(1e-6), time.Minute, -1},
		{fraction(0.5), 24 * time.Hour, 24 * time.Hour},
		{fraction(0.5), 25 * time.Hour, -1},
		{fraction(1e-300), time.Hour, -1},
	} {
		left, known := tt.p.ETA(tt.elapsed)
		if known != (tt.want >= 0) || known && left != tt.want {
			t.Errorf("%+v after %v: %v left, known: %v, want %v", tt.p, tt.elapsed, left, known, tt.want)
		}
	}
}
