package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Bearer asks each of those that read bearer tokens. The first to find a good one is right, whatever the others say of it,
// so that tokens of several kinds and issuers go together. A token that none of them knows is [ErrCredentials]: whoever sends
// one never gets the rights of a cookie or a proxy's header instead.
func Bearer(each ...Authenticator) Authenticator { return bearers(each) }

type bearers []Authenticator

// Authenticate implements Authenticator.
func (b bearers) Authenticate(r *http.Request) (*Identity, error) {
	token, err := bearer(r)
	if token == "" {
		return nil, err
	}
	var refused, broken error
	for _, a := range b {
		switch id, err := a.Authenticate(r); {
		case id != nil:
			return id, nil
		case errors.Is(err, ErrCredentials):
			refused = err
		case err != nil:
			broken = err
		}
	}
	switch {
	case broken != nil: // it might have been a good one
		return nil, broken
	case refused != nil:
		return nil, refused
	}
	return nil, fmt.Errorf("%w: the bearer token is of no known kind", ErrCredentials)
}

// bearer is the token of the Authorization header; empty if there is none or it has another scheme.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	switch {
	case len(values) > 1:
		return "", fmt.Errorf("%w: there are %d Authorization headers", ErrCredentials, len(values))
	case !strings.EqualFold(scheme, "Bearer"):
		return "", nil
	}
	token = strings.Trim(token, " ")
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", fmt.Errorf("%w: the Authorization header has no token", ErrCredentials)
	}
	return token, nil
}
