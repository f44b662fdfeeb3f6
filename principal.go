package gtf

import "context"

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

// viewerFrom is what the principal of ctx may see. Go code without one is the host and sees everything.
func viewerFrom(ctx context.Context) Viewer {
	p, ok := PrincipalFrom(ctx)
	return Viewer{All: !ok || p.Admin, Kind: p.Kind, ID: p.ID}
}
