package check

import (
	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// Why a wait ended without an outcome, where that is in order.
const (
	RefusedDeadline = "deadline" // the caller's own context
	RefusedStopped  = "stopped"  // the client
)

// checkWaits compares what each waiter got with the row.
func (c *checker) checkWaits() {
	for _, k := range c.calls {
		if k.ask.Kind != journal.Wait {
			continue
		}
		p, a, task := c.procs[k.ask.Proc], k.answer, k.ask.Task
		if a == nil {
			if !p.killed() {
				c.fail(ruleWaits, task, "%s waited for task %s from %s on and got no answer", p.name, task, c.at(k.ask.At))
			}
			continue
		}
		switch {
		case a.Refused == RefusedDeadline:
		case a.Refused == RefusedStopped:
			if p.drain == 0 {
				c.fail(ruleWaits, task, "%s waited for task %s and was told that the client has stopped", p.name, task)
			}
		case a.Refused != "":
			c.fail(ruleWaits, task, "%s waited for task %s and was told: %s", p.name, task, a.Refused)
		case a.Error != "": // the store's: the waiter asks again
		default:
			c.checkWaited(k)
		}
	}
}

func (c *checker) checkWaited(k *call) {
	a, task := k.answer, k.ask.Task
	t := c.tasks[task]
	if t == nil {
		c.fail(ruleWaits, task, "%s got an outcome of task %s, which is not there", a.Proc, task)
		return
	}
	success := t.Status == gtf.StatusSuccess
	if a.Status != string(t.Status) || success && !sameJSON(a.Result, string(t.Result)) || !success && a.Reason != t.Error {
		c.fail(ruleWaits, task, "%s got %s (result %s, reason %q) for task %s, which is %s (result %s, error %q)",
			a.Proc, a.Status, a.Result, a.Reason, task, t.Status, t.Result, t.Error)
	}
	end := c.terminal(task)
	if end == nil {
		return
	}
	if late := c.delay(k, end); end.At > k.ask.At && late > int64(c.Limits.Told) {
		c.fail(ruleWaits, task, "%s got the outcome of task %s at %s, %v after its end", a.Proc, task, c.at(a.At), ms(late))
	}
	if a.At < end.At-int64(c.Limits.Skew) {
		c.fail(ruleWaits, task, "%s got the outcome of task %s at %s, before it ended at %s", a.Proc, task, c.at(a.At), c.at(end.At))
	}
}
