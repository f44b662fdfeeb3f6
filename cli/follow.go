package cli

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/internal/term"
)

// display shows tasks as they change.
type display interface {
	// show is called with all tasks at every change, and about once a second.
	show(tasks []*gtf.Task, now time.Time)
	// note says something about it.
	note(text string)
}

// display is the one for a stream, seen by who ctx is: one JSON object a change, lines that are drawn again on a terminal, else plain lines.
func (c *Console) display(ctx context.Context, w io.Writer) display {
	switch {
	case c.json():
		return &jsonDisplay{tasks: c.Out, notes: c.Err, actor: gtf.ActorFrom(ctx), seen: map[gtf.ID]int64{}}
	case term.Redraws(w):
		return &liveDisplay{area: term.Area{Out: w}, palette: term.PaletteOf(w)}
	}
	return &plainDisplay{w: w, said: map[gtf.ID]string{}}
}

// Follow shows tasks on standard error until all have ended, and returns how: like "gtf watch", for commands of a
// binary's own. If ctx ends first, the error is a [*gtf.WaitError].
func (c *Console) Follow(ctx context.Context, client *gtf.Client, ids ...gtf.ID) ([]*gtf.Task, error) {
	return follow(ctx, ownDesk{client}, ids, c.display(ctx, c.Err), nil)
}

// follow shows tasks until all have ended.
func follow(ctx context.Context, from watcher, ids []gtf.ID, d display, notes <-chan string) ([]*gtf.Task, error) {
	type news struct {
		at   int
		task *gtf.Task
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()
	feed := make(chan news)
	for i, id := range ids {
		watchers.Go(func() {
			for t, err := range from.Watch(ctx, id) {
				select {
				case feed <- news{i, t, err}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	tasks := make([]*gtf.Task, len(ids))
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for open := len(ids); open > 0; {
		select {
		case n := <-feed:
			if n.err != nil {
				return tasks, n.err
			}
			tasks[n.at] = n.task
			if n.task.Status.Terminal() {
				open--
			}
		case text := <-notes:
			d.note(text)
			continue
		case <-clock.C:
		case <-ctx.Done():
			return tasks, &gtf.WaitError{ID: ids[slices.IndexFunc(tasks, unfinished)], Err: ctx.Err()}
		}
		d.show(slices.DeleteFunc(slices.Clone(tasks), func(t *gtf.Task) bool { return t == nil }), time.Now())
	}
	return tasks, nil
}

func unfinished(t *gtf.Task) bool { return t == nil || !t.Status.Terminal() }

// jsonDisplay writes each version of a task once.
type jsonDisplay struct {
	tasks, notes io.Writer
	actor        gtf.Actor
	seen         map[gtf.ID]int64
}

func (d *jsonDisplay) show(tasks []*gtf.Task, now time.Time) {
	for _, t := range tasks {
		if v, ok := d.seen[t.ID]; !ok || v != t.Version {
			d.seen[t.ID] = t.Version
			_ = writeJSON(d.tasks, httpapi.NewTask(t, d.actor, now)) // who closed the pipe does not want it
		}
	}
}

func (d *jsonDisplay) note(text string) { _ = writeJSON(d.notes, map[string]string{"note": text}) }

// plainDisplay writes a line whenever what it says changes.
type plainDisplay struct {
	w    io.Writer
	said map[gtf.ID]string
}

func (d *plainDisplay) show(tasks []*gtf.Task, now time.Time) {
	for _, t := range tasks {
		key := string(t.Status) + t.Progress.String()
		if d.said[t.ID] == key {
			continue
		}
		d.said[t.ID] = key
		d.note(plainLine(t, now))
	}
}

func plainLine(t *gtf.Task, now time.Time) string {
	return strings.Join(nonEmpty(now.Format(time.TimeOnly), term.OneLine(label(t)), term.LookOf(t.Status).Word, term.OneLine(state(t, now))), "  ")
}

func (d *plainDisplay) note(text string) { _, _ = io.WriteString(d.w, term.Printable(text)+"\n") }

// label names a task in a line: what people call it, else its type.
func label(t *gtf.Task) string {
	if t.Name != "" {
		return t.Type + " " + t.Name
	}
	return t.Type
}

// liveDisplay draws a line for each task, again and again.
type liveDisplay struct {
	area    term.Area
	palette term.Palette
}

func (d *liveDisplay) show(tasks []*gtf.Task, now time.Time) {
	columns := d.area.Columns()
	labels := 0
	for _, t := range tasks {
		labels = max(labels, term.Width(term.OneLine(label(t))))
	}
	labels = min(labels, max(20, columns/3))
	lines := make([]string, len(tasks))
	for i, t := range tasks {
		lines[i] = d.line(t, now, labels, columns)
	}
	d.area.Draw(lines...)
}

const barColumns = 20

func (d *liveDisplay) line(t *gtf.Task, now time.Time, labels, columns int) string {
	look := term.LookOf(t.Status)
	name := term.Pad(term.OneLine(label(t)), labels)
	word := term.Pad(look.Word, term.WordWidth)
	graph := ""
	if f, ok := t.Progress.Fraction(); ok && t.Status.Active() && columns > labels+2*barColumns+13 {
		graph = term.Bar(f, barColumns) + "  "
	}
	rest := term.Cut(term.OneLine(state(t, now)), max(1, columns-labels-term.WordWidth-4-term.Width(graph)))
	return strings.TrimRight(name+"  "+d.palette.Paint(look.Style, word)+"  "+d.palette.Paint(look.Style, graph)+rest, " ")
}

func (d *liveDisplay) note(text string) { d.area.Say(term.Printable(text)) }
