package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

const (
	comeBack  = 5 * time.Second  // within which a client comes back
	startWait = 10 * time.Second // for the first cursor
)

// Serve answers a request with a stream of events. It returns when the stream is over; then the request is answered.
//
// Instead of a stream it answers 401, 429 or 503 with a problem, the last two with Retry-After, or 204 to a client that has
// had the end of its only task.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, s Stream) {
	switch {
	case !s.Viewer.All && s.Viewer.ID == "": // in a context it would be the host
		web.NewProblem(http.StatusUnauthorized, "sign in to see events").Write(w, r)
		return
	case s.Only != gtf.ID{} && s.After == ended:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := &sender{w: w, control: http.NewResponseController(w), timeout: h.o.WriteTimeout}
	if r.Method == http.MethodHead {
		out.head()
		return
	}
	f, leave, refusal := h.admit(s.Viewer)
	if refusal != nil {
		w.Header().Set("Retry-After", "5")
		refusal.Write(w, r)
		return
	}
	defer leave()
	if err := h.serve(r.Context(), f, &s, out); errors.Is(err, os.ErrDeadlineExceeded) {
		h.counts.cut.Add(1)
		h.o.Logger.Debug("event stream cut: its client takes nothing", "after", h.o.WriteTimeout)
	}
}

// errBye ends a stream with the advice to come back.
var errBye = errors.New("bye")

// serve is the life of a stream. An error says that the client takes nothing, or is gone.
func (h *Hub) serve(ctx context.Context, f *flow, s *Stream, out *sender) error {
	if err := out.open(); err != nil {
		return err
	}
	err := h.talk(ctx, f, s, out)
	if errors.Is(err, errBye) {
		err = out.send(byeEvent(within(comeBack)))
	}
	return err
}

// talk sends what there is to say until it is over: nil after the event end.
func (h *Hub) talk(ctx context.Context, f *flow, s *Stream, out *sender) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	l := newListener(s)
	cursor := f.join(l) // before anything is read, so that nothing is missed in between
	defer f.part(l)
	over, err := h.begin(ctx, s, cursor, out)
	if over || err != nil {
		return err
	}
	beat, age := time.NewTicker(h.o.Heartbeat), time.NewTimer(h.o.MaxAge-within(h.o.MaxAge/10))
	defer beat.Stop()
	defer age.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.over:
			return errBye
		case <-age.C:
			return errBye
		case <-beat.C:
			if s.Alive != nil && !s.Alive(ctx) {
				return errBye
			}
			err = h.beat(l, out)
		case <-l.wake:
			over, err = h.pass(ctx, s, l, out)
		}
		if over || err != nil {
			return err
		}
	}
}

// beat keeps the connection open, and what is missed after it has broken small where only others' tasks change.
func (h *Hub) beat(l *listener, out *sender) error {
	if cursor, moved := l.position(); moved {
		return out.send(comment(), position(cursor))
	}
	return out.send(comment())
}

// wait returns nil when the flow has a cursor.
func (f *flow) wait(ctx context.Context) error {
	patience := time.NewTimer(startWait)
	defer patience.Stop()
	select {
	case <-f.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-f.over:
	case <-patience.C:
	}
	return errBye
}

// begin opens a stream that hears everything behind a cursor: with the only task as it is, with what was missed, or with
// nothing.
func (h *Hub) begin(ctx context.Context, s *Stream, cursor string, out *sender) (over bool, err error) {
	switch {
	case s.Only != gtf.ID{}:
		if err := out.send(helloEvent(cursor)); err != nil {
			return false, err
		}
		return h.tell(ctx, s, out)
	case s.After == "" || s.After == cursor:
		return false, out.send(helloEvent(cursor))
	}
	if err := out.send(helloEvent("")); err != nil {
		return false, err
	}
	return false, h.catchUp(ctx, s, cursor, out)
}

