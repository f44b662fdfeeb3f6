package pgstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/globaltask/gtf"
)

// upsert creates or joins: the unique index on the dedup key decides, in the order of the keys, so that two groups never wait
// for each other. A key is busy exactly while its task is active. Rows of the answer are text, for any driver.
const upsert = `
WITH new AS (
	INSERT INTO gtf.tasks AS t (id, dedup_key, type, key, name, scope, mode, queue, worker, creator_kind, creator_id, creator_name, input, trace,
		priority, max_attempts, max_queue_time, backoff_base, backoff_max, timeout, per_client, declared_abortable, abortable,
		status, claim, created_at, changed_at, started_at, due_at, queue_deadline, dedupe_count)
	SELECT n.id, n.dedup_key, p.type, n.key, n.name, p.scope, p.mode, p.queue, n.worker, n.creator_kind, n.creator_id, n.creator_name, n.input, n.trace,
		p.priority, p.max_attempts, p.max_queue_time, p.backoff_base, p.backoff_max, p.timeout, p.per_client, p.abortable AS declared, p.abortable,
		CASE WHEN n.worker IS NULL THEN 'pending' ELSE 'in_progress' END, CASE WHEN n.worker IS NULL THEN 0 ELSE 1 END,
		statement_timestamp(), -- created and changed
		statement_timestamp(), CASE WHEN n.worker IS NOT NULL THEN statement_timestamp() END, n.due_at,
		CASE WHEN p.max_queue_time > 0 THEN n.due_at + p.max_queue_time * interval '1 microsecond' END, n.hits - 1
	FROM (
		SELECT u.*, greatest(statement_timestamp(), u.due_given, statement_timestamp() + u.delay * interval '1 microsecond') AS due_at
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::bigint[], $11::timestamptz[], $12::bigint[], $13::int[], $31::text[])
			AS u (id, dedup_key, key, name, worker, creator_kind, creator_id, creator_name, input, delay, due_given, hits, policy, trace)
	) n JOIN unnest($14::text[], $15::text[], $16::text[], $17::text[], $18::smallint[], $19::int[], $20::bigint[], $21::bigint[], $22::bigint[],
		$23::bigint[], $24::boolean[], $25::boolean[]) WITH ORDINALITY
		AS p (type, scope, mode, queue, priority, max_attempts, max_queue_time, backoff_base, backoff_max, timeout, per_client, abortable, n)
		ON p.n = n.policy
	ORDER BY n.dedup_key COLLATE "C"
	ON CONFLICT (dedup_key) WHERE dedup_key <> id::text DO UPDATE SET dedupe_count = t.dedupe_count + excluded.dedupe_count + 1,
		changed_at = statement_timestamp(), changed_xid = pg_current_xact_id(), version = t.version + 1
	RETURNING id, dedup_key, created_at, per_client, queue, priority, due_at
), subscribed AS (
	INSERT INTO gtf.subscribers AS s (task_id, kind, principal_id, name, since, task_created, clients)
	SELECT new.id, p.kind, p.principal_id, p.name, statement_timestamp(), new.created_at,
		CASE WHEN new.per_client AND p.clients <> '' THEN string_to_array(p.clients, ',') ELSE '{}' END
	FROM unnest($26::text[], $27::text[], $28::text[], $29::text[], $30::text[]) AS p (dedup_key, kind, principal_id, name, clients)
	JOIN new ON new.dedup_key = p.dedup_key
	ON CONFLICT (task_id, kind, principal_id) DO UPDATE
		SET clients = s.clients || ARRAY(SELECT c FROM unnest(excluded.clients) c WHERE c <> ALL (s.clients))
		WHERE excluded.clients <> '{}'
)
SELECT id::text, dedup_key, queue, priority, due_at FROM new`

// Submit folds equal keys, for one statement cannot meet one key twice, and inserts or joins.
func (s *Store) Submit(ctx context.Context, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	f := fold(subs)
	engine := s.engine.Load()
	if engine == nil {
		if err := s.grouped(ctx, withEachOther, len(f.leads), func() []statement { return []statement{f.statement()} }); err != nil {
			return nil, err
		}
		return f.answers()
	}
	err := s.transaction(ctx, withEachOther, lockTimeout, func(ctx context.Context, tx pgxTx) error {
		if err := tx.run(ctx, f.statement()); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, Tx(tx.tx), f.created())
	})
	if err != nil {
		return nil, err
	}
	return f.answers()
}

