package sqlitestore

import (
	"context"

	"github.com/globaltask/gtf"
)

const remember = `
INSERT INTO principals (kind, id, name, email, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET name = excluded.name, email = excluded.email, seen_at = excluded.seen_at`

// Remember keeps the last name of each.
func (s *Store) Remember(ctx context.Context, people []gtf.Principal) error {
	if len(people) == 0 {
		return nil
	}
	return s.write.do(ctx, func(t *tx) error {
		for _, p := range people {
			if _, err := t.exec(remember, p.Kind, p.ID, p.Name, p.Email, t.now); err != nil {
				return err
			}
		}
		return nil
	})
}
