package gtf

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// feedGap is the least pause between two reads of a feed that has caught up.
const feedGap = 100 * time.Millisecond

// Feed follows the changes behind a cursor, from now on by default: those of the tasks that the principal of ctx may see,
// all for the host, with their subscribers. A server of many reads one feed as the host, and filters for each of them by
// [Viewer.SeesChange].
//
// It yields Changes as they are committed: the first at once, empty or not, for its Cursor; later ones if the cursor has
// moved. Signals wake it. It reads at once when idle, and ten times a second at most; without a signal it looks as often as
// waits do (S9.8). Each feed reads for itself. What is yielded is the caller's; while it is busy with it, nothing is read.
//
// A store that cannot be reached ends it no more than it ends a wait. An error is yielded once and ends it: that of ctx,
// ErrStopped, a [*ValidationError] for a text that is no cursor, or whatever the store says to the first read.
func (c *Client) Feed(ctx context.Context, after string) iter.Seq2[*Changes, error] {
	return func(yield func(*Changes, error) bool) {
		wake := c.hub.feeds.add() // before the first read, so that nothing is missed in between
		defer c.hub.feeds.remove(wake)
		c.hub.connect()
		viewer := ViewerFrom(ctx)
		for first := true; ; {
			stopped := c.isStopped() // before the read, so that what is stored until then is seen
			changes, err := c.store.Changes(ctx, &ChangesParams{After: after, Limit: MaxChanges, Subscribers: true}, viewer)
			read := time.Now()
			switch {
			case ctx.Err() != nil:
				err = ctx.Err()
			case err == nil:
				if (first || changes.Reset || changes.Cursor != after || len(changes.Tasks) > 0) && !yield(changes, nil) {
					return
				}
				first, after = false, changes.Cursor
				if changes.More {
					continue
				}
			case !stopped && (!first || errors.Is(err, ErrUnavailable)):
				c.observe(Event{Kind: EventFailed, Err: err})
				c.log.Warn("cannot read what has changed; will look again", "error", err)
				err = nil
			}
			if err == nil && stopped {
				err = ErrStopped
			}
			if err == nil {
				err = c.hub.rest(ctx, wake, read)
			}
			if err != nil {
				yield(nil, fmt.Errorf("follow changes: %w", err))
				return
			}
		}
	}
}

// rest returns nil when it is time to read again.
func (h *hub) rest(ctx context.Context, wake <-chan struct{}, read time.Time) error {
	look := time.NewTimer(h.interval())
	defer look.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-h.c.stopped:
		return nil
	case <-look.C:
		return nil
	case <-wake:
	}
	gap := time.NewTimer(feedGap - time.Since(read))
	defer gap.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-h.c.stopped:
	case <-gap.C:
	}
	select {
	case <-wake: // the read that follows sees what that was about
	default:
	}
	return nil
}

// feeds are those of this process. Without any, a signal costs them one atomic load.
type feeds struct {
	open atomic.Int32
	mu   sync.Mutex
	all  map[chan struct{}]struct{} // each holds one wake-up
}

func (f *feeds) add() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	wake := make(chan struct{}, 1)
	if f.all == nil {
		f.all = map[chan struct{}]struct{}{}
	}
	f.all[wake] = struct{}{}
	f.open.Add(1)
	return wake
}

func (f *feeds) remove(wake chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, wake)
	f.open.Add(-1)
}

// wakeAll is called for every signal that a change may be behind.
func (f *feeds) wakeAll() {
	if f.open.Load() == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for wake := range f.all {
		poke(wake)
	}
}
