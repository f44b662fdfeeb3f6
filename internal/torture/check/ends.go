package check

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// The texts that gtf itself gives to what did not succeed.
const (
	textLost      = "worker lost"
	textShutdown  = "interrupted by shutdown"
	textQueueTime = "maximum queue time"
)

// checkEnds looks whether every task that was ever accepted is there and has ended, as the table's changes say.
func (c *checker) checkEnds() {
	missing := map[string]bool{}
	for _, k := range c.calls {
		if k.ask.Kind == journal.Submit && k.answer != nil && k.answer.Error == "" && c.tasks[k.answer.Task] == nil {
			missing[k.answer.Task] = true
		}
	}
	for task, changes := range c.changes {
		if c.tasks[task] == nil && changes[len(changes)-1].To != "" {
			missing[task] = true
		}
	}
	for _, task := range sortedKeys(missing) {
		c.fail(ruleEnds, task, "task %s was accepted and is gone", task)
	}
	for _, id := range sortedKeys(c.tasks) {
		t, changes := c.tasks[id], c.changes[id]
		switch {
		case !t.Status.Terminal():
			c.fail(ruleEnds, id, "task %s (%s) is still %s", id, t.Type, t.Status)
		case len(changes) == 0:
			c.fail(ruleEnds, id, "task %s was never inserted, by the table's changes", id)
		case changes[len(changes)-1].To != t.Status:
			c.fail(ruleEnds, id, "task %s is %s, and by the table's changes %s", id, t.Status, changes[len(changes)-1].To)
		}
	}
}

// checkOutcomes compares what each task became with what its last attempt did.
func (c *checker) checkOutcomes() {
	for _, id := range sortedKeys(c.tasks) {
		t := c.tasks[id]
		r := c.run(id, t.Attempt, "")
		fail := func(what string) {
			c.fail(ruleOutcome, id, "task %s (%s) is %s (error %q, result %s): %s", id, t.Type, t.Status, t.Error, t.Result, what)
		}
		if what := c.wrongOutcome(t, r); what != "" {
			fail(what)
		}
		if n := len(t.Attempts); t.Status.Terminal() && n != t.Attempt && n != t.Attempt-1 {
			fail("its attempts were not all kept")
		}
		for i, a := range t.Attempts {
			if !c.explained(id, i+1, a.Error) {
				c.fail(ruleOutcome, id, "task %s (%s): nothing that happened explains the error of attempt %d, %q", id, t.Type, i+1, a.Error)
			}
		}
	}
}

// wrongOutcome says what is wrong about the end of a task; nothing if all is well.
func (c *checker) wrongOutcome(t *gtf.Task, r *run) string {
	id := t.ID.String()
	queued := strings.Contains(t.Error, textQueueTime)
	switch {
	case t.Status == gtf.StatusSuccess:
		return c.wrongSuccess(t, r)
	case len(t.Result) > 0:
		return "it has a result"
	case t.Status == gtf.StatusFailure && !c.explained(id, t.Attempt, t.Error):
		return "nothing that happened explains the error"
	case t.Status == gtf.StatusAborted && (t.AbortReason != gtf.AbortByUser || t.AbortedBy.ID == ""):
		return "nobody asked for it"
	case t.Status == gtf.StatusTimedOut && queued && (t.Attempt != 0 || len(c.runs[id]) > 0):
		return "it waited too long and was started nevertheless"
	case t.Status == gtf.StatusTimedOut && !queued && t.AbortReason != gtf.AbortByTimeout:
		return "no time limit has passed"
	}
	return ""
}

// wrongSuccess says what is wrong about a success; nothing if all is well.
func (c *checker) wrongSuccess(t *gtf.Task, r *run) string {
	switch {
	case t.Error != "":
		return "it has an error"
	case r == nil:
		return "no attempt with its claim was begun"
	case r.end == 0:
		return "the attempt never returned"
	case r.err != "":
		return "the attempt returned " + r.err
	case !sameJSON(r.result, string(t.Result)):
		return "the attempt returned " + r.result
	case r.context != 0 && r.context < r.end && c.wasAborting(t.ID.String(), r.claim):
		return "the attempt had been told to abort before it returned"
	}
	return ""
}

