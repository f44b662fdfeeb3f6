package check

import (
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// What a cancel was told, where it was refused for good.
const (
	RefusedFinished     = "finished"
	RefusedNotAbortable = "not abortable"
	RefusedForbidden    = "forbidden"
	RefusedNotFound     = "not found"
)

// checkCancels compares the answers with what became of the tasks.
func (c *checker) checkCancels() {
	for _, k := range c.calls {
		if k.ask.Kind != journal.Cancel || k.answer == nil || k.answer.Error != "" {
			continue
		}
		task := k.ask.Task
		t, end := c.tasks[task], c.terminal(task)
		switch {
		case t == nil || end == nil: // the rule about ends has said so
		case k.answer.Refused == RefusedFinished:
			if end.At > k.answer.At+int64(c.Limits.Skew) {
				c.fail(ruleCancels, task, "%s was told at %s that task %s has finished, which it did at %s",
					k.ask.By, c.at(k.answer.At), task, c.at(end.At))
			}
		case k.answer.Effect != string(gtf.EffectAbort):
		case k.answer.Status == string(gtf.StatusAborted):
			c.checkNeverStarted(k, t)
		case k.answer.Status == string(gtf.StatusAborting):
			c.checkAborting(k, t)
		default:
			c.fail(ruleCancels, task, "%s was told that task %s is to be aborted, and that it is %s", k.ask.By, task, k.answer.Status)
		}
	}
}

// checkNeverStarted: it was pending, so nothing runs any more.
func (c *checker) checkNeverStarted(k *call, t *gtf.Task) {
	id := t.ID.String()
	if t.Status != gtf.StatusAborted {
		c.fail(ruleCancels, id, "%s was told that task %s is aborted, and it is %s", k.ask.By, id, t.Status)
	}
	for _, r := range c.runs[id] {
		if r.start > k.answer.At && !c.excused(c.procs[r.proc], k.answer.At, max(r.start, c.over(r))) {
			c.fail(ruleCancels, id, "%s was told at %s that task %s is aborted, and %s started it at %s",
				k.ask.By, c.at(k.answer.At), id, r.proc, c.at(r.start))
		}
	}
}

// checkAborting: it was running. It may have been done before it noticed, or have failed by itself, or with its worker.
func (c *checker) checkAborting(k *call, t *gtf.Task) {
	id := t.ID.String()
	r := c.run(id, t.Attempt, "")
	ok := false
	switch t.Status {
	case gtf.StatusAborted:
		ok = true
	case gtf.StatusTimedOut:
		ok = t.AbortReason == gtf.AbortByTimeout // that had come first
	case gtf.StatusSuccess:
		ok = r != nil // the rule about outcomes looks at the rest
	case gtf.StatusFailure:
		noticed := r != nil && r.context != 0 && r.context < r.end
		ok = strings.HasPrefix(t.Error, textLost) || r != nil && (len(r.cleanup) > 0 || r.err != "" && !noticed)
	}
	if !ok {
		c.fail(ruleCancels, id, "%s was told at %s that task %s is aborting, and it became %s (%q)",
			k.ask.By, c.at(k.answer.At), id, t.Status, t.Error)
	}
	for _, later := range c.runs[id] {
		if later.start > k.answer.At && (r == nil || later.claim > r.claim) {
			c.fail(ruleCancels, id, "%s was told that task %s is aborting, and %s began attempt %d", k.ask.By, id, later.proc, later.claim)
		}
	}
}
