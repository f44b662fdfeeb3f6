package conduct

import (
	"context"
	"strconv"
	"time"

	"github.com/globaltask/gtf/internal/torture/journal"
)

// watchDatabase writes down when the database gave no answer, whatever the reason.
func (s *stage) watchDatabase(ctx context.Context) {
	const pause, slow, patience = 50 * time.Millisecond, 150 * time.Millisecond, 2 * time.Second
	answered := journal.Now() // last
	for {
		attempt, cancel := context.WithTimeout(ctx, patience)
		asked := journal.Now()
		err := s.db.Probe(attempt)
		cancel()
		now := journal.Now()
		if err == nil {
			if now-asked > int64(slow) || asked-answered > int64(pause+slow) {
				s.journal.Write(journal.Event{Kind: journal.Outage, Since: answered})
			}
			answered = now
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

// watchTransactions writes down which last long: that explains why others wait.
func (s *stage) watchTransactions(ctx context.Context) {
	const pause, least = 200 * time.Millisecond, 300 * time.Millisecond
	for wait(ctx, pause) {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		lasting, _ := s.db.Lasting(attempt, least) // the database may be away
		cancel()
		for _, t := range lasting {
			s.journal.Write(journal.Event{Kind: journal.Lasts, Worker: strconv.Itoa(t.PID), For: int64(t.Age), How: t.State, Cause: t.Query})
		}
	}
}

// watchClock writes down what time it is by the clock on the wall, which is that of the database.
func (s *stage) watchClock(ctx context.Context) {
	for {
		s.journal.Write(journal.Event{Kind: journal.Clock, Wall: time.Now().UnixMicro()})
		if !wait(ctx, time.Second) {
			return
		}
	}
}

// clockOf turns microseconds of the wall clock into the time of the journals, by the next known pair of them.
func clockOf(events []journal.Event) func(wall int64) int64 {
	var pairs []journal.Event
	for _, e := range events {
		if e.Kind == journal.Clock {
			pairs = append(pairs, e)
		}
	}
	return func(wall int64) int64 {
		best := pairs[0]
		for lo, hi := 0, len(pairs); lo < hi; { // the last one that is not later
			mid := (lo + hi) / 2
			if pairs[mid].Wall <= wall {
				best, lo = pairs[mid], mid+1
			} else {
				hi = mid
			}
		}
		return best.At + (wall-best.Wall)*int64(time.Microsecond)
	}
}
