package prom

import (
	"strings"
	"sync"
)

// other stands for what is not told apart.
const other = "other"

// bounded lets the first so many values of a label through, and those for ever.
type bounded struct {
	most int

	mu   sync.RWMutex
	seen map[string]string // what Prometheus takes for it
}

func newBounded(most int) *bounded { return &bounded{most: most, seen: map[string]string{}} }

// value is the label for v.
func (b *bounded) value(v string) string {
	b.mu.RLock()
	label, ok := b.seen[v]
	full := len(b.seen) >= b.most
	b.mu.RUnlock()
	switch {
	case ok:
		return label
	case full:
		return other
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if label, ok = b.seen[v]; ok {
		return label
	}
	if len(b.seen) >= b.most {
		return other
	}
	label = strings.ToValidUTF8(v, "\uFFFD")
	b.seen[strings.Clone(v)] = label
	return label
}
