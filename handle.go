package gtf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// Handle is a task that was scheduled, joined or attached to.
type Handle[Out any] struct {
	ID     ID
	Joined bool // the task existed already

	client   *Client
	announce func() // not nil: submitted in a transaction of the caller
}

// Attach is the handle of a stored id. It does not look whether the task exists.
func (d *Definition[In, Out]) Attach(c *Client, id ID) *Handle[Out] {
	return &Handle[Out]{ID: id, client: c}
}

// Attach is the handle of a stored id whose type is not known in Go; its output is JSON.
func (c *Client) Attach(id ID) *Handle[json.RawMessage] {
	return &Handle[json.RawMessage]{ID: id, client: c}
}

// Wait returns the output when the task has succeeded, and a [*TaskError] when it ended otherwise. ctx bounds the wait, not
// the task: if it ends first, the error is a [*WaitError]. A task that does not exist or was pruned is ErrNotFound. Who may
// see the task is not asked: the handle is the right.
func (h *Handle[Out]) Wait(ctx context.Context) (Out, error) {
	look, err := h.client.wait(ctx, h.ID)
	if err != nil {
		return *new(Out), err
	}
	if err := outcome(h.ID, look.Type, look.Status, look.Error); err != nil {
		return *new(Out), err
	}
	return decodeOutput[Out](look.Result)
}

// Watch yields the task now and after every change that it notices, the end last; changes in quick succession may be seen
// as one. An error is yielded once and ends it: a [*WaitError], ErrNotFound, or the store's.
func (h *Handle[Out]) Watch(ctx context.Context) iter.Seq2[*Task, error] {
	return h.client.watch(ctx, h.ID)
}

// Announce tells the workers of a task that was submitted in the caller's transaction (ScheduleOpts.Tx), once that has been
// committed. Without it they notice by looking, within seconds. Where signals go by PostgreSQL they are part of the
// transaction and Announce only saves a moment. For other tasks it does nothing.
func (h *Handle[Out]) Announce(ctx context.Context) {
	if h.announce == nil {
		return
	}
	h.announce()
	h.client.hub.drain(ctx)
}

// Cancel is [Client.Cancel] of this task.
func (h *Handle[Out]) Cancel(ctx context.Context, opts *CancelOpts) (*Canceled, error) {
	return h.client.Cancel(ctx, h.ID, opts)
}

// wait returns the end of a task: subscribe, look, sleep, look.
func (c *Client) wait(ctx context.Context, id ID) (*Look, error) {
	w := c.hub.await(id, false)
	defer c.hub.forget(id, w)
	for first := true; ; first = false {
		stopped := c.isStopped() // before the look, so that an outcome stored until then is seen
		look, err := c.look(ctx, id)
		switch {
		case ctx.Err() != nil:
			return nil, &WaitError{ID: id, Err: ctx.Err()}
		case err == nil && look == nil:
			return nil, fmt.Errorf("wait for task %s: %w", id, ErrNotFound)
		case err == nil && look.Status.Terminal():
			return look, nil
		case stopped:
			return nil, fmt.Errorf("wait for task %s: %w", id, ErrStopped)
		case err != nil && first && !errors.Is(err, ErrUnavailable):
			return nil, fmt.Errorf("wait for task %s: %w", id, err)
		case err != nil: // a passing fault of the store does not end a wait; the look loop looks again
			c.log.Warn("cannot look at an awaited task; will look again", "task", id, "error", err)
		}
		if err := c.sleep(ctx, id, w); err != nil {
			return nil, err
		}
	}
}

// look shares its statement with others, as long as there is anybody to run it.
func (c *Client) look(ctx context.Context, id ID) (*Look, error) {
	if !c.isStopped() {
		if look, err := c.looks.call(ctx, id); err == nil || !c.isStopped() {
			return look, err
		}
	}
	looks, err := c.lookAll(ctx, []ID{id})
	if err != nil {
		return nil, err
	}
	return looks[0], nil
}

// sleep returns nil when there is a reason to look: the waiter is woken, or the client stops.
func (c *Client) sleep(ctx context.Context, id ID, w *waiter) error {
	select {
	case <-w.wake:
		return nil
	case <-c.stopped:
		return nil
	case <-ctx.Done():
		return &WaitError{ID: id, Err: ctx.Err()}
	}
}

func (c *Client) watch(ctx context.Context, id ID) iter.Seq2[*Task, error] {
	return func(yield func(*Task, error) bool) {
		w := c.hub.await(id, true)
		defer c.hub.forget(id, w)
		version := int64(-1)
		for {
			stopped := c.isStopped()
			task, err := c.store.Get(ctx, id, Viewer{All: true})
			switch {
			case ctx.Err() != nil:
				err = &WaitError{ID: id, Err: ctx.Err()}
			case err == nil:
				task.redact(ViewerFrom(ctx), c.cfg.ShowStackTrace)
				if task.Version != version && !yield(task, nil) || task.Status.Terminal() {
					return
				}
				version = task.Version
			case errors.Is(err, ErrUnavailable): // as in wait
				c.log.Warn("cannot look at an awaited task; will look again", "task", id, "error", err)
				err = nil
			}
			if stopped && !errors.Is(err, ErrNotFound) {
				err = fmt.Errorf("watch task %s: %w", id, ErrStopped)
			}
			if err == nil {
				c.hub.saw(w, version)
				err = c.sleep(ctx, id, w)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// saw notes what a watcher knows, so that the look loop wakes it only for news.
func (h *hub) saw(w *waiter, version int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.version = version
}

// lookAll reads many tasks in one statement; a nil entry is a task that does not exist.
func (c *Client) lookAll(ctx context.Context, ids []ID) ([]*Look, error) {
	found, err := c.store.Look(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[ID]*Look, len(found))
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	looks := make([]*Look, len(ids))
	for i, id := range ids {
		looks[i] = byID[id]
	}
	return looks, nil
}
