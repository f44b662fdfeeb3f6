package check

import (
	"cmp"
	"slices"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// follower is one principal and one task.
type follower struct{ task, by string }

// checkFollowers compares the subscribers with who has submitted and who has left.
func (c *checker) checkFollowers() {
	submits, leaves := map[follower][]*call{}, map[follower][]*call{}
	open := map[work][]*call{} // submits of which nobody knows what became of them, with who asked
	for _, k := range c.calls {
		switch {
		case k.ask.By == "":
		case k.ask.Kind == journal.Cancel && mayHaveLeft(k):
			f := follower{k.ask.Task, k.ask.By}
			leaves[f] = append(leaves[f], k)
		case k.ask.Kind != journal.Submit:
		case k.answer == nil || k.answer.Error != "":
			w := work{k.ask.Type, k.ask.Key, k.ask.By}
			open[w] = append(open[w], k)
		default:
			f := follower{k.answer.Task, k.ask.By}
			submits[f] = append(submits[f], k)
		}
	}
	byFollower := func(a, b follower) int { return cmp.Or(cmp.Compare(a.task, b.task), cmp.Compare(a.by, b.by)) }
	followers := make([]follower, 0, len(submits))
	for f := range submits {
		followers = append(followers, f)
	}
	slices.SortFunc(followers, byFollower)
	for _, f := range followers {
		if t := c.tasks[f.task]; t != nil {
			c.checkFollower(t, f, submits[f], leaves[f], open[work{t.Type, t.Key, f.by}])
		}
	}
	for _, id := range sortedKeys(c.tasks) {
		t := c.tasks[id]
		for _, s := range t.Subscribers {
			if len(submits[follower{id, s.ID}])+len(open[work{t.Type, t.Key, s.ID}]) == 0 {
				c.fail(ruleFollowers, id, "%s follows task %s and never asked for it", s.ID, id)
			}
		}
	}
}

// mayHaveLeft tells whether a cancel may have taken its caller off the task.
func mayHaveLeft(k *call) bool {
	if k.answer == nil || k.answer.Error != "" {
		return true
	}
	return k.answer.Effect == string(gtf.EffectUnsubscribe)
}

func (c *checker) checkFollower(t *gtf.Task, f follower, submits, leaves, open []*call) {
	follows := slices.ContainsFunc(t.Subscribers, func(s gtf.Subscriber) bool { return s.ID == f.by })
	leftBefore := func(s *call) bool { // every leave was over before this submit began
		return !slices.ContainsFunc(leaves, func(l *call) bool { return l.until(c) >= s.ask.At })
	}
	if !follows && slices.ContainsFunc(submits, leftBefore) {
		c.fail(ruleFollowers, f.task, "%s has submitted or joined task %s, did not leave it afterwards, and does not follow it", f.by, f.task)
	}
	leftForGood := func(l *call) bool {
		sure := l.answer != nil && l.answer.Error == ""
		return sure && !slices.ContainsFunc(slices.Concat(submits, open), func(s *call) bool { return s.until(c) >= l.ask.At })
	}
	if follows && slices.ContainsFunc(leaves, leftForGood) {
		c.fail(ruleFollowers, f.task, "%s has left task %s and still follows it", f.by, f.task)
	}
}
