package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// EventKind says what an [Event] tells.
type EventKind string

const (
	EventHello EventKind = "hello" // the stream is open: now, and again after every break
	EventTask  EventKind = "task"  // a task has changed
	EventReset EventKind = "reset" // what has changed is not known: read everything again

	eventBye EventKind = "bye" // the server ends the stream
	eventEnd EventKind = "end" // of the stream of one task
)

// Event is one of a stream.
type Event struct {
	Kind EventKind
	// Cursor is where a stream that continues behind this event begins; empty if that is not known yet, at a hello.
	Cursor string
	// The others are those of EventTask: the task as it was then. It may come twice, or late; the version tells.
	ID       gtf.ID
	Version  int64
	Status   gtf.Status
	Progress gtf.Progress
}

// EventsParams says which events to stream.
type EventsParams struct {
	// After is the Cursor of an earlier event or of [gtf.Changes]. Default from now on.
	After string
	// Types narrows it to tasks of these types. Default all.
	Types []string
}

// Events streams what changes among the tasks that the caller sees, until ctx ends. A stream that breaks, or is ended by the
// server, is opened again behind what it has told. nil params are the zero ones.
//
// An error is yielded once and ends it: that of ctx, or what the server says, but for ErrUnavailable.
func (c *Client) Events(ctx context.Context, params *EventsParams) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		query, after := url.Values{}, ""
		if params != nil {
			query["task_type"], after = params.Types, params.After
		}
		err := c.follow(ctx, "/events", query, after, func(e *serverEvent) error {
			if e.Kind != "" && !yield(&e.Event, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil {
			yield(nil, fmt.Errorf("follow events: %w", err))
		}
	}
}

// Watch yields a task now and after every change that it notices, the end last, like [gtf.Handle.Watch]. It asks for the task
// again whenever the server tells of a change.
//
// An error is yielded once and ends it: a [*gtf.WaitError], ErrNotFound also for a task that the caller sees no longer, or what
// the server says, but for ErrUnavailable.
func (c *Client) Watch(ctx context.Context, id gtf.ID) iter.Seq2[*gtf.Task, error] {
	return func(yield func(*gtf.Task, error) bool) {
		version := int64(-1)
		err := c.follow(ctx, "/"+id.String()+"/events", nil, "", func(e *serverEvent) error {
			if news := e.Kind == EventReset || e.Kind == eventEnd || e.Kind == EventTask && e.Version != version; !news {
				return nil
			}
			t, err := c.Get(ctx, id)
			if err != nil {
				return err
			}
			if t.Version != version && !yield(t, nil) || t.Status.Terminal() {
				return errEnough
			}
			version = t.Version
			return nil
		})
		switch {
		case err == nil:
		case ctx.Err() != nil:
			yield(nil, &gtf.WaitError{ID: id, Err: ctx.Err()})
		default:
			yield(nil, fmt.Errorf("watch task %s: %w", id, err))
		}
	}
}

// errEnough ends a follow without an error.
var errEnough = errors.New("enough")

// follow reads stream after stream, each behind the cursor of the one before, until each or the server returns an error other
// than ErrUnavailable. What it cannot reach it tries again.
func (c *Client) follow(ctx context.Context, path string, query url.Values, after string, each func(*serverEvent) error) error {
	for attempt := 0; ; attempt++ {
		var err error
		wait := time.Duration(-1)
		for e, broken := range c.stream(ctx, path, query, after) {
			if err = broken; err != nil {
				break
			}
			attempt = 0
			if e.Kind == eventBye {
				wait = e.retry
				break
			}
			if e.Kind != eventEnd && e.Cursor != "" {
				after = e.Cursor
			}
			e.Cursor = after
			if err = each(e); err != nil {
				break
			}
		}
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, gtf.ErrUnavailable):
			return err
		case wait < 0:
			wait = backOff(attempt, retryAfter(err))
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// serverEvent is an event with what only streams are concerned with. One without a kind is only a cursor.
type serverEvent struct {
	Event

	retry time.Duration
}

// silence is how long a stream may say nothing, not even that it is alive, before it is taken for broken.
const silence = time.Minute

// stream reads one stream until it breaks, which is an error that matches ErrUnavailable, or the server ends it.
func (c *Client) stream(ctx context.Context, path string, query url.Values, after string) iter.Seq2[*serverEvent, error] {
	return func(yield func(*serverEvent, error) bool) {
		heard, hangUp := context.WithCancel(ctx)
		defer hangUp()
		header := http.Header{"Accept": {"text/event-stream"}}
		if after != "" {
			header["Last-Event-Id"] = []string{after}
		}
		response, err := c.send(heard, http.MethodGet, path, query, nil, header)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = response.Body.Close() }() // it is broken, or nobody wants more
		patience := time.AfterFunc(silence, hangUp)
		defer patience.Stop()
		lines := bufio.NewReader(response.Body)
		var block eventBlock
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				if !errors.Is(err, io.EOF) { // else the server has said what it wanted
					yield(nil, unreachable(ctx, err))
				}
				return
			}
			patience.Reset(silence)
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				block.add(line)
				continue
			}
			e, err := block.event()
			block = eventBlock{}
			if e == nil && err == nil {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// eventBlock is what stands between two empty lines.
type eventBlock struct{ name, id, data string }

func (b *eventBlock) add(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		b.name = value
	case "id":
		b.id = value
	case "data":
		b.data += value
	}
}

// event is nil for what tells nothing, like a comment, or what this client does not know.
func (b *eventBlock) event() (*serverEvent, error) {
	e := &serverEvent{Event: Event{Kind: EventKind(b.name), Cursor: b.id}}
	switch e.Kind {
	case EventHello, EventReset, eventEnd:
	case "":
		if b.id == "" {
			return nil, nil
		}
	case EventTask:
		var data struct {
			ID       gtf.ID     `json:"id"`
			Version  int64      `json:"version"`
			Status   gtf.Status `json:"status"`
			Progress *float64   `json:"progress"`
			Current  *int64     `json:"progress_current"`
			Total    *int64     `json:"progress_total"`
		}
		if err := json.Unmarshal([]byte(b.data), &data); err != nil {
			return nil, fmt.Errorf("the event %.200q is not that of gtf: %w", b.data, err)
		}
		e.ID, e.Version, e.Status = data.ID, data.Version, data.Status
		e.Progress = progressOf(data.Progress, data.Current, data.Total)
	case eventBye:
		var data struct {
			Retry int64 `json:"retry"`
		}
		if err := json.Unmarshal([]byte(b.data), &data); err != nil {
			return nil, fmt.Errorf("the event %.200q is not that of gtf: %w", b.data, err)
		}
		e.retry = time.Duration(data.Retry) * time.Millisecond
	default:
		return nil, nil
	}
	return e, nil
}
