package storetest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/globaltask/gtf"
)

// distinct lists up to 100 values.
func (f *fixture) distinct(p gtf.DistinctParams, v gtf.Viewer) []gtf.DistinctValue {
	f.Helper()
	if p.Limit == 0 {
		p.Limit = 100
	}
	values, err := f.Distinct(f.Context(), &p, v)
	f.must("Distinct", err)
	return values
}

// texts are values of a column that is not about people.
func texts(values ...string) []gtf.DistinctValue {
	list := make([]gtf.DistinctValue, len(values))
	for i, v := range values {
		list[i] = gtf.DistinctValue{Value: v, Name: v}
	}
	return list
}

// person is the value for one.
func person(p gtf.Principal) gtf.DistinctValue {
	return gtf.DistinctValue{Value: p.ID, Kind: p.Kind, Name: p.DisplayName()}
}

// unordered compares values of people in any order.
func (f *fixture) unordered(what string, got []gtf.DistinctValue, want ...gtf.Principal) {
	f.Helper()
	list := make([]gtf.DistinctValue, len(want))
	for i, p := range want {
		list[i] = person(p)
	}
	byPerson := func(a, b gtf.DistinctValue) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	}
	slices.SortFunc(got, byPerson)
	slices.SortFunc(list, byPerson)
	if !slices.Equal(got, list) {
		f.Errorf("%s: got %v, want %v", what, got, list)
	}
}

