package pgstore_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
)

// poller follows changes in a store.
type poller struct {
	store  *pgstore.Store
	cursor string
}

// poll gives the ids that changed, and must not have to begin anew.
func (p *poller) poll(t *testing.T, limit int) []gtf.ID {
	t.Helper()
	var ids []gtf.ID
	for {
		got := must[*gtf.Changes](t)(p.store.Changes(t.Context(), &gtf.ChangesParams{After: p.cursor, Limit: limit}, host))
		if got.Reset || got.Cursor == "" {
			t.Fatalf("Changes gave the cursor %q, reset %v", got.Cursor, got.Reset)
		}
		p.cursor = got.Cursor
		for _, c := range got.Tasks {
			ids = append(ids, c.ID)
		}
		if !got.More {
			return ids
		}
	}
}

func (p *poller) sees(t *testing.T, what string, want ...gtf.ID) {
	t.Helper()
	if got := p.poll(t, 2); !slices.Equal(got, want) {
		t.Errorf("after %s: got changes of %v, want %v", what, got, want)
	}
}

// create stores a task by itself.
func create(t *testing.T, store *pgstore.Store) gtf.ID {
	t.Helper()
	return must[[]gtf.Submitted](t)(store.Submit(t.Context(), []*gtf.Submission{submission(gtf.NewID().String())}))[0].ID
}

// writer is a transaction of the test's own that has created a task, and with it taken its number.
func writer(t *testing.T, url string, store *pgstore.Store) (id gtf.ID, tx pgx.Tx) {
	t.Helper()
	tx = must[pgx.Tx](t)(connect(t, url).Begin(t.Context()))
	id = must[[]gtf.Submitted](t)(store.SubmitTx(t.Context(), pgstore.Tx(tx), []*gtf.Submission{submission(gtf.NewID().String())}))[0].ID
	return id, tx
}

func number(t *testing.T, tx pgx.Tx) (xid uint64) {
	t.Helper()
	if err := tx.QueryRow(t.Context(), "SELECT pg_current_xact_id()::text::bigint").Scan(&xid); err != nil {
		t.Fatal(err)
	}
	return xid
}

func TestChangesInTheOrderOfCommits(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	store := openURL(t, url, nil)

	t.Run("a transaction that began first and commits last is told last", func(t *testing.T) {
		p := &poller{store: store}
		p.sees(t, "the beginning")
		first, t1 := writer(t, url, store)
		second, t2 := writer(t, url, store)
		if number(t, t1) >= number(t, t2) {
			t.Fatalf("the first transaction has number %d, the second %d", number(t, t1), number(t, t2))
		}
		p.sees(t, "nothing")
		ended(t, t2.Commit(t.Context()))
		p.sees(t, "the second commit", second)
		other := &poller{store: openURL(t, url, nil), cursor: p.cursor} // a process of its own
		ended(t, t1.Commit(t.Context()))
		p.sees(t, "the first, which came last", first)
		p.sees(t, "nothing more")
		other.sees(t, "the same, elsewhere", first)
	})

	t.Run("an open transaction has nothing told twice, and is told in the end", func(t *testing.T) {
		p := &poller{store: store}
		p.sees(t, "the beginning")
		late, open := writer(t, url, store)
		for i := range 50 {
			id := create(t, store)
			p.sees(t, fmt.Sprint("submit ", i), id)
			if i%10 == 0 {
				p.sees(t, "nothing")
			}
		}
		ended(t, open.Commit(t.Context()))
		p.sees(t, "the commit", late)
		p.sees(t, "nothing more")
	})

	t.Run("what commits between two parts is told behind them", func(t *testing.T) {
		p := &poller{store: store}
		p.sees(t, "the beginning")
		late, open := writer(t, url, store)
		want := []gtf.ID{create(t, store), create(t, store), create(t, store)}
		part := must[*gtf.Changes](t)(store.Changes(t.Context(), &gtf.ChangesParams{After: p.cursor, Limit: 2}, host))
		if !part.More || len(part.Tasks) != 2 {
			t.Fatalf("the first part has %d tasks, more: %v", len(part.Tasks), part.More)
		}
		ended(t, open.Commit(t.Context())) // its number is lower than those of the part
		p.cursor = part.Cursor
		p.sees(t, "the second part", want[2], late)
		p.sees(t, "nothing more")
	})

	t.Run("with more open transactions than a cursor holds, changes are told again and none is lost", func(t *testing.T) {
		p := &poller{store: store}
		p.sees(t, "the beginning")
		var late []gtf.ID
		var open []pgx.Tx
		for range 101 {
			id, tx := writer(t, url, store)
			late, open = append(late, id), append(open, tx)
		}
		early := create(t, store)
		p.sees(t, "a submit", early)
		if len(p.cursor) > 200 {
			t.Errorf("the cursor has %d characters", len(p.cursor))
		}
		p.sees(t, "nothing", early)
		for _, tx := range open {
			ended(t, tx.Commit(t.Context()))
		}
		p.sees(t, "the commits", append(late, early)...)
		p.sees(t, "nothing more")
	})
}

func TestChangesOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	store := openURL(t, url, nil)
	conn := connect(t, url)

	t.Run("a row from a database with higher numbers is told once they are reached, not until then", func(t *testing.T) {
		p := &poller{store: store}
		p.sees(t, "the beginning")
		restored, running := create(t, store), create(t, store)
		p.poll(t, 10)
		exec(t, conn, "UPDATE gtf.tasks SET changed_xid = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8 WHERE id = $1", [16]byte(restored))
		exec(t, conn, `UPDATE gtf.tasks SET changed_xid = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8,
			status = 'in_progress', worker = 'w' WHERE id = $1`, [16]byte(running))
		for range 3 {
			p.sees(t, "nothing")
		}
		p.sees(t, "a submit", create(t, store))
	})

	reset := func(t *testing.T, store *pgstore.Store, cursor string) {
		t.Helper()
		got := must[*gtf.Changes](t)(store.Changes(t.Context(), &gtf.ChangesParams{After: cursor, Limit: 10}, host))
		if !got.Reset || got.More || len(got.Tasks) != 0 {
			t.Errorf("got %d tasks, reset %v, more %v, want a reset alone", len(got.Tasks), got.Reset, got.More)
		}
		p := &poller{store: store, cursor: got.Cursor}
		p.sees(t, "the reset")
		p.sees(t, "a submit", create(t, store))
	}
	t.Run("a cursor from the future begins anew", func(t *testing.T) {
		p := &poller{store: store}
		p.poll(t, 10)
		reset(t, store, pgstore.Later(t, p.cursor))
	})
	t.Run("a cursor of another schema begins anew", func(t *testing.T) {
		p := &poller{store: openURL(t, url, &pgstore.Options{Schema: "another"})}
		p.poll(t, 10)
		reset(t, store, p.cursor)
	})
}

func TestChangeCursorIsCheckedToTheLetter(t *testing.T) {
	t.Parallel()
	store := openURL(t, dbtest.Postgres(t), nil)
	begun := must[*gtf.Changes](t)(store.Changes(t.Context(), &gtf.ChangesParams{Limit: 1}, host)).Cursor
	for range 3 {
		create(t, store)
	}
	inside := must[*gtf.Changes](t)(store.Changes(t.Context(), &gtf.ChangesParams{After: begun, Limit: 1}, host)).Cursor
	for _, good := range []string{begun, inside} {
		raw, err := base64.RawURLEncoding.DecodeString(good)
		if err != nil {
			t.Fatal(err)
		}
		bad := []string{good + "A", good[1:], strings.Repeat("A", 10_000), good + "=", " " + good}
		for i := range raw {
			flipped := slices.Clone(raw)
			flipped[i] ^= 1 << (i % 8)
			bad = append(bad, base64.RawURLEncoding.EncodeToString(flipped), base64.RawURLEncoding.EncodeToString(raw[:i]))
		}
		for _, text := range bad {
			if text == "" {
				continue // no cursor at all
			}
			_, err := store.Changes(t.Context(), &gtf.ChangesParams{After: text, Limit: 1}, host)
			var invalid *gtf.ValidationError
			if !errors.As(err, &invalid) || invalid.Problems[0].Field != "cursor" {
				t.Errorf("Changes after %q gives %v, want a *ValidationError of cursor", text, err)
			}
		}
	}
}
