package check

import (
	"cmp"
	"slices"

	"github.com/globaltask/gtf"
)

// neighbours is with how many of the following runs one is compared: a task that is started without end is found by one pair.
const neighbours = 10

// checkRuns looks at what executed each task.
func (c *checker) checkRuns() {
	for _, task := range sortedKeys(c.runs) {
		runs := slices.Clone(c.runs[task])
		slices.SortStableFunc(runs, func(a, b *run) int { return cmp.Compare(a.claim, b.claim) })
		if t := c.tasks[task]; t != nil && len(runs) > t.MaxAttempts {
			c.fail(ruleOnce, task, "task %s (%s) was started %d times, of at most %d", task, t.Type, len(runs), t.MaxAttempts)
		}
		for i, r := range runs {
			c.checkClaim(r)
			for _, later := range runs[i+1 : min(i+1+neighbours, len(runs))] {
				if later.claim == r.claim {
					c.fail(ruleOnce, task, "attempt %d of task %s was started twice, by %s and %s", r.claim, task, r.proc, later.proc)
				} else {
					c.checkAlone(r, later)
				}
			}
		}
	}
}

// checkAlone compares the run of an old claim with that of a newer one.
func (c *checker) checkAlone(old, newer *run) {
	from, to := max(old.start, newer.start), min(c.over(old), c.over(newer))
	early := old.start > newer.start // the old claim began after the newer one: it lay in a process that did not run
	if from >= to && !early || c.excused(c.procs[old.proc], newer.start, max(old.start, c.over(old))) {
		return
	}
	c.fail(ruleAlone, old.task, "task %s: attempt %d in %s went on until %s, attempt %d in %s began at %s",
		old.task, old.claim, old.proc, c.at(c.over(old)), newer.claim, newer.proc, c.at(newer.start))
}

// checkClaim compares a run with when its process had the claim, by the table.
func (c *checker) checkClaim(r *run) {
	skew := int64(c.Limits.Skew)
	var claimed, lost *Change
	for _, ch := range c.changes[r.task] {
		held := ch.Claim == r.claim && (ch.To == gtf.StatusInProgress || ch.To == gtf.StatusAborting)
		switch {
		case claimed == nil && held:
			claimed = ch
		case claimed != nil && lost == nil && !held:
			lost = ch
		}
	}
	switch {
	case claimed == nil:
		c.fail(ruleClaim, r.task, "task %s: %s began attempt %d, which the table does not know", r.task, r.proc, r.claim)
		return
	case c.byWorker[claimed.Worker] != c.procs[r.proc]:
		c.fail(ruleClaim, r.task, "task %s: %s began attempt %d, which is not its own", r.task, r.proc, r.claim)
		return
	case r.start < claimed.At-skew:
		c.fail(ruleClaim, r.task, "task %s: %s began attempt %d at %s, before it was claimed", r.task, r.proc, r.claim, c.at(r.start))
	case lost == nil:
		return
	}
	if over := max(r.start, c.over(r)); lost != nil && over > lost.At+skew && !c.excused(c.procs[r.proc], lost.At, over) {
		c.fail(ruleClaim, r.task, "task %s: attempt %d in %s went on until %s, %v after its claim was lost",
			r.task, r.claim, r.proc, c.at(over), ms(over-lost.At))
	}
}

// checkFences looks at what ran when a process gave up its claims, or should have. One that did not run for a while may find
// that it still has them; what it does if it has not is up to checkClaim.
func (c *checker) checkFences() {
	for _, task := range sortedKeys(c.runs) {
		for _, r := range c.runs[task] {
			p := c.procs[r.proc]
			for _, at := range p.fences {
				c.checkFence(r, at, "the process gave up its claims")
			}
			for _, s := range p.cuts {
				if at := s.from + int64(c.Limits.Fence+c.Limits.Slack); s.to > at && r.start < s.from {
					c.checkFence(r, at, "the process should have given up its claims")
				}
			}
		}
	}
}

func (c *checker) checkFence(r *run, at int64, why string) {
	limit := at + int64(c.Limits.Resumed)
	for _, s := range c.procs[r.proc].paused() { // again
		if s.from < limit && s.to > at {
			limit = max(limit, s.to+int64(c.Limits.Resumed))
		}
	}
	if over := c.over(r); r.start < at && over > limit {
		c.fail(ruleFence, r.task, "task %s: %s at %s, and attempt %d in %s went on until %s", r.task, why, c.at(at), r.claim, r.proc, c.at(over))
	}
}
