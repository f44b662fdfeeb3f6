package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/globaltask/gtf"
)

const none = "–"

// duration is what people read: the two largest units, whole seconds, "<1s" below one.
func duration(d time.Duration) string {
	if d < time.Second {
		return "<1s"
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := fmt.Sprintf("%d%s", d/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				text += fmt.Sprintf(" %d%s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "<1s"
}

// ago is a moment relative to now, in its largest unit.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return none
	}
	d := now.Sub(t)
	largest, _, _ := strings.Cut(duration(d.Abs()), " ")
	switch {
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return "in " + largest
	}
	return largest + " ago"
}

// moment is a point in time for people: local, with the seconds.
func moment(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// number groups digits: 10,000.
func number(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return sign + b.String()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// bytesText is a size for people.
func bytesText(n int64) string {
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

var words = map[gtf.Status]string{
	gtf.StatusPending: "Pending", gtf.StatusInProgress: "In progress", gtf.StatusAborting: "Aborting",
	gtf.StatusSuccess: "Success", gtf.StatusFailure: "Failed", gtf.StatusAborted: "Aborted", gtf.StatusTimedOut: "Timed out",
}

// word is what people call a status.
func word(s gtf.Status) string {
	if w, ok := words[s]; ok {
		return w
	}
	return string(s)
}

// printable makes any text safe for a terminal: what would move the cursor, change colours or reorder the line is shown
// as U+FFFD. Line breaks stay.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200e', r == '\u200f':
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// oneLine is printable without line breaks.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, printable(text))
}
