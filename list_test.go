package gtf_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// pages walks a list by its cursors.
func pages(ctx context.Context, t testing.TB, c *gtf.Client, p gtf.ListParams) (found []*gtf.Task) {
	t.Helper()
	for {
		page := must[*gtf.TaskPage](t)(c.List(ctx, &p))
		if len(page.Tasks) > p.PageSize || page.Next != "" && len(page.Tasks) < p.PageSize {
			t.Fatalf("a page of %d has %d tasks, the next is %q", p.PageSize, len(page.Tasks), page.Next)
		}
		found = append(found, page.Tasks...)
		if page.Next == "" {
			return found
		}
		p.Cursor = page.Next
	}
}

// keys are those of the tasks, in their order.
func keys(tasks []*gtf.Task) []string {
	list := make([]string, len(tasks))
	for i, task := range tasks {
		list[i] = task.Key
	}
	return list
}

func TestList(t *testing.T) {
	t.Parallel()
	t.Run("is the newest 25 by default, with the number of all (S11)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), nil)
			for i := range 30 {
				schedule(as(t.Context(), "ada"), t, c, privateWork, fmt.Sprint(i), nil)
				time.Sleep(time.Second)
			}
			for _, params := range []*gtf.ListParams{nil, {}, {Descending: true}, {Order: gtf.OrderCreated, Descending: true}} {
				page := must[*gtf.TaskPage](t)(c.List(as(t.Context(), "ada"), params))
				if len(page.Tasks) != 25 || page.Count != 30 || page.Capped || page.Next == "" {
					t.Fatalf("%+v: %d of %d tasks, next %q", params, len(page.Tasks), page.Count, page.Next)
				}
				if page.Tasks[0].Key != "29" || page.Tasks[24].Key != "5" || len(page.Tasks[0].Subscribers) != 1 {
					t.Errorf("%+v: from %s to %s, want 29 to 5, with their subscribers", params, page.Tasks[0].Key, page.Tasks[24].Key)
				}
			}
		})
	})
	t.Run("pages have every task once, in every order (S11)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), executes(func(_ context.Context, in string) (string, error) {
				time.Sleep(time.Second)
				if in > "5" {
					return "", errors.New("more than five")
				}
				return "", nil
			}))
			for i := range 60 { // three at a time have one time
				for _, def := range []*gtf.Definition[string, string]{privateWork, sharedWork, systemWork} {
					if i%3 == 0 {
						schedule(as(t.Context(), "ada"), t, c, def, fmt.Sprint(i), nil)
					}
				}
				if time.Sleep(100 * time.Millisecond); i == 30 {
					if err := c.Start(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			for who, ctx := range map[string]context.Context{"host": t.Context(), "ada": as(t.Context(), "ada")} {
				for _, order := range gtf.OrderColumns() {
					for _, descending := range []bool{false, true} {
						tasks := pages(ctx, t, c, gtf.ListParams{Order: order, Descending: descending, PageSize: 7})
						checkOrder(t, tasks, order, descending)
						if want := map[string]int{"host": 60, "ada": 40}[who]; len(tasks) != want {
							t.Errorf("%s by %s: %d tasks, want %d", order, who, len(tasks), want)
						}
					}
				}
			}
		})
	})
	t.Run("a page goes on where it ended, whatever came since (S11)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), nil)
			submit := func(key string) {
				schedule(as(t.Context(), "ada"), t, c, privateWork, key, nil)
				time.Sleep(time.Second)
			}
			for _, key := range []string{"1", "2", "3", "4"} {
				submit(key)
			}
			first := must[*gtf.TaskPage](t)(c.List(t.Context(), &gtf.ListParams{PageSize: 2}))
			submit("5")
			second := must[*gtf.TaskPage](t)(c.List(t.Context(), &gtf.ListParams{PageSize: 2, Cursor: first.Next}))
			if got := append(keys(first.Tasks), keys(second.Tasks)...); !slices.Equal(got, []string{"4", "3", "2", "1"}) || second.Next != "" {
				t.Errorf("got %v, next %q", got, second.Next)
			}
		})
	})
	t.Run("of nothing is empty", func(t *testing.T) {
		t.Parallel()
		page := must[*gtf.TaskPage](t)(newClient(t, open(t), nil).List(t.Context(), nil))
		if len(page.Tasks) != 0 || page.Count != 0 || page.Next != "" {
			t.Errorf("got %+v", page)
		}
	})
	for field, params := range map[string]gtf.ListParams{
		"page_size": {PageSize: 101}, "order": {Order: "name"}, "filters.status": {Statuses: []gtf.Status{"done"}}, "filters.scope": {Scopes: []gtf.Scope{"public"}},
		"cursor": {Cursor: "not one"}, "filters.task_type": {Types: []string{"a\x00"}}, "filters.queue": {Queues: []string{"\xff"}},
		"principal.id": {CreatedBy: gtf.Principal{ID: "\x00"}},
	} {
		t.Run("a bad "+field+" is a validation error", func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, open(t), nil).List(t.Context(), &params)
			wantProblems(t, err, field)
		})
	}
	t.Run("a negative page size is a validation error", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, open(t), nil).List(t.Context(), &gtf.ListParams{PageSize: -1})
		wantProblems(t, err, "page_size")
	})
}