// pass sends what a listener has heard.
func (h *Hub) pass(ctx context.Context, s *Stream, l *listener, out *sender) (over bool, err error) {
	texts, cursor, missed, hasLast := l.take()
	if missed {
		if err := out.send(resetEvent(cursor)); err != nil || !l.isOnly() {
			return false, err
		}
		return h.tell(ctx, s, out)
	}
	if hasLast {
		return true, out.send(append(texts, endEvent(s.Only))...)
	}
	return false, out.send(append(texts, position(cursor))...)
}

// tell sends the only task as it is.
func (h *Hub) tell(ctx context.Context, s *Stream, out *sender) (over bool, err error) {
	task, err := h.client.Get(asViewer(ctx, s.Viewer), s.Only)
	switch {
	case ctx.Err() != nil:
		return true, ctx.Err()
	case errors.Is(err, gtf.ErrNotFound):
		return true, out.send(endEvent(s.Only))
	case err != nil:
		h.o.Logger.Warn("event stream ends: its task cannot be read", "task", s.Only, "error", err)
		return true, errBye
	}
	texts := [][]byte{taskEvent(&gtf.Change{ID: task.ID, Status: task.Status, Progress: task.Progress, Version: task.Version})}
	if task.Status.Terminal() {
		texts = append(texts, endEvent(s.Only))
	}
	return task.Status.Terminal(), out.send(texts...)
}

// catchUp sends what a client has missed since its cursor. Where that is not known, or too much, it is told to reset, and
// goes on behind the cursor now.
func (h *Hub) catchUp(ctx context.Context, s *Stream, now string, out *sender) error {
	after := s.After
	for missed := 0; missed < h.o.MaxMissed; {
		changes, err := h.changes(ctx, s, after)
		switch _, invalid := errors.AsType[*gtf.ValidationError](err); {
		case ctx.Err() != nil:
			return ctx.Err()
		case invalid || err == nil && changes.Reset:
			return h.reset(now, out)
		case err != nil:
			h.o.Logger.Warn("event stream ends: what it missed cannot be read", "error", err)
			return errBye
		}
		texts := make([][]byte, 0, len(changes.Tasks)+1)
		for i := range changes.Tasks {
			texts = append(texts, taskEvent(&changes.Tasks[i]))
		}
		h.counts.events.Add(int64(len(changes.Tasks)))
		if err := out.send(append(texts, position(changes.Cursor))...); err != nil || !changes.More {
			return err
		}
		after, missed = changes.Cursor, missed+len(changes.Tasks)
	}
	return h.reset(now, out)
}

func (h *Hub) reset(cursor string, out *sender) error {
	h.counts.resets.Add(1)
	return out.send(resetEvent(cursor))
}

// changes reads a page of what a client missed, few clients at a time.
func (h *Hub) changes(ctx context.Context, s *Stream, after string) (*gtf.Changes, error) {
	select {
	case h.readers <- struct{}{}:
		defer func() { <-h.readers }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return h.client.Changes(asViewer(ctx, s.Viewer), &gtf.ChangesParams{After: after, Types: s.Types})
}

// asViewer is a context in which reads see what v sees. v is not nobody.
func asViewer(ctx context.Context, v gtf.Viewer) context.Context {
	ctx = gtf.WithPrincipal(ctx, gtf.Principal{Kind: v.Kind, ID: v.ID, Admin: v.All})
	if v.Types != nil {
		ctx = gtf.WithOnlyTypes(ctx, v.Types...)
	}
	return ctx
}

// sender writes to a client that may take nothing.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (s *sender) head() {
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would collect events
	s.w.WriteHeader(http.StatusOK)
}

// open begins the answer. From then on, the time that the server allows for whole requests does not bound it; before, the
// server may be waiting for a body that the request has promised, and must not wait for ever.
func (s *sender) open() error {
	s.head()
	if err := s.send(retry(within(comeBack))); err != nil {
		return err
	}
	if err := s.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("open an event stream: %w", err)
	}
	return nil
}

// send writes texts, and sees to it that they leave.
func (s *sender) send(texts ...[]byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send events: %w", err)
	}
	for _, text := range texts {
		if _, err := s.w.Write(text); err != nil {
			return fmt.Errorf("send events: %w", err)
		}
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("send events: %w", err)
	}
	return nil
}
