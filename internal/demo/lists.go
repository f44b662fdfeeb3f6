package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// sight is what one person sees.
type sight struct {
	by    gtf.Principal
	tasks []*gtf.Task
}

// lists asks for each person's list, as that person.
func (s *stage) lists(ctx context.Context) ([]sight, error) {
	var all []sight
	for _, by := range []gtf.Principal{ada, grace, alan} {
		page, err := s.client.List(gtf.WithPrincipal(ctx, by), &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 100})
		if err != nil {
			return nil, fmt.Errorf("list the tasks of %s: %w", by.ID, err)
		}
		all = append(all, sight{by, page.Tasks})
	}
	return all, nil
}

func (s *stage) showLists(all []sight) {
	screen := s.board.screen
	titles := 0
	for _, p := range s.board.parts {
		titles = max(titles, term.Width(p.title))
	}
	for _, saw := range all {
		head := fmt.Sprintf("%s sees %d of %d tasks", saw.by.ID, len(saw.tasks), len(s.board.parts))
		if saw.by.Admin {
			head += ", being an admin"
		}
		screen.say("", "")
		screen.say("", screen.Paint(term.Strong, head))
		for _, t := range saw.tasks {
			look := term.LookOf(t.Status)
			line := strings.Join([]string{
				"  " + screen.Paint(look.Style, look.Badge()), term.Pad(t.Title(), titles), term.Pad(string(t.Scope), len("private")),
				because(t, saw.by),
			}, "  ")
			screen.say("", strings.TrimRight(line, " "))
		}
	}
}

// because is why a person sees a task.
func because(t *gtf.Task, by gtf.Principal) string {
	follows := func(p gtf.Principal) bool {
		return slices.ContainsFunc(t.Subscribers, func(s gtf.Subscriber) bool { return s.ID == p.ID })
	}
	switch {
	case !follows(by):
		return "as an admin: it is " + t.CreatedBy.DisplayName() + "'s"
	case t.CreatedBy.ID == by.ID:
		return "started it"
	case !follows(t.CreatedBy):
		return "joined it; " + t.CreatedBy.DisplayName() + ", who started it, has left"
	}
	return "joined it"
}

// goodbye is the last line of a demo that went well.
func (s *stage) goodbye(to screen) {
	to.say("", "")
	if s.Keep {
		to.say("", "The worker has stopped. Everything is kept in "+s.dir+"; look at it with")
		to.say("", fmt.Sprintf("  %s ls --database-url %s --as alan", s.Binary, databaseURL(s.database)))
		return
	}
	to.say("", fmt.Sprintf("All as it should be, in %s. The worker has stopped, %s is gone.", term.Duration(s.board.age()), s.dir))
}

// explain says what may help to understand why the demo did not go well.
func (s *stage) explain(to screen, unfinished []string) {
	to.say("", "")
	if len(unfinished) > 0 {
		to.say("", "not ended: "+term.List(unfinished))
	}
	for _, line := range s.lastWords {
		to.say("", "worker: "+term.OneLine(line))
	}
	if s.Keep {
		to.say("", "kept: "+s.dir)
	}
}
