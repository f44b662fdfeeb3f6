package storetest

import (
	"bytes"
	"slices"
	"time"

	"github.com/globaltask/gtf"
)

func listTests(s *suite) {
	s.test("reads each task as Get does", func(f *fixture) {
		f.variety()
		for _, t := range f.all() {
			f.unchanged("a listed task that is "+string(t.Status), t)
		}
	})

	s.test("filters", func(f *fixture) {
		worker := f.worker()
		a := f.create(ofType("alpha"), inQueue("q1"), inScope(gtf.ScopePrivate), withKey("ka"))
		f.pass(time.Minute)
		b := f.create(ofType("beta"), inQueue("q2"), by(guest), withKey("kb"))
		f.pass(time.Minute)
		c := f.create(inQueue("q1"), inScope(gtf.ScopeSystem), by(bob), withKey("kc"))
		f.pass(time.Minute)
		d := f.running(worker, inQueue("q4"), by(gtf.Principal{}), withKey("kd")).ID
		f.submit(submission(withKey("kb"), by(bob)))
		second, third := f.get(b).CreatedAt, f.get(c).CreatedAt
		for _, tt := range []struct {
			name string
			p    gtf.ListParams
			want []gtf.ID
		}{
			{"nothing", gtf.ListParams{}, []gtf.ID{a, b, c, d}},
			{"one type", gtf.ListParams{Types: []string{"alpha"}}, []gtf.ID{a}},
			{"two types", gtf.ListParams{Types: []string{"beta", work, "none"}}, []gtf.ID{b, c, d}},
			{"a status", gtf.ListParams{Statuses: []gtf.Status{gtf.StatusInProgress}}, []gtf.ID{d}},
			{"two statuses", gtf.ListParams{Statuses: []gtf.Status{gtf.StatusPending, gtf.StatusSuccess}}, []gtf.ID{a, b, c}},
			{"a scope", gtf.ListParams{Scopes: []gtf.Scope{gtf.ScopeShared}}, []gtf.ID{b, d}},
			{"two scopes", gtf.ListParams{Scopes: []gtf.Scope{gtf.ScopePrivate, gtf.ScopeSystem}}, []gtf.ID{a, c}},
			{"a queue", gtf.ListParams{Queues: []string{"q1"}}, []gtf.ID{a, c}},
			{"two queues", gtf.ListParams{Queues: []string{"q2", "q4"}}, []gtf.ID{b, d}},
			{"a creator", gtf.ListParams{CreatedBy: ada}, []gtf.ID{a}},
			{"a creator with the id of another kind", gtf.ListParams{CreatedBy: guest}, []gtf.ID{b}},
			{"a subscriber", gtf.ListParams{Subscriber: bob}, []gtf.ID{b, c}},
			{"a subscriber with the id of another kind", gtf.ListParams{Subscriber: guest}, []gtf.ID{b}},
			{"created from then on, the instant included", gtf.ListParams{CreatedAfter: second}, []gtf.ID{b, c, d}},
			{"created before then, the instant not included", gtf.ListParams{CreatedBefore: second}, []gtf.ID{a}},
			{"created in between", gtf.ListParams{CreatedAfter: second, CreatedBefore: third}, []gtf.ID{b}},
			{"all at once", gtf.ListParams{
				Types: []string{"beta"}, Queues: []string{"q2"}, Scopes: []gtf.Scope{gtf.ScopeShared}, Text: "KB", CreatedBy: guest,
				Statuses: []gtf.Status{gtf.StatusPending}, Subscriber: bob, CreatedAfter: second, CreatedBefore: third,
			}, []gtf.ID{b}},
			{"what contradicts itself", gtf.ListParams{Types: []string{"beta"}, Queues: []string{"q1"}}, nil},
		} {
			f.lists(tt.name, tt.p, host, tt.want)
		}
		f.lists("a subscriber, for another viewer", gtf.ListParams{Subscriber: guest}, viewer(bob), []gtf.ID{b})
		f.lists("a creator who left no subscription to the viewer", gtf.ListParams{CreatedBy: ada}, viewer(bob), nil)
	})

	s.test("finds a text in name or key, either case, to the letter", func(f *fixture) {
		create := func(name, key string) gtf.ID {
			return f.create(withKey(key), func(s *gtf.Submission) { s.Name = name })
		}
		percent := create("Export 100% of it", "k1")
		under := create("snake_case", "k2")
		plain := create("Export 1000 of snakeXcase", "k3")
		quote := create(`it's a "path\to"`, "K4")
		bracket := create("[a-z]*?", "k5")
		unicode := create("Übersicht", "k6")
		nameless := create("", "Only-The-Key")
		for _, tt := range []struct {
			text string
			want []gtf.ID
		}{
			{"export", []gtf.ID{percent, plain}},
			{"EXPORT 100", []gtf.ID{percent, plain}},
			{"100%", []gtf.ID{percent}},
			{"%", []gtf.ID{percent}},
			{"snake_case", []gtf.ID{under}},
			{"_", []gtf.ID{under}},
			{`\`, []gtf.ID{quote}},
			{`\t`, []gtf.ID{quote}},
			{`it's a "p`, []gtf.ID{quote}},
			{"[a-z]*?", []gtf.ID{bracket}},
			{"*", []gtf.ID{bracket}},
			{"bersicht", []gtf.ID{unicode}},
			{"Übers", []gtf.ID{unicode}},
			{"only-the", []gtf.ID{nameless}},
			{"k4", []gtf.ID{quote}},
			{"a name", nil},
		} {
			f.lists("text "+tt.text, gtf.ListParams{Text: tt.text}, host, tt.want)
		}
	})

	s.test("counts what matches, whatever the page", func(f *fixture) {
		for range 7 {
			f.create(ofType("alpha"))
			f.create(ofType("beta"), by(bob))
		}
		for _, tt := range []struct {
			name string
			p    gtf.ListParams
			v    gtf.Viewer
			want int
		}{
			{"all", gtf.ListParams{}, host, 14},
			{"a filter", gtf.ListParams{Types: []string{"alpha"}}, host, 7},
			{"a viewer", gtf.ListParams{}, viewer(bob), 7},
			{"a filter that excludes the viewer's", gtf.ListParams{Types: []string{"alpha"}}, viewer(bob), 0},
		} {
			tt.p.Order, tt.p.PageSize = gtf.OrderCreated, 3
			for page := 1; ; page++ {
				got, err := f.List(f.Context(), &tt.p, tt.v)
				f.must("List", err)
				check(f, tt.name+": count", got.Count, tt.want)
				check(f, tt.name+": capped", got.Capped, false)
				if want := min(3, tt.want-3*(page-1)); len(got.Tasks) != max(0, want) {
					f.Errorf("%s: page %d has %d tasks, want %d", tt.name, page, len(got.Tasks), want)
				}
				if tt.p.Cursor = got.Next; got.Next == "" {
					break
				}
			}
		}
	})
}

// lists compares the tasks of all pages, in the order of their ids.
func (f *fixture) lists(what string, p gtf.ListParams, v gtf.Viewer, want []gtf.ID) {
	f.Helper()
	p.Order, p.PageSize = gtf.OrderCreated, 2
	got := ids(f.list(p, v))
	byBytes := func(a, b gtf.ID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(got, byBytes)
	want = slices.Clone(want)
	slices.SortFunc(want, byBytes)
	if !slices.Equal(got, want) {
		f.Errorf("list by %s: got %v, want %v", what, got, want)
	}
}

// variety fills the store with tasks of all kinds, some of them created, started or ended in the same instant.
func (f *fixture) variety() {
	f.Helper()
	worker := f.worker()
	types := []string{"alpha", "beta", "gamma"}
	scopes := []gtf.Scope{gtf.ScopePrivate, gtf.ScopeShared, gtf.ScopeSystem}
	for i := range 28 {
		if i%3 == 0 {
			f.pass(time.Second)
		}
		key := gtf.NewID().String()
		changes := []change{
			ofType(types[i*5%3]), inScope(scopes[i*7%3]), withKey(key), fromClient("tab"), abortable, attempts(2), inQueue(key),
			by([]gtf.Principal{ada, bob, guest, {}}[i%4]),
		}
		if i%7 == 0 {
			f.create(changes...)
			continue
		}
		job := f.running(worker, changes...)
		f.submit(submission(withKey(key), by(bob)), submission(withKey(key), by(guest)))
		f.update(gtf.Update{Ref: job.Ref, Progress: &gtf.Progress{Form: gtf.FormTotal, Current: 1, Total: 3}, Payload: raw(`{"a":1}`)})
		if i%2 == 0 {
			f.pass(time.Second)
		}
		switch i % 7 {
		case 2:
			f.abort(job.ID)
		case 3:
			f.finish(job.Ref, succeeded(`{"b":1.0}`))
		case 4:
			f.finish(job.Ref, gtf.Outcome{Status: gtf.StatusFailure, Error: "e", ErrorType: "t", Stack: "s"})
		case 5:
			f.expire(job.Ref)
			f.stopped(job.Ref)
		case 6:
			f.finishAs(gtf.Finish{Update: gtf.Update{Ref: job.Ref}, Running: again(0)})
		}
	}
}