// folded are submissions by their keys, in the order of the keys.
type folded struct {
	subs    []*gtf.Submission
	leads   []*gtf.Submission // the first of each key: it creates, if anything does
	hits    map[string]int64  // by key
	stored  map[string]stored // by key: what the database answered
	persons []person
}

type stored struct {
	id       string
	delivery gtf.Delivery
}

// person subscribes to the task of a key.
type person struct {
	dedupKey string
	by       gtf.Principal
	clients  []string
}

func fold(subs []*gtf.Submission) *folded {
	f := &folded{subs: subs, hits: make(map[string]int64, len(subs)), stored: make(map[string]stored, len(subs))}
	type identity struct {
		key, id string
		kind    gtf.PrincipalKind
	}
	known := make(map[identity]int, len(subs))
	for _, s := range subs {
		if f.hits[s.DedupKey]++; f.hits[s.DedupKey] == 1 {
			f.leads = append(f.leads, s)
		}
		if s.By.IsZero() {
			continue
		}
		who := identity{s.DedupKey, s.By.ID, s.By.Kind}
		i, ok := known[who]
		if !ok {
			i = len(f.persons)
			known[who] = i
			f.persons = append(f.persons, person{dedupKey: s.DedupKey, by: s.By})
		}
		if p := &f.persons[i]; s.Client != "" && !slices.Contains(p.clients, s.Client) {
			p.clients = append(p.clients, s.Client)
		}
	}
	slices.SortFunc(f.leads, func(a, b *gtf.Submission) int { return cmp.Compare(a.DedupKey, b.DedupKey) })
	return f
}

func (f *folded) statement() statement {
	n := len(f.leads)
	ids, delays, hits, dues := make(uuids, n), make([]int64, n), make([]int64, n), make([]pgtype.Timestamptz, n)
	var texts [8][]string // dedup_key, key, name, creator_kind, creator_id, creator_name, input, trace
	for i := range texts {
		texts[i] = make([]string, n)
	}
	workers, numbers := make([]*string, n), make([]int32, n)
	known := policies{}
	for i, s := range f.leads {
		ids[i], delays[i], hits[i] = s.ID, micros(s.Delay), f.hits[s.DedupKey]
		for j, text := range []string{s.DedupKey, s.Key, s.Name, string(s.By.Kind), s.By.ID, s.By.Name, string(s.Input), s.Trace} {
			texts[j][i] = text
		}
		if s.Mode == gtf.ModeSync { // inserted claimed by the process that runs it
			workers[i] = &s.Worker
		}
		dues[i] = pgtype.Timestamptz{Time: s.DueAt, Valid: !s.DueAt.IsZero()}
		numbers[i] = known.number(s)
	}
	m := len(f.persons)
	var persons [5][]string // dedup_key, kind, principal_id, name, clients
	for i := range persons {
		persons[i] = make([]string, m)
	}
	for i, p := range f.persons {
		for j, text := range []string{p.dedupKey, string(p.by.Kind), p.by.ID, p.by.Name, strings.Join(p.clients, ",")} {
			persons[j][i] = text
		}
	}
	t := texts
	args := []any{ids, t[0], t[1], t[2], workers, t[3], t[4], t[5], t[6], delays, dues, hits, numbers}
	args = append(args, known.args()...)
	for _, column := range persons {
		args = append(args, column)
	}
	args = append(args, t[7])
	return statement{query: upsert, args: args, row: func(row scanner) error {
		var st stored
		var key string
		if err := row(&st.id, &key, &st.delivery.Queue, &st.delivery.Priority, &st.delivery.DueAt); err != nil {
			return err
		}
		f.stored[key] = st
		return nil
	}}
}

// answers tells each submission its task.
func (f *folded) answers() ([]gtf.Submitted, error) {
	done := make([]gtf.Submitted, len(f.subs))
	for i, s := range f.subs {
		id, err := gtf.ParseID(f.stored[s.DedupKey].id)
		if err != nil {
			return nil, err
		}
		done[i] = gtf.Submitted{ID: id, Created: id == s.ID}
	}
	return done, nil
}

// created lists the tasks that another engine is to deliver: new ones that no process has for itself.
func (f *folded) created() []gtf.Delivery {
	var jobs []gtf.Delivery
	for _, s := range f.leads {
		st := f.stored[s.DedupKey]
		if st.id == s.ID.String() && s.Mode == gtf.ModeAsync {
			st.delivery.ID = s.ID
			jobs = append(jobs, st.delivery)
		}
	}
	return jobs
}
