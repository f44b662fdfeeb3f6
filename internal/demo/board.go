package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// part is a task of the play.
type part struct {
	id       gtf.ID
	title    string
	want     gtf.Status
	audience []string // who sees it in the end, beside ada, who sees everything
	brought  func(*gtf.Task) string

	task *gtf.Task // as last seen; the board's
}

// board follows the tasks and keeps the screen.
type board struct {
	began    time.Time
	fail     context.CancelCauseFunc
	watchers sync.WaitGroup
	stop     chan struct{}

	mu      sync.Mutex
	screen  screen
	parts   []*part
	changed chan struct{} // closed, and another made, at each change
	settled bool
}

// tick is how often times on the screen move on.
const tick = 200 * time.Millisecond

// newBoard makes a board that tells fail what keeps it from following a task.
func newBoard(s screen, fail context.CancelCauseFunc) *board {
	b := &board{began: time.Now(), fail: fail, screen: s, changed: make(chan struct{}), stop: make(chan struct{})}
	b.watchers.Go(func() {
		clock := time.NewTicker(tick)
		defer clock.Stop()
		for {
			select {
			case <-clock.C:
				b.redraw()
			case <-b.stop:
				return
			}
		}
	})
	return b
}

// follow shows a task from now on.
func (b *board) follow(ctx context.Context, client *gtf.Client, p *part) {
	b.mu.Lock()
	b.parts = append(b.parts, p)
	b.mu.Unlock()
	b.watchers.Go(func() {
		for t, err := range client.Attach(p.id).Watch(ctx) {
			if err != nil {
				if ctx.Err() == nil {
					b.fail(fmt.Errorf("follow %q: %w", p.title, err))
				}
				return
			}
			b.update(p, t)
		}
	})
}

func (b *board) update(p *part, t *gtf.Task) {
	b.mu.Lock()
	p.task = t
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	b.redraw()
}

func (b *board) redraw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settled {
		return
	}
	var rows []row
	for _, p := range b.parts {
		if p.task != nil {
			rows = append(rows, p.row())
		}
	}
	if len(rows) > 0 {
		b.screen.show(rows, time.Now())
	}
}

// row must be called under the board's lock, or after its end.
func (p *part) row() row {
	r := row{title: p.title, task: p.task}
	if p.task.Status == gtf.StatusSuccess && p.brought != nil {
		r.brought = p.brought(p.task)
	}
	return r
}

// say tells what somebody does; nobody is gtf itself.
func (b *board) say(actor, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stamp := fmt.Sprintf("%5.1fs", b.age().Seconds())
	head := b.screen.Paint(term.Dim, stamp) + "  " + b.screen.Paint(term.Strong, term.Pad(actor, len("grace"))) + "  "
	b.screen.say(head, term.OneLine(fmt.Sprintf(format, args...)))
}

// indent is where the text of say begins.
const indent = len("  0.0s  grace  ")

func (b *board) age() time.Duration { return time.Since(b.began) }

// until waits for a task to become what cond wants.
func (b *board) until(ctx context.Context, p *part, what string, cond func(*gtf.Task) bool) error {
	for {
		b.mu.Lock()
		t, changed := p.task, b.changed
		b.mu.Unlock()
		switch {
		case t != nil && cond(t):
			return nil
		case t != nil && t.Status.Terminal():
			return fmt.Errorf("%q ended (%s) before %s", p.title, outcome(t), what)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// untilOver waits for the end of all tasks.
func (b *board) untilOver(ctx context.Context) error {
	b.mu.Lock()
	parts := b.parts
	b.mu.Unlock()
	for _, p := range parts {
		if err := b.until(ctx, p, "its end", func(t *gtf.Task) bool { return t.Status.Terminal() }); err != nil {
			return err
		}
	}
	return nil
}

// unfinished names the tasks that have not ended.
func (b *board) unfinished() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, p := range b.parts {
		if p.task == nil || !p.task.Status.Terminal() {
			names = append(names, p.title)
		}
	}
	return names
}

// close ends the show. The watchers of tasks that have not ended need the end of their context: end brings it about.
func (b *board) close(end context.CancelCauseFunc) {
	b.redraw()
	b.mu.Lock()
	first := !b.settled
	b.settled = true
	b.mu.Unlock()
	if first {
		close(b.stop)
	}
	if end != nil {
		end(errOver)
	}
	b.watchers.Wait()
	if first {
		b.screen.settle()
	}
}

var errOver = errors.New("the demo is over")

// outcome is a status with its reason.
func outcome(t *gtf.Task) string {
	if t.Error != "" {
		return string(t.Status) + ": " + t.Error
	}
	return string(t.Status)
}
