package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// locking is a store in which other transactions hold rows: a grouped write that needs one of them is ErrLocked after a
// moment, and nothing of it is written. Each write takes a moment, so that groups form.
type locking struct {
	gtf.Store
	mu     sync.Mutex
	held   map[string]bool // types of tasks
	groups [][]string      // types of each write that was asked for
	ofTask map[gtf.ID]string
}

func newLocking(t *testing.T) *locking {
	return &locking{Store: open(t), held: map[string]bool{}, ofTask: map[gtf.ID]string{}}
}

func (l *locking) hold(typ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[typ] = true
}

func (l *locking) letGo() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.held)
}

// write waits for the database, and then says whether the rows are free.
func (l *locking) write(types []string) error {
	<-time.After(time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups = append(l.groups, types)
	if slices.ContainsFunc(types, func(typ string) bool { return l.held[typ] }) {
		return fmt.Errorf("%w: by a test", gtf.ErrLocked)
	}
	return nil
}

func (l *locking) Submit(ctx context.Context, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	types := make([]string, len(subs))
	for i, s := range subs {
		types[i] = s.Type
		l.mu.Lock()
		l.ofTask[s.ID] = s.Type
		l.mu.Unlock()
	}
	if err := l.write(types); err != nil {
		return nil, err
	}
	return l.Store.Submit(ctx, subs)
}

func (l *locking) typeOf(id gtf.ID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ofTask[id]
}

func (l *locking) Finish(ctx context.Context, fins []gtf.Finish) ([]gtf.Finished, error) {
	types := make([]string, len(fins))
	for i := range fins {
		types[i] = l.typeOf(fins[i].ID)
	}
	if err := l.write(types); err != nil {
		return nil, err
	}
	return l.Store.Finish(ctx, fins)
}

func (l *locking) Update(ctx context.Context, updates []gtf.Update) ([]bool, error) {
	types := make([]string, len(updates))
	for i := range updates {
		types[i] = l.typeOf(updates[i].ID)
	}
	if err := l.write(types); err != nil {
		return nil, err
	}
	return l.Store.Update(ctx, updates)
}

// largest is the size of the largest group that was written.
func (l *locking) largest() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := 0
	for _, g := range l.groups {
		most = max(most, len(g))
	}
	return most
}

