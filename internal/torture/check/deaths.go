package check

import (
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf/internal/torture/journal"
)

// checkDeaths looks, for each task that a process held when it died or gave up its claims, when it was taken from it.
func (c *checker) checkDeaths() {
	disturbed := c.disturbed()
	wait, beats := int64(c.Limits.WorkerTimeout), int64(2*c.Limits.Heartbeat+c.Limits.Slack)
	for _, task := range sortedKeys(c.changes) {
		changes := c.changes[task]
		for i, ch := range changes {
			gone, how := c.gone(ch)
			if gone == 0 {
				continue
			}
			last := i+1 == len(changes)
			if !last && changes[i+1].At < gone {
				continue
			}
			if !last {
				c.reaped = append(c.reaped, time.Duration(changes[i+1].At-max(gone, ch.At)))
			}
			limit := calm(max(gone, ch.At)+wait, beats, disturbed)
			switch {
			case last && c.end > limit:
				c.fail(ruleReaped, task, "task %s was held by %s, which %s at %s, and was never taken", task, c.byWorker[ch.Worker].name, how, c.at(gone))
			case !last && changes[i+1].At > limit+int64(c.Limits.Skew):
				c.fail(ruleReaped, task, "task %s was held by %s, which %s at %s, and was taken at %s, not before %s",
					task, c.byWorker[ch.Worker].name, how, c.at(gone), c.at(changes[i+1].At), c.at(limit))
			}
		}
	}
}

// gone is when the process that holds a task by a change was killed or gave up its claims; 0 if neither.
func (c *checker) gone(ch *Change) (at int64, how string) {
	p := c.byWorker[ch.Worker]
	if p == nil || !ch.To.Active() {
		return 0, ""
	}
	if at := c.gaveUp[ch.Worker]; at != 0 {
		return at, "gave up its claims"
	}
	if p.killed() {
		return p.dead, "was killed"
	}
	return 0, ""
}

// pardoned counts the stops after which a process went on with what ran before.
func (p *proc) pardoned(c *checker) (n int) {
	for _, s := range p.stops {
		if s.to-s.from <= int64(c.Limits.Fence) {
			continue
		}
		kept := false
		for _, runs := range c.runs {
			for _, r := range runs {
				kept = kept || c.procs[r.proc] == p && r.start < s.from && c.over(r) > s.to+int64(c.Limits.Slack)
			}
		}
		n += count(kept)
	}
	return n
}

// disturbed is when nobody could keep house: the database gave no answer, whoever had the lease could not use it, or there
// was no worker to take it.
func (c *checker) disturbed() []span {
	whole := span{c.zero, c.end}
	able := map[string][]span{}
	var some []span
	for name, p := range c.procs {
		if p.working == 0 {
			continue
		}
		life := span{p.working, c.end}
		for _, at := range []int64{p.dead, p.drain} {
			if at != 0 {
				life.to = min(life.to, at)
			}
		}
		able[name] = common([]span{life}, inverse(union(p.paused(), p.cuts), whole))
		some = append(some, able[name]...)
	}
	disturbed := union(c.outages, inverse(some, whole))
	for i, l := range c.Leases {
		held := span{l.At, l.Until}
		if i+1 < len(c.Leases) {
			held.to = min(held.to, c.Leases[i+1].At)
		}
		if p := c.byToken[l.Token]; p != nil {
			disturbed = append(disturbed, common([]span{held}, inverse(able[p.name], whole))...)
		}
	}
	return union(disturbed)
}

// checkStops looks, for each process whose client said that it has stopped in order, whether it left anything.
func (c *checker) checkStops() {
	for _, name := range sortedKeys(c.procs) {
		p := c.procs[name]
		if p.stop == nil || p.stop.Error != "" {
			continue
		}
		for _, task := range sortedKeys(c.changes) {
			changes := c.changes[task]
			i := slices.IndexFunc(changes, func(ch *Change) bool { return ch.At > p.stop.At+int64(c.Limits.Skew) })
			if i < 0 {
				i = len(changes)
			}
			if i == 0 {
				continue
			}
			ch := changes[i-1]
			at := c.gaveUp[ch.Worker]
			if ch.To.Active() && c.byWorker[ch.Worker] == p && (at == 0 || at > p.stop.At) {
				c.fail(ruleStop, task, "task %s was still held by %s when its client had stopped at %s", task, name, c.at(p.stop.At))
			}
		}
	}
	for _, task := range sortedKeys(c.runs) {
		for _, r := range c.runs[task] {
			if p := c.procs[r.proc]; p.stop != nil && r.start > p.stop.At {
				c.fail(ruleStop, task, "task %s was started by %s when its client had stopped", task, p.name)
			}
		}
	}
}

// checkLocks looks for transactions that were left open, at a server that has no way to know better.
func (c *checker) checkLocks() {
	longest := map[string]*journal.Event{} // by session
	for i := range c.Events {
		e := &c.Events[i]
		if e.Kind != journal.Lasts || !strings.HasPrefix(e.How, "idle in transaction") || e.For <= int64(c.Limits.Idle) {
			continue
		}
		if before := longest[e.Worker]; before == nil || e.For > before.For {
			longest[e.Worker] = e
		}
	}
	for _, session := range sortedKeys(longest) {
		e := longest[session]
		c.fail(ruleLocks, "", "at %s a transaction was open for %v and idle, and kept its locks; its last statement was %s", c.at(e.At), ms(e.For), e.Cause)
	}
}

// unexplained are the fences of processes to which nothing was done, not even by the machine: they need a look.
func (c *checker) unexplained() (n int) {
	reach := int64(c.Limits.WorkerTimeout + c.Limits.Fence)
	troubles := slices.Clone(c.outages)
	for i := range c.Events {
		if e := &c.Events[i]; e.Kind == journal.Fault && e.Who == "" { // servers
			troubles = append(troubles, span{e.At, e.At + e.For + reach})
		}
	}
	for _, p := range c.procs {
		own := union(troubles, p.paused(), p.cuts)
		for _, at := range p.fences {
			if !slices.ContainsFunc(own, func(s span) bool { return s.from <= at && at <= s.to+reach }) {
				n++
			}
		}
	}
	return n
}
