package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// changed are the tasks of changes, by id.
func changed(ctx context.Context, t testing.TB, c *gtf.Client, p gtf.ChangesParams) (tasks map[gtf.ID]gtf.Change, cursor string) {
	t.Helper()
	tasks = map[gtf.ID]gtf.Change{}
	for {
		got := must[*gtf.Changes](t)(c.Changes(ctx, &p))
		for _, task := range got.Tasks {
			tasks[task.ID] = task
		}
		if p.After = got.Cursor; !got.More {
			return tasks, got.Cursor
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	t.Run("begin now, and go on in any process (S11)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c := newClient(t, store, nil)
			schedule(asOne(t.Context(), ada), t, c, privateWork, "before", nil)
			begun := must[*gtf.Changes](t)(c.Changes(t.Context(), nil))
			if len(begun.Tasks) != 0 || begun.More || begun.Reset || begun.Cursor == "" {
				t.Fatalf("without a cursor: %+v", begun)
			}
			h := schedule(asOne(t.Context(), ada), t, c, privateWork, "after", nil)
			other := newClient(t, store, nil)
			got, cursor := changed(t.Context(), t, other, gtf.ChangesParams{After: begun.Cursor})
			want := gtf.Change{ID: h.ID, Type: privateWork.Type(), Scope: gtf.ScopePrivate, Status: gtf.StatusPending, Version: get(t, c, h.ID).Version}
			if len(got) != 1 || fmt.Sprint(got[h.ID]) != fmt.Sprint(want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got, _ := changed(t.Context(), t, c, gtf.ChangesParams{After: cursor}); len(got) != 0 {
				t.Errorf("behind it: %+v", got)
			}
		})
	})
	t.Run("show a task's way to its end, with its progress (S11)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), executes(func(ctx context.Context, in string) (string, error) {
				gtf.FromContext(ctx).Count(7)
				time.Sleep(time.Hour)
				return in, nil
			}))
			h := schedule(asOne(t.Context(), ada), t, c, privateWork, "a", nil)
			cursor := must[*gtf.Changes](t)(c.Changes(t.Context(), nil)).Cursor
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			got, cursor := changed(t.Context(), t, c, gtf.ChangesParams{After: cursor})
			if change := got[h.ID]; change.Status != gtf.StatusInProgress || change.Progress.Current != 7 {
				t.Errorf("after a minute: %+v", change)
			}
			time.Sleep(10 * time.Minute) // of heartbeats, which change no task (S12.4)
			got, cursor = changed(t.Context(), t, c, gtf.ChangesParams{After: cursor})
			if len(got) != 0 {
				t.Errorf("without a change: %+v", got)
			}
			must[string](t)(h.Wait(t.Context()))
			if got, _ := changed(t.Context(), t, c, gtf.ChangesParams{After: cursor}); got[h.ID].Status != gtf.StatusSuccess {
				t.Errorf("at the end: %+v", got)
			}
		})
	})
	for field, p := range map[string]gtf.ChangesParams{
		"limit": {Limit: gtf.MaxChanges + 1}, "cursor": {After: "not one"}, "types": {Types: []string{"\x00"}},
	} {
		t.Run("with a bad "+field+" are a validation error", func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, open(t), nil).Changes(t.Context(), &p)
			wantProblems(t, err, field)
		})
	}
	t.Run("with a negative limit are a validation error", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, open(t), nil).Changes(t.Context(), &gtf.ChangesParams{Limit: -1})
		wantProblems(t, err, "limit")
	})
}