func distinctTests(s *suite) {
	s.test("lists each type and queue once, in order, for those who see a task of it", func(f *fixture) {
		for range 2 {
			f.create(ofType("beta"), inQueue("late"))
			f.create(ofType("alpha"), inQueue("fast"), by(bob))
			f.create(ofType("gamma"), inQueue("late"), by(bob))
			f.create(ofType("secret"), inQueue("system"), inScope(gtf.ScopeSystem), by(bob))
		}
		for _, tt := range []struct {
			name          string
			v             gtf.Viewer
			types, queues []gtf.DistinctValue
		}{
			{"the host", host, texts("alpha", "beta", "gamma", "secret"), texts("fast", "late", "system")},
			{"ada", viewer(ada), texts("beta"), texts("late")},
			{"bob", viewer(bob), texts("alpha", "gamma"), texts("fast", "late")},
			{"a stranger", viewer(guest), texts(), texts()},
			{"nobody", gtf.Viewer{}, texts(), texts()},
		} {
			types := f.distinct(gtf.DistinctParams{Column: gtf.FilterType}, tt.v)
			queues := f.distinct(gtf.DistinctParams{Column: gtf.FilterQueue}, tt.v)
			if !slices.Equal(types, tt.types) || !slices.Equal(queues, tt.queues) {
				f.Errorf("%s: got types %v, queues %v, want %v, %v", tt.name, types, queues, tt.types, tt.queues)
			}
		}
	})

	s.test("lists people by kind and id, once, as far as the viewer sees a task of theirs", func(f *fixture) {
		eve := gtf.Principal{Kind: gtf.KindUser, ID: "eve"} // has no name anywhere
		f.create(withKey("k"))
		f.submit(submission(withKey("k"), by(bob)))
		f.create(by(guest))
		f.create(by(guest))
		f.create(by(eve))
		f.create(by(gtf.Principal{}))
		hidden := gtf.Principal{Kind: gtf.KindUser, ID: "hidden", Name: "Hidden"}
		f.create(by(hidden), inScope(gtf.ScopeSystem))
		for _, tt := range []struct {
			name                  string
			v                     gtf.Viewer
			creators, subscribers []gtf.Principal
		}{
			{"the host", host, []gtf.Principal{ada, guest, eve, hidden}, []gtf.Principal{ada, bob, guest, eve, hidden}},
			{"who joined", viewer(bob), []gtf.Principal{ada}, []gtf.Principal{ada, bob}},
			{"a guest", viewer(guest), []gtf.Principal{guest}, []gtf.Principal{guest}},
			{"who subscribed to a system task", viewer(hidden), nil, nil},
		} {
			f.unordered("creators for "+tt.name, f.distinct(gtf.DistinctParams{Column: gtf.FilterCreatedBy}, tt.v), tt.creators...)
			f.unordered("subscribers for "+tt.name, f.distinct(gtf.DistinctParams{Column: gtf.FilterSubscribers}, tt.v), tt.subscribers...)
		}
	})

	s.test("no longer lists who has left, but still who created", func(f *fixture) {
		id := f.create(by(bob), withKey("k"))
		f.submit(submission(withKey("k")))
		f.deed(id, gtf.Deed{Kind: gtf.DeedLeave, By: bob})
		f.unordered("subscribers", f.distinct(gtf.DistinctParams{Column: gtf.FilterSubscribers}, host), ada)
		f.unordered("creators", f.distinct(gtf.DistinctParams{Column: gtf.FilterCreatedBy}, viewer(ada)), bob)
		f.unordered("creators for who left", f.distinct(gtf.DistinctParams{Column: gtf.FilterCreatedBy}, viewer(bob)))
	})

	s.test("shows a person by one name: the stored or the remembered one, else the id", func(f *fixture) {
		named := func(p gtf.Principal, name string) gtf.Principal {
			p.Name = name
			return p
		}
		nameless := named(ada, "")
		f.create(by(nameless), withKey("k"))
		for _, v := range []gtf.Viewer{host, viewer(ada)} {
			for _, column := range []gtf.FilterColumn{gtf.FilterCreatedBy, gtf.FilterSubscribers} {
				f.unordered("without a name", f.distinct(gtf.DistinctParams{Column: column}, v), nameless)
			}
		}
		f.remember(ada)
		f.create(by(nameless))
		f.create(by(bob))
		f.create(by(named(bob, "Robert")))
		for _, v := range []gtf.Viewer{host, viewer(ada)} {
			for _, column := range []gtf.FilterColumn{gtf.FilterCreatedBy, gtf.FilterSubscribers} {
				f.unordered("with a remembered name", f.distinct(gtf.DistinctParams{Column: column, Text: "ada"}, v), ada)
				f.unordered("by the id", f.distinct(gtf.DistinctParams{Column: column, Text: ada.ID}, v), ada)
			}
		}
		for _, column := range []gtf.FilterColumn{gtf.FilterCreatedBy, gtf.FilterSubscribers} {
			got := f.distinct(gtf.DistinctParams{Column: column}, viewer(bob))
			if len(got) != 1 || got[0].Value != bob.ID || got[0].Name != "Bob" && got[0].Name != "Robert" {
				f.Errorf("somebody stored with two names is listed as %v, want once, with one of them", got)
			}
		}
	})

	s.test("finds a part in either case, to the letter, and gives the first of them", func(f *fixture) {
		for i, text := range []string{"alpha", "Alphabet", "beta", "100% beta", "of_beta", `back\beta`} {
			p := gtf.Principal{Kind: gtf.KindUser, ID: fmt.Sprintf("id-%d", i), Name: text}
			f.create(ofType(text), inQueue(text), by(p))
		}
		for _, tt := range []struct {
			text string
			want int
		}{{"", 6}, {"ALPHA", 2}, {"beta", 4}, {"%", 1}, {"_", 1}, {`\`, 1}, {"0% B", 1}, {"none", 0}} {
			for _, column := range gtf.DistinctColumns() {
				check(f, fmt.Sprintf("values of %s with %q", column, tt.text),
					len(f.distinct(gtf.DistinctParams{Column: column, Text: tt.text}, host)), tt.want)
			}
		}
		check(f, "people by a part of the id", len(f.distinct(gtf.DistinctParams{Column: gtf.FilterCreatedBy, Text: "ID-3"}, host)), 1)
		for _, column := range gtf.DistinctColumns() {
			all := f.distinct(gtf.DistinctParams{Column: column, Text: "beta"}, host)
			some := f.distinct(gtf.DistinctParams{Column: column, Text: "beta", Limit: 2}, host)
			check(f, fmt.Sprintf("the first two of %s", column), some, all[:2])
		}
	})
}
