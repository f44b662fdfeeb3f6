package check

import (
	"cmp"
	"slices"
)

// span is a stretch of time, without its end.
type span struct{ from, to int64 }

// union merges spans that meet; the result is in order.
func union(lists ...[]span) []span {
	all := slices.Concat(lists...)
	all = slices.DeleteFunc(all, func(s span) bool { return s.to <= s.from })
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var merged []span
	for _, s := range all {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// inverse is what the spans leave of a stretch.
func inverse(spans []span, of span) (rest []span) {
	at := of.from
	for _, s := range union(spans) {
		if s.from > at {
			rest = append(rest, span{at, min(s.from, of.to)})
		}
		at = max(at, s.to)
	}
	return union(rest, []span{{at, of.to}})
}

// common is what two lists share.
func common(a, b []span) (both []span) {
	for _, s := range union(a) {
		for _, t := range union(b) {
			both = append(both, span{max(s.from, t.from), min(s.to, t.to)})
		}
	}
	return union(both)
}

// calm is the first instant at which, counted from a time, nothing of the spans has been in the way for a while.
func calm(from, need int64, spans []span) int64 {
	for _, s := range union(spans) {
		if s.from >= from+need {
			break
		}
		from = max(from, s.to)
	}
	return from + need
}
