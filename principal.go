package gtf

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// PrincipalKind tells users from guests: user 7 and guest 7 are different people.
type PrincipalKind string

const (
	KindUser  PrincipalKind = "user"
	KindGuest PrincipalKind = "guest"
)

// Principal is who acts.
type Principal struct {
	Kind  PrincipalKind // default KindUser
	ID    string        // at most 128 characters
	Name  string        // for people; default the id
	Email string        // never kept with a task; see [Client.Remember]
	Admin bool          // a fact of this request, never stored (S4.1)
}

// IsZero reports whether nobody is named.
func (p Principal) IsZero() bool { return p.ID == "" }

// DisplayName is the name, or the id if there is none.
func (p Principal) DisplayName() string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// normal fills the default kind.
func (p Principal) normal() Principal {
	if p.Kind == "" && p.ID != "" {
		p.Kind = KindUser
	}
	return p
}

func (p Principal) check(bad *problems) {
	if p.Kind != KindUser && p.Kind != KindGuest {
		bad.add("principal.kind", "is %.30q, must be %q or %q", string(p.Kind), KindUser, KindGuest)
	}
	checkText(bad, "principal.id", p.ID, maxPrincipalID)
	checkText(bad, "principal.name", p.Name, maxName)
}

type principalKey struct{}

// WithPrincipal says on whose behalf the context's calls are made. A principal without an id is nobody.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p.normal())
}

// PrincipalFrom returns who acts. Inside a task it is who submitted it, never as an admin.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p, !p.IsZero()
}

type onlyTypesKey struct{}

// WithOnlyTypes narrows what the context's calls see and may cancel to tasks of some types, for instance for a guest whose
// token is good for a few. Without types it is nothing.
func WithOnlyTypes(ctx context.Context, types ...string) context.Context {
	return context.WithValue(ctx, onlyTypesKey{}, append([]string{}, types...))
}

func onlyTypes(ctx context.Context) []string {
	types, _ := ctx.Value(onlyTypesKey{}).([]string)
	return types
}

// ViewerFrom is what the principal of ctx may see. Go code without one is the host and sees everything.
func ViewerFrom(ctx context.Context) Viewer {
	p, ok := PrincipalFrom(ctx)
	return Viewer{All: !ok || p.Admin, Kind: p.Kind, ID: p.ID, Types: onlyTypes(ctx)}
}

// Remember keeps the names and e-mail addresses of people, so that lists show them where a task was stored with an id alone.
// Call it when somebody has logged in: it writes only what this process has not written within the last hour. Principals
// without a name are ignored.
//
// Errors: a [*ValidationError] for a name or an address of more than 256 characters; the store's.
func (c *Client) Remember(ctx context.Context, p Principal) error {
	p = p.normal()
	if p.IsZero() || p.Name == "" {
		return nil
	}
	var bad problems
	p.check(&bad)
	checkText(&bad, "principal.email", p.Email, maxName)
	if err := bad.err(); err != nil {
		return err
	}
	if !c.people.isNews(p) {
		return nil
	}
	if err := c.store.Remember(ctx, []Principal{p}); err != nil {
		c.people.forget(p)
		return fmt.Errorf("remember principal %s: %w", p.ID, err)
	}
	return nil
}

// people is whom this process has remembered of late.
type people struct {
	mu    sync.Mutex
	known map[Principal]time.Time // when it was written
}

const (
	rememberFor = time.Hour
	maxPeople   = 10_000
)

// isNews reports whether p is to be written, and takes it for written.
func (k *people) isNews(p Principal) bool {
	p.Admin = false
	k.mu.Lock()
	defer k.mu.Unlock()
	if at, ok := k.known[p]; ok && time.Since(at) < rememberFor {
		return false
	}
	if k.known == nil || len(k.known) >= maxPeople {
		k.known = map[Principal]time.Time{}
	}
	k.known[p] = time.Now()
	return true
}

func (k *people) forget(p Principal) {
	p.Admin = false
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, p)
}
