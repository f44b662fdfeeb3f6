package sqlitestore

import (
	"context"
	"time"
)

const (
	acquire = `
INSERT INTO locks (name, token, ends_at) VALUES (?1, ?2, ?4)
ON CONFLICT (name) DO UPDATE SET token = ?2, ends_at = ?4 WHERE token = ?2 OR ends_at <= ?3`
	renew   = `UPDATE locks SET ends_at = ?4 WHERE name = ?1 AND token = ?2 AND ends_at > ?3`
	release = `DELETE FROM locks WHERE name = ? AND token = ?`
)

// Acquire takes a free lock, or prolongs the token's own.
func (s *Store) Acquire(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	return s.lease(ctx, acquire, name, token, ttl)
}

// Renew prolongs a lease that has not ended.
func (s *Store) Renew(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	return s.lease(ctx, renew, name, token, ttl)
}

func (s *Store) lease(ctx context.Context, query, name, token string, ttl time.Duration) (bool, error) {
	return s.write.one(ctx, query, func(now int64) []any { return []any{name, token, now, now + micros(ttl)} })
}

// Release deletes the lock of the token.
func (s *Store) Release(ctx context.Context, name, token string) error {
	_, err := s.write.one(ctx, release, func(int64) []any { return []any{name, token} })
	return err
}
