package gtf

import (
	"fmt"
	"math"
	"time"
)

// Progress is how far a task is, in one of three forms (S6.1): a fraction, a count, or a count of a total. The zero value
// says nothing.
type Progress struct {
	Form    ProgressForm
	Ratio   float64 // FormFraction: 0 to 1
	Current int64   // FormCount, FormTotal
	Total   int64   // FormTotal
}

// ProgressForm says which fields of a Progress count.
type ProgressForm string

const (
	FormNone     ProgressForm = ""
	FormFraction ProgressForm = "fraction"
	FormCount    ProgressForm = "count"
	FormTotal    ProgressForm = "total"
)

// Fraction is the part done, 0 to 1; ok is false where it is unknown.
func (p Progress) Fraction() (f float64, ok bool) {
	switch {
	case p.Form == FormFraction:
		return p.Ratio, true
	case p.Form == FormTotal && p.Total > 0:
		return float64(p.Current) / float64(p.Total), true
	}
	return 0, false
}

// Parts is what programs get: the part done, 0 to 1, and the numbers behind it; nil where unknown.
func (p Progress) Parts() (fraction *float64, current, total *int64) {
	if f, known := p.Fraction(); known {
		fraction = &f
	}
	if p.Form == FormCount || p.Form == FormTotal {
		current = &p.Current
	}
	if p.Form == FormTotal {
		total = &p.Total
	}
	return fraction, current, total
}

// ETA is the time left if the rest goes on as the first elapsed did. It is unknown at 0, at 1 and beyond 24 hours.
func (p Progress) ETA(elapsed time.Duration) (left time.Duration, ok bool) {
	f, known := p.Fraction()
	if !known || f <= 0 || f >= 1 {
		return 0, false
	}
	rest := float64(elapsed) / f * (1 - f)
	if rest > float64(24*time.Hour) {
		return 0, false
	}
	return time.Duration(rest), true
}

// String is what people read: "9 of 60 (15%)", "42 processed", "50%", or nothing.
func (p Progress) String() string {
	f, known := p.Fraction()
	percent := int(math.Floor(f*100 + 1e-9)) // 0.29 is a little less in binary
	switch {
	case p.Form == FormTotal && known:
		return fmt.Sprintf("%d of %d (%d%%)", p.Current, p.Total, percent)
	case p.Form == FormTotal, p.Form == FormCount:
		return fmt.Sprintf("%d processed", p.Current)
	case known:
		return fmt.Sprintf("%d%%", percent)
	}
	return ""
}

// The three constructors clamp; clamped tells that they had to. NaN is refused by fractionOf.
func fractionOf(f float64) (p Progress, clamped bool) {
	c := min(max(f, 0), 1)
	return Progress{Form: FormFraction, Ratio: c}, c != f
}

func countOf(n int64) (p Progress, clamped bool) {
	c := max(n, 0)
	return Progress{Form: FormCount, Current: c}, c != n
}

func totalOf(done, total int64) (p Progress, clamped bool) {
	t := max(total, 0)
	d := max(done, 0)
	if t > 0 {
		d = min(d, t)
	}
	return Progress{Form: FormTotal, Current: d, Total: t}, d != done || t != total
}
