package gtf

import (
	"context"
	"time"
)

// Locker is the socket for leases: named locks that end by themselves. locktest is the suite that every plug must pass.
//
// The three methods are atomic and know a holder by its token. "Held by another" is ok == false; an error means that the
// backend failed and says nothing about who holds the lock.
type Locker interface {
	// Acquire takes the lock if it is free or its lease has ended. A token that already holds it has it prolonged.
	Acquire(ctx context.Context, name, token string, ttl time.Duration) (ok bool, err error)
	// Renew prolongs the lease to ttl from now if the token still holds it.
	Renew(ctx context.Context, name, token string, ttl time.Duration) (ok bool, err error)
	// Release frees the lock if the token holds it; otherwise it does nothing.
	Release(ctx context.Context, name, token string) error
}