func checkOrder(t *testing.T, tasks []*gtf.Task, order gtf.OrderColumn, descending bool) {
	t.Helper()
	compare := func(a, b *gtf.Task) int {
		var by int
		switch order {
		case gtf.OrderType:
			by = cmp.Compare(a.Type, b.Type)
		case gtf.OrderScope:
			by = cmp.Compare(a.Scope, b.Scope)
		case gtf.OrderStatus:
			by = cmp.Compare(a.Status, b.Status)
		case gtf.OrderCreated:
			by = a.CreatedAt.Compare(b.CreatedAt)
		case gtf.OrderChanged:
			by = a.ChangedAt.Compare(b.ChangedAt)
		case gtf.OrderStarted:
			by = a.StartedAt.Compare(b.StartedAt)
		case gtf.OrderEnded:
			by = a.EndedAt.Compare(b.EndedAt)
		}
		by = cmp.Or(by, slices.Compare(a.ID[:], b.ID[:]))
		if descending {
			by = -by
		}
		return by
	}
	if !slices.IsSortedFunc(tasks, compare) {
		t.Errorf("%s (descending: %v) is not in order: %v", order, descending, keys(tasks))
	}
	ids := map[gtf.ID]bool{}
	for _, task := range tasks {
		if ids[task.ID] {
			t.Errorf("%s (descending: %v) has %s twice", order, descending, task.ID)
		}
		ids[task.ID] = true
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		c := newClient(t, open(t), nil)
		begun := time.Now()
		add := func(def *gtf.Definition[string, string], key, name, queue string, people ...gtf.Principal) gtf.ID {
			var id gtf.ID
			for _, p := range people {
				id = schedule(asOne(t.Context(), p), t, c, def, "in", &gtf.ScheduleOpts{Key: key, Name: name, Queue: queue}).ID
			}
			time.Sleep(time.Minute)
			return id
		}
		add(privateWork, "a", "Report of May", "", ada)
		add(privateWork, "b", "100% of_all", "slow", guest)
		add(sharedWork, "c", "100 of all", "slow", ada, grace)
		add(systemWork, "d", "", "", gtf.Principal{})
		must[*gtf.Canceled](t)(c.Cancel(t.Context(), add(privateWork, "e", "", "", ada), nil))
		for _, tt := range []struct {
			name   string
			params gtf.ListParams
			want   string
		}{
			{"by nothing", gtf.ListParams{}, "abcde"},
			{"by status", gtf.ListParams{Statuses: []gtf.Status{gtf.StatusAborted}}, "e"},
			{"by two statuses", gtf.ListParams{Statuses: []gtf.Status{gtf.StatusAborted, gtf.StatusPending}}, "abcde"},
			{"by type", gtf.ListParams{Types: []string{sharedWork.Type(), systemWork.Type()}}, "cd"},
			{"by an unknown type", gtf.ListParams{Types: []string{"unknown"}}, ""},
			{"by scope", gtf.ListParams{Scopes: []gtf.Scope{gtf.ScopePrivate}}, "abe"},
			{"by queue", gtf.ListParams{Queues: []string{"slow"}}, "bc"},
			{"by creator", gtf.ListParams{CreatedBy: gtf.Principal{ID: ada.ID}}, "ace"},
			{"by creator, a guest", gtf.ListParams{CreatedBy: guest}, "b"},
			{"by subscriber", gtf.ListParams{Subscriber: gtf.Principal{ID: grace.ID}}, "c"},
			{"by text in the name, either case", gtf.ListParams{Text: "report"}, "a"},
			{"by text in the key", gtf.ListParams{Text: "D"}, "d"},
			{"by text with a per cent sign", gtf.ListParams{Text: "0% o"}, "b"},
			{"by text with an underscore", gtf.ListParams{Text: "of_a"}, "b"},
			{"by text with a backslash", gtf.ListParams{Text: `\`}, ""},
			{"by text with a quote", gtf.ListParams{Text: `' OR 1=1 --`}, ""},
			{"from a time on", gtf.ListParams{CreatedAfter: begun.Add(2 * time.Minute)}, "cde"},
			{"before a time", gtf.ListParams{CreatedBefore: begun.Add(2 * time.Minute)}, "ab"},
			{"by all together", gtf.ListParams{Scopes: []gtf.Scope{gtf.ScopePrivate}, CreatedBy: ada, Statuses: []gtf.Status{gtf.StatusPending}}, "a"},
		} {
			tt.params.Order = gtf.OrderCreated
			page := must[*gtf.TaskPage](t)(c.List(context.Background(), &tt.params))
			if got := strings.Join(keys(page.Tasks), ""); got != tt.want || page.Count != len(tt.want) {
				t.Errorf("%s (S11.3): got %q, counted %d, want %q", tt.name, got, page.Count, tt.want)
			}
		}
	})
}
