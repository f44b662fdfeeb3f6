package pgstore

import (
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// marks remember, for each priority of a worker's queues, how far claims have come. Until the next vacuum the index still
// holds what was claimed: a claim that began at the front would walk over all of it.
type marks struct {
	mu    sync.Mutex
	lanes map[laneOf]*mark
}

type laneOf struct{ worker, queue string }

type mark struct {
	front time.Time             // when the claims last began at the front
	due   [priorities]time.Time // of the last task claimed; zero if none was since
}

const (
	priorities = 9

	// markEvery is how often a claim begins at the front: for what came to lie behind the mark, because a transaction took
	// long or was rolled back.
	markEvery = time.Second

	// markMargin is how far behind the last task claimed the mark lies: transactions that began before and commit now.
	markMargin = 100 * time.Millisecond
)

// from gives the instants at which a claim begins, for each priority of each queue, and how long it is until all queues have
// been looked at from their front again; 0 if this claim does it.
func (m *marks) from(worker string, queues []string) (from []pgtype.Timestamptz, again time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from = make([]pgtype.Timestamptz, 0, priorities*len(queues))
	for _, queue := range queues {
		lane := m.lane(laneOf{worker, queue})
		for _, due := range lane.due {
			at := pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
			if !due.IsZero() {
				at = pgtype.Timestamptz{Time: due.Add(-markMargin), Valid: true}
				again = max(again, markEvery-time.Since(lane.front), time.Millisecond)
			}
			from = append(from, at)
		}
	}
	return from, again
}

// lane forgets the marks when it is time to begin at the front.
func (m *marks) lane(of laneOf) *mark {
	lane := m.lanes[of]
	if lane == nil || time.Since(lane.front) > markEvery {
		if m.lanes == nil {
			m.lanes = map[laneOf]*mark{}
		}
		lane = &mark{front: time.Now()}
		m.lanes[of] = lane
	}
	return lane
}

// move notes what was claimed.
func (m *marks) move(worker string, taken claims) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range taken {
		lane := m.lanes[laneOf{worker, c.job.Queue}]
		if lane == nil || c.priority < 1 || c.priority > priorities {
			continue
		}
		if due := &lane.due[c.priority-1]; c.due.After(*due) {
			*due = c.due
		}
	}
}
