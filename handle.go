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

	client *Client
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

// Cancel is [Client.Cancel] of this task.
func (h *Handle[Out]) Cancel(ctx context.Context, opts *CancelOpts) (*Canceled, error) {
	return h.client.Cancel(ctx, h.ID, opts)
}

// wait returns the end of a task: subscribe, look, sleep, look.
func (c *Client) wait(ctx context.Context, id ID) (*Look, error) {
	w := c.hub.await(id, false)
	defer c.hub.forget(id, w)
	for first := true; ; first = false {
		look, err := c.looks.call(ctx, id)
		switch {
		case ctx.Err() != nil:
			return nil, &WaitError{ID: id, Err: ctx.Err()}
		case errors.Is(err, ErrStopped), err != nil && first:
			return nil, fmt.Errorf("wait for task %s: %w", id, err)
		case err != nil: // a passing fault of the store does not end a wait; the look loop looks again
			c.log.Warn("cannot look at an awaited task; will look again", "task", id, "error", err)
		case look == nil:
			return nil, fmt.Errorf("wait for task %s: %w", id, ErrNotFound)
		case look.Status.Terminal():
			return look, nil
		}
		if err := c.sleep(ctx, id, w); err != nil {
			return nil, err
		}
	}
}

// sleep returns nil when the waiter is woken.
func (c *Client) sleep(ctx context.Context, id ID, w *waiter) error {
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
		return &WaitError{ID: id, Err: ctx.Err()}
	case <-c.stopped:
		return fmt.Errorf("wait for task %s: %w", id, ErrStopped)
	}
}

func (c *Client) watch(ctx context.Context, id ID) iter.Seq2[*Task, error] {
	return func(yield func(*Task, error) bool) {
		w := c.hub.await(id, true)
		defer c.hub.forget(id, w)
		version := int64(-1)
		for {
			task, err := c.store.Get(ctx, id, Viewer{All: true})
			if ctx.Err() != nil {
				err = &WaitError{ID: id, Err: ctx.Err()}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			task.redact(viewerFrom(ctx), c.cfg.ShowStackTrace)
			if task.Version != version && !yield(task, nil) || task.Status.Terminal() {
				return
			}
			version = task.Version
			c.hub.saw(w, version)
			if err := c.sleep(ctx, id, w); err != nil {
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
