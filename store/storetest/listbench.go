package storetest

import (
	"cmp"
	"iter"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// BenchLists measures lists, distinct values and changes on a year of tasks: as many as the variable GTF_BENCH_LISTS says,
// default 10,000. fill puts them into the database, past the store, as if they had happened, and opens the store. Each case
// reports the median and the 95th percentile of its calls.
func BenchLists(b *testing.B, fill func(b *testing.B, tasks iter.Seq[*gtf.Task]) gtf.Store) {
	size := 10_000
	if text := os.Getenv("GTF_BENCH_LISTS"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil {
			b.Fatalf("GTF_BENCH_LISTS: %v", err)
		}
	}
	y := newYear(size)
	began := time.Now()
	s := fill(b, y.tasks())
	b.Logf("%d tasks and %d subscriptions were stored in %v", size, y.subscriptions, time.Since(began).Round(time.Second))
	for _, who := range []struct {
		name string
		v    gtf.Viewer
	}{
		{"admin", gtf.Viewer{All: true}},
		{"few", viewer(fewTasks)},
		{"many", viewer(manyTasks)},
	} {
		for _, c := range y.lists() {
			bench(b, who.name+"/"+c.name, func(i int) error {
				p := c.p(i)
				_, err := s.List(b.Context(), &p, who.v)
				return err
			})
		}
		deep := y.deep(b, s, who.v)
		bench(b, who.name+"/page behind cursor 10000", func(int) error {
			_, err := s.List(b.Context(), &deep, who.v)
			return err
		})
		for _, column := range gtf.DistinctColumns() {
			for _, text := range []string{"", "12"} {
				bench(b, who.name+"/distinct "+string(column)+" "+cmp.Or(text, "all"), func(int) error {
					_, err := s.Distinct(b.Context(), &gtf.DistinctParams{Column: column, Text: text, Limit: 100}, who.v)
					return err
				})
			}
		}
	}
	benchChanges(b, s)
}

// bench calls something over and over, and reports how long one call took.
func bench(b *testing.B, name string, call func(i int) error) {
	b.Run(name, func(b *testing.B) {
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			began := time.Now()
			if err := call(i); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(0, "ns/op") // the mean of so few says less
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	})
}

type listCase struct {
	name string
	p    func(i int) gtf.ListParams
}

// lists are the first page, each filter by itself, and each order. All but the orders are newest first.
func (y *year) lists() []listCase {
	var cases []listCase
	add := func(name string, p gtf.ListParams) {
		if p.Order == "" {
			p.Order, p.Descending = gtf.OrderCreated, true
		}
		p.PageSize = 25
		cases = append(cases, listCase{name, func(int) gtf.ListParams { return p }})
	}
	where := func(name string, column gtf.FilterColumn, op gtf.FilterOp, c gtf.Condition) {
		c.Column, c.Op = column, op
		add(name, gtf.ListParams{Where: []gtf.Condition{c}})
	}
	add("first page", gtf.ListParams{})
	add("first page, oldest first", gtf.ListParams{Order: gtf.OrderCreated})
	add("offset 10000", gtf.ListParams{Offset: gtf.MaxCount})
	for _, status := range gtf.Statuses() {
		add("status "+string(status), gtf.ListParams{Statuses: []gtf.Status{status}})
	}
	add("status not success", gtf.ListParams{Statuses: []gtf.Status{gtf.StatusFailure, gtf.StatusAborted, gtf.StatusTimedOut}})
	for _, typ := range []string{yearTypes[0], yearTypes[10], retiredType, rareType, "no.such"} {
		add("type "+typ, gtf.ListParams{Types: []string{typ}})
	}
	for _, scope := range gtf.Scopes() {
		add("scope "+string(scope), gtf.ListParams{Scopes: []gtf.Scope{scope}})
	}
	for _, queue := range []string{gtf.DefaultQueue, "bulk", "rare", "none"} {
		add("queue "+queue, gtf.ListParams{Queues: []string{queue}})
	}
	for _, p := range []gtf.Principal{manyTasks, fewTasks, {Kind: gtf.KindUser, ID: "1234"}, {Kind: gtf.KindUser, ID: "nobody"}} {
		add("created by "+p.ID, gtf.ListParams{CreatedBy: p})
		add("subscriber "+p.ID, gtf.ListParams{Subscriber: p})
	}
	text := func(texts ...string) gtf.Condition { return gtf.Condition{Texts: texts} }
	where("key eq", gtf.FilterKey, gtf.OpEqual, text("report-4711"))
	where("key eq absent", gtf.FilterKey, gtf.OpEqual, text("none"))
	at := func(ago time.Duration) gtf.Condition { return gtf.Condition{Times: []time.Time{y.end.Add(-ago)}} }
	const day = 24 * time.Hour
	for _, column := range []gtf.FilterColumn{gtf.FilterCreated, gtf.FilterChanged, gtf.FilterStarted, gtf.FilterEnded} {
		where(string(column)+" within a day", column, gtf.OpGreater, at(day))
		where(string(column)+" within half a year", column, gtf.OpGreater, at(182*day))
		where(string(column)+" before half a year", column, gtf.OpLess, at(182*day))
		where(string(column)+" in the first day", column, gtf.OpLess, at(364*day))
	}
	add("created in one hour", gtf.ListParams{CreatedAfter: y.end.Add(-100 * day), CreatedBefore: y.end.Add(-100*day + time.Hour)})
	for _, word := range []string{"quarterly", "zebra", "nowhere", "Übersicht"} {
		within := []gtf.Condition{{Column: gtf.FilterCreated, Op: gtf.OpFrom, Times: []time.Time{y.end.Add(-30 * day)}}}
		add("name ct "+word+" in 30 days", gtf.ListParams{Where: append(within, gtf.Condition{Column: gtf.FilterName, Op: gtf.OpContains, Texts: []string{word}})})
		add("text "+word+" in 30 days", gtf.ListParams{CreatedAfter: y.end.Add(-30 * day), Text: word})
	}
	cases = append(cases, listCase{"uuid", func(i int) gtf.ListParams {
		id := y.id(i * 7919 % y.size).String()
		return gtf.ListParams{PageSize: 25, Order: gtf.OrderCreated, Where: []gtf.Condition{{Column: gtf.FilterID, Op: gtf.OpEqual, Texts: []string{id}}}}
	}})
	for _, order := range gtf.OrderColumns() {
		add("by "+string(order), gtf.ListParams{Order: order})
		add("by "+string(order)+", descending", gtf.ListParams{Order: order, Descending: true})
	}
	return cases
}

// deep is the page behind the first 10,000 tasks, or behind all pages but the last if there are fewer.
func (y *year) deep(b *testing.B, s gtf.Store, v gtf.Viewer) gtf.ListParams {
	b.Helper()
	p := gtf.ListParams{Order: gtf.OrderCreated, Descending: true, PageSize: 100}
	for range gtf.MaxCount / p.PageSize {
		page, err := s.List(b.Context(), &p, v)
		if err != nil {
			b.Fatal(err)
		}
		if page.Next == "" {
			break
		}
		p.Cursor = page.Next
	}
	p.PageSize = 25
	return p
}

func benchChanges(b *testing.B, s gtf.Store) {
	b.Helper()
	read := func(p gtf.ChangesParams, v gtf.Viewer) *gtf.Changes {
		got, err := s.Changes(b.Context(), &p, v)
		if err != nil {
			b.Fatal(err)
		}
		return got
	}
	before := read(gtf.ChangesParams{Limit: 1000}, host).Cursor
	subs := make([]*gtf.Submission, 200)
	for i := range subs {
		subs[i] = submission(by(manyTasks))
	}
	if _, err := s.Submit(b.Context(), subs); err != nil {
		b.Fatal(err)
	}
	after := read(gtf.ChangesParams{After: before, Limit: 1000}, host)
	if len(after.Tasks) != len(subs) {
		b.Fatalf("%d changes, want %d", len(after.Tasks), len(subs))
	}
	for _, v := range []gtf.Viewer{host, viewer(manyTasks), viewer(fewTasks)} {
		for name, p := range map[string]gtf.ChangesParams{
			"of 200 tasks with subscribers": {After: before, Subscribers: true},
			"when nothing has changed":      {After: after.Cursor},
		} {
			p.Limit = 1000
			bench(b, "changes "+name+" for "+cmp.Or(v.ID, "admin"), func(int) error {
				_, err := s.Changes(b.Context(), &p, v)
				return err
			})
		}
	}
}
