package sqlitestore

import (
	"context"
	"fmt"
	"strings"

	"github.com/globaltask/gtf"
)

// creators and attached are all people in an index, one look into it for each, and the name that the newest task has for them.
var (
	creators = everyone("tasks", "creator_kind", "creator_id", "creator_name", "created_at")
	attached = everyone("subscribers", "kind", "principal_id", "name", "hidden DESC, task_created")
)

func everyone(table, kind, id, name, created string) string {
	return strings.NewReplacer("{table}", table, "{kind}", kind, "{id}", id, "{name}", name, "{created}", created).Replace(`
people (kind, id) AS (
	VALUES ('` + string(gtf.KindUser) + `', ''), ('` + string(gtf.KindGuest) + `', '')
	UNION ALL
	SELECT p.kind, (SELECT min({id}) FROM {table} WHERE {id} <> '' AND {kind} = p.kind AND {id} > p.id) FROM people p WHERE p.id IS NOT NULL),
found AS (SELECT p.kind, p.id, (
	SELECT {name} FROM {table} WHERE {id} <> '' AND {kind} = p.kind AND {id} = p.id ORDER BY {created} DESC LIMIT 1) AS name
	FROM people p WHERE p.id <> '')`)
}

// Distinct reads values off an index for whoever sees everything, and for others off their newest tasks.
func (s *Store) Distinct(ctx context.Context, p *gtf.DistinctParams, v gtf.Viewer) ([]gtf.DistinctValue, error) {
	var a arguments
	query := "WITH RECURSIVE " + found(&a, p.Column, v) + `
SELECT value, kind, name FROM (SELECT f.id AS value, f.kind, coalesce(
	(SELECT p.name FROM principals p WHERE p.kind = f.kind AND p.id = f.id), nullif(f.name, ''), f.id) AS name FROM found f)`
	if p.Text != "" {
		query += " WHERE " + a.part("value", "%", p.Text, "%") + " OR " + a.part("name", "%", p.Text, "%")
	}
	query += fmt.Sprintf(" ORDER BY name, value, kind LIMIT %d", p.Limit)
	var values []gtf.DistinctValue
	err := s.look(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, query, a...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d gtf.DistinctValue
			if err := rows.Scan(&d.Value, &d.Kind, &d.Name); err != nil {
				return err
			}
			values = append(values, d)
		}
		return rows.Err()
	})
	return values, err
}

// found says what there is: kind, id and name. A kind is empty if the values are not people.
func found(a *arguments, column gtf.FilterColumn, v gtf.Viewer) string {
	if v.All && v.Types == nil {
		switch column {
		case gtf.FilterCreatedBy:
			return creators
		case gtf.FilterSubscribers:
			return attached
		}
		return kinds + ",\nfound AS (SELECT DISTINCT '' AS kind, " + textColumns[column] + " AS id, '' AS name FROM kinds)"
	}
	seen := "seen AS MATERIALIZED (" + newestOf(a, v, gtf.MaxCount) + "),\nfound AS ("
	tasks := " FROM seen JOIN tasks t ON t.id = seen.id"
	switch column {
	case gtf.FilterCreatedBy:
		return seen + "SELECT t.creator_kind AS kind, t.creator_id AS id, max(t.creator_name) AS name" + tasks +
			" WHERE t.creator_id <> '' GROUP BY 1, 2)"
	case gtf.FilterSubscribers:
		return seen + "SELECT s.kind, s.principal_id AS id, max(s.name) AS name FROM seen JOIN subscribers s ON s.task_id = seen.id GROUP BY 1, 2)"
	}
	return seen + "SELECT DISTINCT '' AS kind, t." + textColumns[column] + " AS id, '' AS name" + tasks + ")"
}
