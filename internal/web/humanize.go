package web

import (
	"fmt"
	"strings"
	"time"
)

var units = []struct {
	size time.Duration
	name string
}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}

// Duration is the two largest units in whole seconds: 1d 2h, 3m 20s, 4m, 51s, <1s.
func Duration(d time.Duration) string {
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

// Ago is a moment relative to now, in its largest unit: 2m ago, now, in 5m.
func Ago(now, t time.Time) string {
	d := now.Sub(t)
	largest, _, _ := strings.Cut(Duration(d.Abs()), " ")
	switch {
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return "in " + largest
	}
	return largest + " ago"
}
