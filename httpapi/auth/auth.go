// Package auth finds out who sends a request.
//
// An [Authenticator] reads one kind of credentials. [First] asks several in turn. What comes out is an [Identity]: a principal,
// what it may do, and for guests which types of tasks it may see.
package auth

import (
	"context"
	"errors"
	"net/http"

	"github.com/globaltask/gtf"
)

// Authenticator finds out who sends a request. Its method is called by many goroutines at once and must not keep the request.
type Authenticator interface {
	// Authenticate returns who asks; nil and no error if the request carries none of the credentials it knows, so that
	// another may be asked; an error that matches [ErrCredentials] for credentials that are not good; any other error if it
	// could not be found out.
	Authenticate(r *http.Request) (*Identity, error)
}

// ErrCredentials says that credentials are wrong, expired, or not meant for us.
var ErrCredentials = errors.New("the credentials are not valid")

// Identity is who asks, and what it may do.
type Identity struct {
	Principal gtf.Principal
	Read      bool // permission for every GET
	Write     bool // permission to cancel
	// Types are all that a guest's token is good for. Default nil: every type.
	Types []string
	// Method says how it was found out, for the access log: "token", "jwt", "guest", "session", "proxy", "demo".
	Method string

	renewed *http.Cookie // of a session that goes on
}

// Renew sets the cookie of a session that goes on. Call it before the answer's header is written; it does nothing for other
// credentials, and not at every request.
func (i *Identity) Renew(w http.ResponseWriter) {
	if i != nil && i.renewed != nil {
		http.SetCookie(w, i.renewed)
	}
}

// Context puts the identity into a context, for the calls of [gtf.Client].
func (i *Identity) Context(ctx context.Context) context.Context {
	ctx = context.WithValue(gtf.WithPrincipal(ctx, i.Principal), identityKey{}, i)
	if i.Types != nil {
		ctx = gtf.WithOnlyTypes(ctx, i.Types...)
	}
	return ctx
}

type identityKey struct{}

// From is the identity of a context; nil if it has none.
func From(ctx context.Context) *Identity {
	i, _ := ctx.Value(identityKey{}).(*Identity)
	return i
}

// First asks each authenticator in turn, and takes the first that knows the request's credentials or finds them bad.
func First(each ...Authenticator) Authenticator { return first(each) }

type first []Authenticator

// Authenticate implements Authenticator.
func (f first) Authenticate(r *http.Request) (*Identity, error) {
	for _, a := range f {
		if id, err := a.Authenticate(r); id != nil || err != nil {
			return id, err
		}
	}
	return nil, nil
}
