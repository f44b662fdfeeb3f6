package live

import (
	"slices"
	"sync"

	"github.com/globaltask/gtf"
)

// flow is one feed of changes, and who listens to it.
type flow struct {
	over  <-chan struct{} // closed at its end
	stop  func()
	ready chan struct{} // closed at the first changes, when there is a cursor

	mu        sync.Mutex
	begun     bool
	cursor    string
	listeners map[*listener]struct{}
}

func (f *flow) isOver() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

// join makes l hear everything behind the cursor that it returns. The flow is ready.
func (f *flow) join(l *listener) (cursor string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[l] = struct{}{}
	l.cursor, l.told = f.cursor, f.cursor
	return f.cursor
}

func (f *flow) part(l *listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, l)
}

// handOut gives changes to everybody who wants them. It never waits for a reader.
func (h *Hub) handOut(f *flow, changes *gtf.Changes) {
	events := make([]event, len(changes.Tasks))
	for i := range changes.Tasks {
		events[i] = event{&changes.Tasks[i], nil}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor = changes.Cursor
	if !f.begun {
		f.begun = true
		close(f.ready)
	}
	for l := range f.listeners {
		taken, reset := l.hear(events, changes, h.o.Buffer)
		h.counts.events.Add(int64(taken))
		if reset {
			h.counts.resets.Add(1)
		}
	}
}

// event is a change, and its text once somebody wants it: it is written once for all.
type event struct {
	change *gtf.Change
	text   []byte
}

// listener is what waits to be sent on one stream.
type listener struct {
	viewer gtf.Viewer
	only   gtf.ID // zero: all
	types  []string
	wake   chan struct{} // holds one

	mu      sync.Mutex
	texts   [][]byte
	cursor  string // behind the texts
	told    string // the cursor that the client has
	missed  bool   // they were thrown away
	hasLast bool   // they hold the last there is of the only task
}

func newListener(s *Stream) *listener {
	return &listener{viewer: s.Viewer, only: s.Only, types: s.Types, wake: make(chan struct{}, 1)}
}

// hear takes what the listener wants of a batch. Only one goroutine calls it.
func (l *listener) hear(events []event, batch *gtf.Changes, limit int) (taken int, reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	missed := l.missed
	l.cursor, l.missed = batch.Cursor, missed || batch.Reset
	for i := range events {
		e := &events[i]
		switch {
		case l.missed || l.hasLast || !l.wants(e.change):
		case !l.viewer.SeesChange(e.change):
			l.hasLast = l.only == e.change.ID
		case len(l.texts) == limit && !l.isOnly():
			l.missed = true
		default:
			l.add(e)
			taken++
		}
	}
	if l.missed {
		l.texts = nil
	}
	if len(l.texts) > 0 || l.missed || l.hasLast {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return taken, l.missed && !missed
}

// add keeps a text to be sent; of one task alone the newest will do.
func (l *listener) add(e *event) {
	if e.text == nil {
		e.text = taskEvent(e.change)
	}
	if l.isOnly() {
		l.texts = nil
		l.hasLast = e.change.Status.Terminal()
	}
	l.texts = append(l.texts, e.text)
}

func (l *listener) isOnly() bool { return l.only != gtf.ID{} }

// wants reports whether a change is about what was asked for, whoever may see it.
func (l *listener) wants(c *gtf.Change) bool {
	if l.isOnly() {
		return c.ID == l.only
	}
	return l.types == nil || slices.Contains(l.types, c.Type)
}

// take removes what waits.
func (l *listener) take() (texts [][]byte, cursor string, missed, hasLast bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	texts, missed = l.texts, l.missed
	l.texts, l.missed, l.told = nil, false, l.cursor
	return texts, l.cursor, missed, l.hasLast
}

// position is where the client goes on if nothing waits to be sent, and then only if that has moved.
func (l *listener) position() (cursor string, moved bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.texts) > 0 || l.missed || l.hasLast || l.cursor == l.told {
		return "", false
	}
	l.told = l.cursor
	return l.cursor, true
}