func TestGroupedWrites(t *testing.T) {
	t.Parallel()
	t.Run("submit the others while one waits for a key that another transaction holds", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := newLocking(t)
			c := newClient(t, store, nil)
			store.hold(systemWork.Type())
			late := make(chan error, 1)
			go func() {
				_, err := systemWork.Schedule(t.Context(), c, "held", nil)
				late <- err
			}()
			began := time.Now()
			together(30, func(i int) {
				if _, err := sharedWork.Schedule(t.Context(), c, fmt.Sprint(i), nil); err != nil {
					t.Errorf("submit %d: %v", i, err)
				}
			})
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("the others took %v, want a few writes", took)
			}
			if store.largest() < 2 {
				t.Error("there was no group: the test has tested nothing")
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			select {
			case err := <-late:
				t.Fatalf("the submit of a held key returned %v, want it to wait", err)
			default:
			}
			store.letGo()
			wantErr(t, "the submit after the lock was released", <-late, nil)
			if n := len(all(t, c)); n != 31 {
				t.Errorf("there are %d tasks, want 31", n)
			}
		})
	})
	t.Run("end with the caller's context while a key is held, and nothing is created later", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := newLocking(t)
			c := newClient(t, store, executes(echo))
			store.hold(sharedWork.Type())
			for name, submit := range map[string]func(ctx context.Context) error{
				"Schedule": func(ctx context.Context) error { _, err := sharedWork.Schedule(ctx, c, "key", nil); return err },
				"ScheduleMany": func(ctx context.Context) error {
					_, err := sharedWork.ScheduleMany(ctx, c, []gtf.Item[string]{{In: "key"}, {In: "other"}})
					return err
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				began := time.Now()
				err := submit(ctx)
				cancel()
				wantErr(t, name, err, context.DeadlineExceeded)
				if took := time.Since(began); took != time.Second {
					t.Errorf("%s took %v, want 1s", name, took)
				}
			}
			time.Sleep(time.Second)
			store.letGo()
			time.Sleep(time.Minute)
			if n := len(all(t, c)); n != 0 {
				t.Errorf("there are %d tasks, want none", n)
			}
		})
	})
	t.Run("wait for the key in ScheduleMany and Run, too", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := newLocking(t)
			c := newClient(t, store, executes(echo))
			store.hold(sharedWork.Type())
			time.AfterFunc(time.Minute, store.letGo)
			began := time.Now()
			together(2, func(i int) {
				var err error
				if i == 0 {
					_, err = sharedWork.ScheduleMany(t.Context(), c, []gtf.Item[string]{{In: "a"}, {In: "b"}})
				} else {
					_, err = sharedWork.Run(t.Context(), c, "c", nil)
				}
				if took := time.Since(began); err != nil || took < time.Minute {
					t.Errorf("submit %d: %v after %v, want success after 1m", i, err, took)
				}
			})
		})
	})
	t.Run("store the outcomes of others while one waits for its row", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := newLocking(t)
			c := startClient(t, store, executes(func(ctx context.Context, in string) (string, error) {
				x := gtf.FromContext(ctx)
				x.Progress(1, 2)
				<-time.After(10 * time.Second)
				return in, nil
			}))
			held := schedule(t.Context(), t, c, systemWork, "held", nil)
			var others []*gtf.Handle[string]
			for i := range 8 {
				others = append(others, schedule(t.Context(), t, c, sharedWork, fmt.Sprint(i), nil))
			}
			time.Sleep(time.Second)
			store.hold(systemWork.Type())
			for _, h := range others {
				must[string](t)(h.Wait(t.Context()))
			}
			time.Sleep(5 * time.Minute)
			wantStatus(t, c, held.ID, gtf.StatusInProgress)
			store.letGo()
			if got := must[string](t)(held.Wait(t.Context())); got != "held" {
				t.Errorf("the output is %q", got)
			}
		})
	})
	t.Run("store the progress of others while one waits for its row", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := newLocking(t)
			cfg := executes(func(ctx context.Context, in string) (string, error) {
				for i := range 10 {
					gtf.FromContext(ctx).Progress(i, 10)
					<-time.After(time.Second)
				}
				return in, nil
			})
			c := startClient(t, store, cfg)
			store.mu.Lock()
			store.held[systemWork.Type()] = true
			store.mu.Unlock()
			var handles []*gtf.Handle[string]
			for i := range 5 {
				handles = append(handles, schedule(t.Context(), t, c, sharedWork, fmt.Sprint(i), nil))
			}
			store.letGo()
			held := schedule(t.Context(), t, c, systemWork, "held", nil)
			store.hold(systemWork.Type())
			time.Sleep(7 * time.Second)
			for _, h := range handles {
				if p := get(t, c, h.ID).Progress; p.Current < 3 {
					t.Errorf("progress after 7s is %v, want what was reported lately", p)
				}
			}
			store.letGo()
			must[string](t)(held.Wait(t.Context()))
		})
	})
	t.Run("do not hold up Stop beyond its context", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := newLocking(t)
			cfg := executes(echo)
			cfg.Logger = slog.New(slog.DiscardHandler)
			c := must[*gtf.Client](t)(gtf.New(store, cfg))
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			h := schedule(t.Context(), t, c, sharedWork, "key", nil)
			store.hold(sharedWork.Type())
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			err := c.Stop(ctx)
			if took := time.Since(began); took > 6*time.Second || err == nil {
				t.Errorf("Stop took %v and gave %v, want an error after 5s", took, err)
			}
			time.Sleep(time.Minute) // what is left ends: the bubble would complain
			store.letGo()
			wantStatus(t, c, h.ID, gtf.StatusInProgress) // the reaper does the rest
		})
	})
	t.Run("fail alone when one of them cannot be stored", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			bad := errors.New("this one cannot be stored")
			c := newClient(t, &picky{Store: open(t), typ: systemWork.Type(), err: bad}, nil)
			together(20, func(i int) {
				if i%5 == 0 {
					_, err := systemWork.Schedule(t.Context(), c, fmt.Sprint(i), nil)
					wantErr(t, "a bad one", err, bad)
					return
				}
				_, err := sharedWork.Schedule(t.Context(), c, fmt.Sprint(i), nil)
				wantErr(t, "a good one", err, nil)
			})
		})
	})
}

// picky is a store that cannot store one type.
type picky struct {
	gtf.Store
	typ string
	err error
}

func (p *picky) Submit(ctx context.Context, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	<-time.After(time.Millisecond)
	if slices.ContainsFunc(subs, func(s *gtf.Submission) bool { return s.Type == p.typ }) {
		return nil, p.err
	}
	return p.Store.Submit(ctx, subs)
}

// A caller that goes while the statement of its group is under way has not been answered, and must not be served later.
func TestGroupedWriteOfACallerThatHasGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		store := newLocking(t)
		c := newClient(t, store, nil)
		store.hold(sharedWork.Type())
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Microsecond) // in the middle of the first write
		defer cancel()
		_, err := sharedWork.Schedule(ctx, c, "key", nil)
		wantErr(t, "Schedule", err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		store.letGo()
		time.Sleep(time.Minute)
		if n := len(all(t, c)); n != 0 {
			t.Errorf("there are %d tasks, want none", n)
		}
	})
}
