package pgstore

import (
	"context"
	"time"
)

const (
	acquire = `
INSERT INTO gtf.locks AS l (name, token, ends_at) VALUES ($1, $2, clock_timestamp() + $3::bigint * interval '1 microsecond')
ON CONFLICT (name) DO UPDATE SET token = excluded.token, ends_at = excluded.ends_at
WHERE l.token = excluded.token OR l.ends_at <= clock_timestamp()`
	renew = `
UPDATE gtf.locks SET ends_at = clock_timestamp() + $3::bigint * interval '1 microsecond'
WHERE name = $1 AND token = $2 AND ends_at > clock_timestamp()`
	release = `DELETE FROM gtf.locks WHERE name = $1 AND token = $2`
)

// Acquire takes a free lock, or prolongs the token's own.
func (s *Store) Acquire(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	return s.one(ctx, acquire, name, token, micros(ttl))
}

// Renew prolongs a lease that has not ended.
func (s *Store) Renew(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	return s.one(ctx, renew, name, token, micros(ttl))
}

// Release deletes the lock of the token.
func (s *Store) Release(ctx context.Context, name, token string) error {
	_, err := s.one(ctx, release, name, token)
	return err
}
