package check

import (
	"encoding/json"

	"github.com/globaltask/gtf"
)

// ProgressBase is what a task counts for each attempt, so that its progress tells which one wrote it.
const ProgressBase = 1_000_000

// checkChanges follows each row through the table's changes.
func (c *checker) checkChanges() {
	for _, task := range sortedKeys(c.changes) {
		before := gtf.Status("")
		claim := 0
		for i, ch := range c.changes[task] {
			switch {
			case i > 0 && ch.From != before:
				c.fail(ruleSteps, task, "task %s: the table says that it was %s, and then that it becomes %s from %s", task, before, ch.To, ch.From)
			case ch.To == "":
				c.fail(ruleEnds, task, "task %s was deleted", task)
			case ch.Sealed, ch.From.Terminal():
				c.fail(ruleSealed, task, "task %s: its row changed at %s although it was %s", task, c.at(ch.At), ch.From)
			case ch.From == "":
				if ch.To != gtf.StatusPending && ch.To != gtf.StatusInProgress {
					c.fail(ruleSteps, task, "task %s was inserted as %s", task, ch.To)
				}
			case ch.From != ch.To && !ch.From.CanBecome(ch.To):
				c.fail(ruleSteps, task, "task %s went from %s to %s at %s", task, ch.From, ch.To, c.at(ch.At))
			}
			if ch.To != "" && ch.Claim < claim {
				c.fail(ruleSteps, task, "task %s: its claim went back from %d to %d", task, claim, ch.Claim)
			}
			c.checkWriter(ch)
			before, claim = ch.To, ch.Claim
		}
	}
}

// checkWriter tells by what was written who wrote it.
func (c *checker) checkWriter(ch *Change) {
	if ch.Payload != "" {
		var payload struct {
			Claim int `json:"claim"`
		}
		if err := json.Unmarshal([]byte(ch.Payload), &payload); err != nil || payload.Claim != ch.Claim {
			c.fail(ruleOldClaims, ch.Task, "task %s: at %s its payload became %s, under claim %d", ch.Task, c.at(ch.At), ch.Payload, ch.Claim)
		}
	}
	if ch.Progress != 0 && ch.Progress/ProgressBase != int64(ch.Claim) {
		c.fail(ruleOldClaims, ch.Task, "task %s: at %s its progress became %d, under claim %d", ch.Task, c.at(ch.At), ch.Progress, ch.Claim)
	}
}

// checkKeys looks whether two tasks were active with one key, and whether a terminal one kept its key.
func (c *checker) checkKeys() {
	owner, held := map[string]string{}, map[string]string{} // by key, by task
	for i := range c.Changes {
		ch := &c.Changes[i]
		if key := held[ch.Task]; owner[key] == ch.Task {
			delete(owner, key)
		}
		switch {
		case ch.To.Terminal() && ch.Key != ch.Task:
			c.fail(ruleKeys, ch.Task, "task %s became %s and kept its key", ch.Task, ch.To)
		case ch.To.Active():
			if other := owner[ch.Key]; other != "" {
				c.fail(ruleKeys, ch.Task, "tasks %s and %s are active with one key at %s", other, ch.Task, c.at(ch.At))
			}
			owner[ch.Key], held[ch.Task] = ch.Task, ch.Key
		}
	}
}
