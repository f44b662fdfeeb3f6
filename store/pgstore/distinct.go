package pgstore

import (
	"context"
	"strings"

	"github.com/globaltask/gtf"
)

// skipScan reads the distinct values of columns that an index begins with, one look for each, as "kinds". It goes from the last
// to the first: at the end of a value lie its youngest rows, at its beginning what was pruned and is not vacuumed yet.
func skipScan(from, beside string, columns ...string) string {
	names, last := make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		names[i], _, _ = strings.Cut(column, " ")
		last[i] = "k." + names[i]
	}
	one := "SELECT " + strings.Join(names, ", ") + beside + " FROM " + from
	order := " ORDER BY " + strings.Join(columns, " DESC, ") + " DESC LIMIT 1"
	return "WITH RECURSIVE kinds AS ((" + one + order + ") UNION ALL SELECT n.* FROM kinds k, LATERAL (" + one +
		" AND (" + strings.Join(columns, ", ") + ") < (" + strings.Join(last, ", ") + ")" + order + ") n)"
}

const (
	endedTasks = "gtf.tasks t WHERE " + hasEnded
	collated   = ` COLLATE "C"`
)

// endedTypes and endedQueues are those of tasks that have ended.
var (
	endedTypes  = skipScan(endedTasks, "", "scope"+collated, "type"+collated) + " SELECT DISTINCT type FROM kinds"
	endedQueues = skipScan(endedTasks, "", "scope"+collated, "type"+collated, "queue"+collated) + " SELECT DISTINCT queue FROM kinds"
)

// everyValue gives kind, id and name of every value of a column.
var everyValue = map[gtf.FilterColumn]string{
	gtf.FilterType: "SELECT '' AS kind, type AS id, '' AS name FROM (" + endedTypes + ") e UNION " + active("'', type, ''", "true"),

	gtf.FilterQueue: "SELECT '' AS kind, queue AS id, '' AS name FROM (" + endedQueues + ") e UNION " + active("'', queue, ''", "true"),

	gtf.FilterCreatedBy: "SELECT creator_kind AS kind, creator_id AS id, creator_name AS name FROM (" +
		skipScan(endedTasks+" AND t.creator_id <> ''", ", creator_name", "creator_kind", "creator_id"+collated) + " SELECT * FROM kinds) e UNION " +
		active("creator_kind, creator_id, creator_name", "t.creator_id <> ''"),

	gtf.FilterSubscribers: "SELECT kind, principal_id AS id, name FROM (" +
		skipScan("gtf.subscribers s WHERE true", ", name", "kind", "principal_id") + " SELECT * FROM kinds) e",
}

func active(columns, where string) string {
	return "SELECT " + columns + " FROM gtf.tasks t WHERE " + where + " AND " + isPending +
		" UNION SELECT " + columns + " FROM gtf.tasks t WHERE " + where + " AND " + isRunning
}

// seenValue gives the same among the tasks "seen".
var seenValue = map[gtf.FilterColumn]string{
	gtf.FilterType:        "SELECT DISTINCT '' AS kind, t.type AS id, '' AS name FROM seen JOIN gtf.tasks t ON t.id = seen.id",
	gtf.FilterQueue:       "SELECT DISTINCT '' AS kind, t.queue AS id, '' AS name FROM seen JOIN gtf.tasks t ON t.id = seen.id",
	gtf.FilterCreatedBy:   "SELECT t.creator_kind AS kind, t.creator_id AS id, t.creator_name AS name FROM seen JOIN gtf.tasks t ON t.id = seen.id WHERE t.creator_id <> ''",
	gtf.FilterSubscribers: "SELECT s.kind, s.principal_id AS id, s.name FROM seen JOIN gtf.subscribers s ON s.task_id = seen.id",
}

// Distinct reads every value for those who see everything, and otherwise those of the viewer's newest 10,000 tasks. A person
// is listed once, whatever names are stored.
func (s *Store) Distinct(ctx context.Context, p *gtf.DistinctParams, v gtf.Viewer) ([]gtf.DistinctValue, error) {
	c := &conditions{text: "true"}
	with, values := "", everyValue[p.Column]
	if !v.All || v.Types != nil {
		newest := newestOf(v)
		c.args = newest.args
		with, values = "WITH seen AS MATERIALIZED ("+newest.rows(gtf.MaxCount, true)+")\n", seenValue[p.Column]
	}
	if p.Text != "" {
		c.filterPart(p.Text, "d.id"+collated, "d.name"+collated)
	}
	query := with + `SELECT d.kind, d.id, d.name FROM (
	SELECT x.kind, x.id, coalesce(nullif(p.name, ''), nullif(max(x.name), ''), x.id) AS name
	FROM (` + values + `) x LEFT JOIN gtf.principals p ON p.kind = x.kind AND p.id = x.id GROUP BY x.kind, x.id, p.name
) d WHERE ` + c.text + ` ORDER BY d.name` + collated + `, d.kind, d.id` + collated + ` LIMIT ` + c.arg(p.Limit)
	var found []gtf.DistinctValue
	err := s.lookPlanned(ctx, query, c.args, func(row scanner) error {
		var d gtf.DistinctValue
		if err := row(&d.Kind, &d.Value, &d.Name); err != nil {
			return err
		}
		found = append(found, d)
		return nil
	})
	return found, err
}
