package storetest

import (
	"reflect"

	"github.com/globaltask/gtf"
)

func (f *fixture) remember(people ...gtf.Principal) {
	f.Helper()
	f.must("Remember", f.Remember(f.Context(), people))
}

func rememberTests(s *suite) {
	s.test("fills in the names that a task was stored without, and no others", func(f *fixture) {
		nameless := func(p gtf.Principal) gtf.Principal { return gtf.Principal{Kind: p.Kind, ID: p.ID} }
		id := f.create(by(nameless(ada)), withKey("k"))
		f.submit(submission(withKey("k"), by(nameless(guest))), submission(withKey("k"), by(bob)))
		f.abort(id) // by bob, with his name
		other := f.create(by(bob), withKey("l"))
		f.deed(other, gtf.Deed{Kind: gtf.DeedAbort, By: nameless(ada)})
		hosts := f.create(by(gtf.Principal{}))
		f.deed(hosts, gtf.Deed{Kind: gtf.DeedAbort, By: gtf.Principal{Name: gtf.HostName}})
		before := map[gtf.ID]*gtf.Task{id: f.get(id), other: f.get(other), hosts: f.get(hosts)}
		check(f, "name of a creator that nobody remembers", before[id].CreatedBy, nameless(ada))

		cursor := f.changes(gtf.ChangesParams{}, host).Cursor
		mail := ada
		mail.Email = "ada@example.org"
		f.remember(mail, gtf.Principal{Kind: bob.Kind, ID: bob.ID, Name: "Another Bob"}, guest)
		tasks := map[gtf.ID]*gtf.Task{}
		for _, t := range f.all() {
			tasks[t.ID] = t
			if got := f.get(t.ID); !reflect.DeepEqual(got, t) {
				f.Errorf("Get reads %+v, List %+v", got, t)
			}
		}
		check(f, "creator", tasks[id].CreatedBy, ada)
		check(f, "subscribers", people(tasks[id]), []gtf.Principal{ada, bob, guest})
		check(f, "who aborted, with a name of old", tasks[id].AbortedBy, bob)
		check(f, "creator, with a name of old", tasks[other].CreatedBy, bob)
		check(f, "who aborted", tasks[other].AbortedBy, ada)
		check(f, "who aborted for the host", tasks[hosts].AbortedBy, before[hosts].AbortedBy)
		check(f, "creator, if there is none", tasks[hosts].CreatedBy, gtf.Principal{})
		for id, t := range tasks {
			check(f, "version", t.Version, before[id].Version)
		}
		check(f, "changes", len(f.changes(gtf.ChangesParams{After: cursor}, host).Tasks), 0)
	})

	s.test("tells who cancels by the name that is remembered", func(f *fixture) {
		id := f.create(by(gtf.Principal{Kind: ada.Kind, ID: ada.ID}))
		f.remember(ada)
		t := f.deed(id, gtf.Deed{Kind: gtf.DeedAbort, By: gtf.Principal{Kind: ada.Kind, ID: ada.ID}})
		check(f, "creator", t.CreatedBy, ada)
		check(f, "who aborted", t.AbortedBy, ada)
		check(f, "subscribers", people(t), []gtf.Principal{ada})
	})

	s.test("keeps the last name, of each kind of principal its own", func(f *fixture) {
		id := f.create(by(gtf.Principal{Kind: ada.Kind, ID: ada.ID}))
		f.remember(gtf.Principal{Kind: ada.Kind, ID: ada.ID, Name: "Ada Byron"}, guest)
		check(f, "first name", f.get(id).CreatedBy.Name, "Ada Byron")
		f.remember(ada)
		check(f, "second name", f.get(id).CreatedBy.Name, ada.Name)
		f.remember(guest, guest)
		check(f, "name after that of another kind", f.get(id).CreatedBy.Name, ada.Name)
		f.remember()
		together(8, func(int) { f.remember(bob, ada, guest) })
		check(f, "name at the end", f.get(id).CreatedBy.Name, ada.Name)
	})
}
