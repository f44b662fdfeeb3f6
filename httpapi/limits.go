package httpapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/globaltask/gtf"
)

const (
	defaultCancelRate  = 10
	defaultCancelBurst = 30
)

// limits are how often each principal may do something.
type limits struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	sweep   int // how many buckets there may be before those that are full are dropped
}

const minSweep = 1000

// newLimits makes the limits of cancels: zero is the default, a negative rate none.
func newLimits(perSecond float64, burst int) *limits {
	l := &limits{rate: rate.Limit(perSecond), burst: burst, buckets: map[string]*rate.Limiter{}, sweep: minSweep}
	switch {
	case perSecond == 0:
		l.rate = defaultCancelRate
	case perSecond < 0:
		l.rate = rate.Inf
	}
	if burst <= 0 {
		l.burst = defaultCancelBurst
	}
	return l
}

// LimitCancel uses one of the cancels that a principal has (Options.CancelRate), for another face that shares the limit. If
// there is none left, it tells how long until there is.
func (h *Handler) LimitCancel(p gtf.Principal) (wait time.Duration, ok bool) { return h.limits.take(p) }

// take uses one of a principal's turns. If there is none, it tells how long until there is one.
func (l *limits) take(p gtf.Principal) (wait time.Duration, ok bool) {
	turn := l.bucket(FormatPrincipal(p)).Reserve()
	if wait = turn.Delay(); wait > 0 {
		turn.Cancel()
		return wait, false
	}
	return 0, true
}

func (l *limits) bucket(name string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[name]
	if b == nil {
		l.dropFull()
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets[name] = b
	}
	return b
}

// dropFull forgets those who have not come for a while: their buckets are full, as new ones are.
func (l *limits) dropFull() {
	if len(l.buckets) < l.sweep {
		return
	}
	for name, b := range l.buckets {
		if b.Tokens() >= float64(l.burst) {
			delete(l.buckets, name)
		}
	}
	l.sweep = max(minSweep, 2*len(l.buckets))
}
