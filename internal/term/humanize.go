package term

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/globaltask/gtf/internal/web"
)

// None stands where there is nothing to say.
const None = "–"

// Duration is the two largest units in whole seconds: 1d 2h, 3m 20s, 4m, 51s, <1s.
func Duration(d time.Duration) string { return web.Duration(d) }

// Ago is a moment relative to now, in its largest unit: 2m ago, now, in 5m.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return None
	}
	return web.Ago(now, t)
}

// Moment is a point in time: local, with the seconds.
func Moment(t time.Time) string {
	if t.IsZero() {
		return None
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// Number groups digits: 10,000.
func Number(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Plural is a number with what it counts: 1 row, 10,000 rows.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Bytes is a size: 84.0 MiB.
func Bytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// List is "a", "a and b", "a, b and c".
func List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