func TestStatusOfATask(t *testing.T) {
	t.Parallel()
	c := newClient(t, open(t), nil)
	h := schedule(asOne(t.Context(), ada), t, c, privateWork, "a", nil)
	if status := must[gtf.Status](t)(c.Status(asOne(t.Context(), ada), h.ID)); status != gtf.StatusPending {
		t.Errorf("got %q", status)
	}
	must[*gtf.Canceled](t)(c.Cancel(t.Context(), h.ID, nil))
	if status := must[gtf.Status](t)(c.Status(t.Context(), h.ID)); status != gtf.StatusAborted {
		t.Errorf("after a cancel: %q", status)
	}
	_, err := c.Status(t.Context(), gtf.NewID())
	wantErr(t, "Status of no task", err, gtf.ErrNotFound)
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	c := newClient(t, open(t), nil)
	schedule(asOne(t.Context(), ada), t, c, privateWork, "a", &gtf.ScheduleOpts{Queue: "slow"})
	schedule(asOne(t.Context(), guest), t, c, sharedWork, "b", nil)
	list := func(ctx context.Context, p gtf.DistinctParams) string {
		var texts []string
		for _, v := range must[[]gtf.DistinctValue](t)(c.Distinct(ctx, &p)) {
			texts = append(texts, strings.Trim(fmt.Sprintf("%s/%s/%s", v.Kind, v.Value, v.Name), "/"))
		}
		return strings.Join(texts, ", ")
	}
	for _, tt := range []struct {
		name string
		who  gtf.Principal
		p    gtf.DistinctParams
		want string
	}{
		{"types", gtf.Principal{}, gtf.DistinctParams{Column: gtf.FilterType}, "test.private/test.private, test.shared/test.shared"},
		{"types of a guest", guest, gtf.DistinctParams{Column: gtf.FilterType}, "test.shared/test.shared"},
		{"queues of a user", ada, gtf.DistinctParams{Column: gtf.FilterQueue}, "slow/slow"},
		{"creators", gtf.Principal{}, gtf.DistinctParams{Column: gtf.FilterCreatedBy}, "user/7/Ada Lovelace, guest/7/Somebody"},
		{"subscribers by a text", root, gtf.DistinctParams{Column: gtf.FilterSubscribers, Text: "LOVE"}, "user/7/Ada Lovelace"},
		{"the first of them", root, gtf.DistinctParams{Column: gtf.FilterSubscribers, Limit: 1}, "user/7/Ada Lovelace"},
		{"those of a stranger", alan, gtf.DistinctParams{Column: gtf.FilterSubscribers}, ""},
	} {
		if got := list(asOne(t.Context(), tt.who), tt.p); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	for field, p := range map[string]*gtf.DistinctParams{
		"limit":  {Column: gtf.FilterType, Limit: 101},
		"column": {Column: gtf.FilterName},
		"text":   {Column: gtf.FilterType, Text: "\xff"},
	} {
		t.Run("with a bad "+field+" is a validation error", func(t *testing.T) {
			t.Parallel()
			_, err := c.Distinct(t.Context(), p)
			wantProblems(t, err, field)
		})
	}
	t.Run("without parameters is a validation error", func(t *testing.T) {
		t.Parallel()
		_, err := c.Distinct(t.Context(), nil)
		wantProblems(t, err, "column")
	})
}

// rememberer counts what is remembered, and may fail.
type rememberer struct {
	gtf.Store
	people []gtf.Principal
	err    error
}

func (r *rememberer) Remember(ctx context.Context, people []gtf.Principal) error {
	if r.err != nil {
		return r.err
	}
	r.people = append(r.people, people...)
	return r.Store.Remember(ctx, people)
}

func TestRemember(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		store := &rememberer{Store: open(t)}
		c := newClient(t, store, nil)
		h := schedule(as(t.Context(), ada.ID), t, c, privateWork, "a", nil)
		remember := func(p gtf.Principal, writes int, why string) {
			t.Helper()
			before := len(store.people)
			if err := c.Remember(t.Context(), p); err != nil {
				t.Errorf("%s: %v", why, err)
			}
			if got := len(store.people) - before; got != writes {
				t.Errorf("%s: %d writes, want %d", why, got, writes)
			}
		}
		remember(gtf.Principal{Name: "Nobody"}, 0, "nobody")
		remember(gtf.Principal{ID: ada.ID}, 0, "somebody without a name")
		if got := get(t, c, h.ID).CreatedBy; got.DisplayName() != ada.ID {
			t.Errorf("created by %q before anybody is known", got.DisplayName())
		}
		store.err = errors.New("no connection")
		if err := c.Remember(t.Context(), ada); !errors.Is(err, store.err) {
			t.Errorf("a store that fails: %v", err)
		}
		store.err = nil
		remember(ada, 1, "after an error")
		if task := get(t, c, h.ID); task.CreatedBy.Name != ada.Name || task.Subscribers[0].Name != ada.Name {
			t.Errorf("created by %+v, subscribers %+v", task.CreatedBy, task.Subscribers)
		}
		remember(ada, 0, "again")
		admin := ada
		admin.Admin = true
		remember(admin, 0, "as an admin, which is no news")
		mail := ada
		mail.Email = "ada@example.org"
		remember(mail, 1, "with an address")
		time.Sleep(59 * time.Minute)
		remember(ada, 0, "within the hour")
		time.Sleep(2 * time.Minute)
		remember(ada, 1, "after the hour")
		for field, p := range map[string]gtf.Principal{
			"principal.name":  {ID: "7", Name: strings.Repeat("x", 257)},
			"principal.email": {ID: "7", Name: "Ada", Email: strings.Repeat("x", 257)},
			"principal.kind":  {Kind: "robot", ID: "7", Name: "Ada"},
			"principal.id":    {ID: strings.Repeat("x", 129), Name: "Ada"},
		} {
			wantProblems(t, c.Remember(t.Context(), p), field)
		}
	})
}
