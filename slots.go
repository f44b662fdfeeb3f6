package gtf

import (
	"maps"
	"runtime"
	"slices"
	"sync"
)

// slots are what a worker has free in each queue.
type slots struct {
	order []string       // of the queues, so that claims ask in the same order
	size  map[string]int // of each queue

	mu      sync.Mutex
	free    map[string]int // may be below zero, when slots are taken back
	writing map[string]int // executions that have left their slot and still store their outcome

	freed chan struct{} // holds one: a slot was given back
	woken chan struct{} // holds one: there may be work
}

func newSlots(queues map[string]int) *slots {
	return &slots{
		order: slices.Sorted(maps.Keys(queues)), size: queues, free: maps.Clone(queues), writing: map[string]int{},
		freed: make(chan struct{}, 1), woken: make(chan struct{}, 1),
	}
}

func (s *slots) wakeUp() {
	poke(s.woken)
}

func (s *slots) offer() []QueueSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	offer := make([]QueueSlots, 0, len(s.order))
	for _, q := range s.order {
		if n := s.free[q]; n > 0 {
			offer = append(offer, QueueSlots{Queue: q, Free: n})
		}
	}
	return offer
}

// take takes a slot for an execution.
func (s *slots) take(queue string) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free[queue]--
	return &slot{of: s, queue: queue}
}

// slot is the place of one execution; nil for one that needs none. It is left when the function and its handlers are done, so
// that another task is claimed while the outcome is stored; as many outcomes of a queue may be under way as it has slots.
type slot struct {
	of    *slots
	queue string
	left  bool
}

// leave gives the slot to others while the outcome is stored.
func (s *slot) leave() {
	if s == nil {
		return
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.left || s.of.writing[s.queue] >= s.of.size[s.queue] {
		return
	}
	s.left = true
	s.of.writing[s.queue]++
	s.of.free[s.queue]++
	poke(s.of.freed)
}

// takeBack keeps the slot, for the outcome cannot be stored now (S3.7).
func (s *slot) takeBack() {
	if s == nil {
		return
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.left {
		s.left = false
		s.of.writing[s.queue]--
		s.of.free[s.queue]--
	}
}

// end is when nothing is left to do.
func (s *slot) end() {
	if s == nil {
		return
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.left {
		s.of.writing[s.queue]--
	} else {
		s.of.free[s.queue]++
		poke(s.of.freed)
	}
}

// settle lets executions that ended together give their slots back together, so that one claim fills them all.
func (s *slots) settle() {
	for before := -1; ; {
		s.mu.Lock()
		free := 0
		for _, n := range s.free {
			free += n
		}
		s.mu.Unlock()
		if free == before {
			return
		}
		before = free
		runtime.Gosched()
	}
}