func (c *checker) wasAborting(task string, claim int) bool {
	return slices.ContainsFunc(c.changes[task], func(ch *Change) bool { return ch.To == gtf.StatusAborting && ch.Claim == claim })
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// explained tells whether something that happened to an attempt gives it that error.
func (c *checker) explained(task string, claim int, text string) bool {
	worker := c.holder(task, claim)
	p, r := c.byWorker[worker], c.run(task, claim, "")
	switch {
	case text == "":
		return false
	case strings.HasPrefix(text, textLost):
		return r == nil || p == nil || p.killed() || c.gaveUp[worker] != 0 || p.stop != nil && p.stop.Error != "" || c.slept(p, task, claim)
	case strings.Contains(text, textShutdown):
		return p != nil && p.drain != 0
	case r == nil:
		return false
	case r.err != "" && strings.Contains(text, r.err):
		return true
	}
	return slices.ContainsFunc(r.cleanup, func(failed string) bool { return strings.Contains(text, failed) })
}

// slept tells whether a process did not run for a while when it lost a claim. If the function has returned by the time the
// process notices, there is nothing left to give up.
func (c *checker) slept(p *proc, task string, claim int) bool {
	i := slices.IndexFunc(c.changes[task], func(ch *Change) bool { return ch.Claim == claim && ch.From.Active() && c.byWorker[ch.Worker] != p })
	if i < 0 { // the row keeps the name of the worker that was lost with it
		i = len(c.changes[task]) - 1
	}
	return i >= 0 && c.excused(p, c.changes[task][i].At, c.changes[task][i].At)
}

// holder is the worker id that had a claim; empty if none is known.
func (c *checker) holder(task string, claim int) string {
	for _, ch := range c.changes[task] {
		if ch.Claim == claim && c.byWorker[ch.Worker] != nil {
			return ch.Worker
		}
	}
	return ""
}

// work is the identity of what was submitted.
type work struct{ typ, key, by string }

// workOf is a submit's, as precise as the scope wants it.
func (c *checker) workOf(e *journal.Event) work {
	w := work{e.Type, e.Key, e.By}
	if e.Scope == string(gtf.ScopeShared) {
		w.by = ""
	}
	return w
}

// checkCounts compares the rows with the answers.
func (c *checker) checkCounts() {
	created, joins := map[string]int{}, map[string]int{}
	open := map[work]int{} // submits of which nobody knows what became of them
	for _, k := range c.calls {
		switch {
		case k.ask.Kind != journal.Submit:
		case k.answer == nil || k.answer.Error != "":
			open[c.workOf(k.ask)]++
		case k.answer.Joined:
			joins[k.answer.Task]++
			c.checkJoin(k)
		default:
			created[k.answer.Task]++
		}
	}
	silent := map[work]int{} // rows that nobody was told of
	for _, id := range sortedKeys(c.tasks) {
		t := c.tasks[id]
		w := work{t.Type, t.Key, t.CreatedBy.ID}
		if t.Scope == gtf.ScopeShared {
			w.by = ""
		}
		switch created[id] {
		case 0:
			if silent[w]++; silent[w] > open[w] {
				c.fail(ruleCounts, id, "task %s (%s) was created by nobody", id, t.Type)
			}
		case 1:
		default:
			c.fail(ruleCounts, id, "task %s (%s) was created %d times, by the answers", id, t.Type, created[id])
		}
		most := joins[id] + open[w]
		if c.lossy() { // a statement whose answer is lost may be sent again, and then joins itself
			most = 2*most + 2
		}
		if t.DedupeCount < joins[id] || t.DedupeCount > most {
			c.fail(ruleCounts, id, "task %s (%s) was joined %d times by its row, %d times by the answers, and %d answers are missing",
				id, t.Type, t.DedupeCount, joins[id], open[w])
		}
	}
}

// checkJoin looks whether what was joined was active at some time between question and answer.
func (c *checker) checkJoin(k *call) {
	end, skew := c.terminal(k.answer.Task), int64(c.Limits.Skew)
	if end != nil && end.At < k.ask.At-skew {
		c.fail(ruleCounts, k.answer.Task, "task %s was joined by %s at %s, when it had ended", k.answer.Task, k.ask.By, c.at(k.ask.At))
	}
	if t := c.tasks[k.answer.Task]; t != nil && (t.Type != k.ask.Type || t.Key != k.ask.Key) {
		c.fail(ruleCounts, k.answer.Task, "task %s is %s %q, and was joined as %s %q", k.answer.Task, t.Type, t.Key, k.ask.Type, k.ask.Key)
	}
}

// lossy tells whether answers of the database can have been lost.
func (c *checker) lossy() bool {
	return slices.ContainsFunc(c.Events, func(e journal.Event) bool {
		return e.Kind == journal.Fault && slices.Contains([]string{FaultCut, FaultRestart, FaultImmediate, FaultTerminate}, e.How)
	})
}
