package pgstore

import (
	"time"

	"github.com/globaltask/gtf"
)

// policy is what the tasks of one type mostly have in common: a statement has each of them once.
type policy struct {
	typ, scope, mode, queue string
	priority, maxAttempts   int

	maxQueueTime, backoffBase, backoffMax, timeout time.Duration

	perClient, abortable bool
}

// policies are those of a statement, numbered from 1.
type policies struct {
	numbers map[policy]int32
	list    []policy
}

func (p *policies) number(s *gtf.Submission) int32 {
	is := policy{
		s.Type, string(s.Scope), string(s.Mode), s.Queue, s.Priority, s.MaxAttempts,
		s.MaxQueueTime, s.Backoff.Base, s.Backoff.Max, s.Timeout, s.PerClient, s.Abortable,
	}
	if n, ok := p.numbers[is]; ok {
		return n
	}
	if p.numbers == nil {
		p.numbers = map[policy]int32{}
	}
	p.list = append(p.list, is)
	p.numbers[is] = int32(len(p.list))
	return int32(len(p.list))
}

// args are a column each.
func (p *policies) args() []any {
	n := len(p.list)
	var texts [4][]string
	var times [4][]int64
	for i := range 4 {
		texts[i], times[i] = make([]string, n), make([]int64, n)
	}
	priorities, attempts, perClient, abortable := make([]int16, n), make([]int32, n), make([]bool, n), make([]bool, n)
	for i, is := range p.list {
		texts[0][i], texts[1][i], texts[2][i], texts[3][i] = is.typ, is.scope, is.mode, is.queue
		priorities[i], attempts[i] = int16(is.priority), int32(is.maxAttempts)
		times[0][i], times[1][i] = micros(is.maxQueueTime), micros(is.backoffBase)
		times[2][i], times[3][i] = micros(is.backoffMax), micros(is.timeout)
		perClient[i], abortable[i] = is.perClient, is.abortable
	}
	return []any{texts[0], texts[1], texts[2], texts[3], priorities, attempts, times[0], times[1], times[2], times[3], perClient, abortable}
}
