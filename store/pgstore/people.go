package pgstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// The names of people, from those remembered where a row was stored without one.
const (
	creatorName = `CASE WHEN t.creator_name <> '' OR t.creator_id = '' THEN t.creator_name ELSE coalesce((
		SELECT p.name FROM gtf.principals p WHERE p.kind = t.creator_kind AND p.id = t.creator_id), '') END`
	aborterName = `CASE WHEN t.aborted_name <> '' OR t.aborted_id = '' THEN t.aborted_name ELSE coalesce((
		SELECT p.name FROM gtf.principals p WHERE p.kind = t.aborted_kind AND p.id = t.aborted_id), '') END`
	subscriberName = `CASE WHEN s.name <> '' THEN s.name ELSE coalesce((
		SELECT p.name FROM gtf.principals p WHERE p.kind = s.kind AND p.id = s.principal_id), '') END`
)

// remember leaves alone what it knows already, and keeps an address when somebody comes without one.
const remember = `
INSERT INTO gtf.principals AS p (kind, id, name, email) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, email = coalesce(nullif(excluded.email, ''), p.email)
WHERE p.name <> excluded.name OR excluded.email <> '' AND p.email <> excluded.email`

// Remember keeps the last name of each, in an order in which two calls never wait for each other.
func (s *Store) Remember(ctx context.Context, people []gtf.Principal) error {
	if len(people) == 0 {
		return nil
	}
	byID := func(a, b gtf.Principal) int {
		if c := strings.Compare(string(a.Kind), string(b.Kind)); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	}
	people = slices.Clone(people)
	slices.Reverse(people)
	slices.SortStableFunc(people, byID)
	people = slices.CompactFunc(people, func(a, b gtf.Principal) bool { return byID(a, b) == 0 })
	var columns [4][]string
	for _, p := range people {
		for i, text := range []string{string(p.Kind), p.ID, p.Name, p.Email} {
			columns[i] = append(columns[i], text)
		}
	}
	return s.alone(ctx, withRows, statement{query: remember, args: []any{columns[0], columns[1], columns[2], columns[3]}})
}

// addSubscribers reads the subscribers of many tasks in one statement, whoever came first at the front.
func addSubscribers(ctx context.Context, on executor, tasks []*gtf.Task) error {
	byID := make(map[gtf.ID]*gtf.Task, len(tasks))
	ids := make(uuids, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
		byID[t.ID] = t
	}
	return on.run(ctx, statement{`SELECT s.task_id, s.kind, s.principal_id, ` + subscriberName + `, s.since, s.clients FROM gtf.subscribers s
		WHERE s.task_id = ANY ($1::uuid[]) ORDER BY s.task_id, s.since, s.kind, s.principal_id`, []any{ids}, func(row scanner) error {
		var id gtf.ID
		var sub gtf.Subscriber
		if err := row(into(&id), &sub.Kind, &sub.ID, &sub.Name, instant{&sub.Since}, &sub.Clients); err != nil {
			return err
		}
		if len(sub.Clients) == 0 {
			sub.Clients = nil
		}
		byID[id].Subscribers = append(byID[id].Subscribers, sub)
		return nil
	}})
}

// attachedTo is the same for one task within its own statement: an array for each column.
const attachedTo = `
SELECT array_agg(a.kind), array_agg(a.principal_id), array_agg(a.name), array_agg(a.since), array_agg(a.clients) FROM (
	SELECT s.kind, s.principal_id, ` + subscriberName + ` AS name, s.since, array_to_string(s.clients, ',') AS clients
	FROM gtf.subscribers s WHERE s.task_id = t.id ORDER BY s.since, s.kind, s.principal_id
) a`

// attached is where attachedTo is read into.
type attached struct {
	kinds, ids, names, clients []string
	since                      []time.Time
}

func (a *attached) dest() []any { return []any{&a.kinds, &a.ids, &a.names, &a.since, &a.clients} }

func (a *attached) subscribers() []gtf.Subscriber {
	var subs []gtf.Subscriber
	for i, kind := range a.kinds {
		sub := gtf.Subscriber{Kind: gtf.PrincipalKind(kind), ID: a.ids[i], Name: a.names[i], Since: a.since[i].UTC()}
		if a.clients[i] != "" {
			sub.Clients = strings.Split(a.clients[i], ",")
		}
		subs = append(subs, sub)
	}
	return subs
}
