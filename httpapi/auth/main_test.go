package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request has headers given as name and value in turn.
func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/api/v1/task/", http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func bearing(token string) *http.Request { return request("Authorization", "Bearer "+token) }

// verdict is what an authenticator may say.
type verdict int

const (
	good    verdict = iota // an identity
	unknown                // none of its credentials
	refused                // ErrCredentials
	broken                 // any other error
)

func (v verdict) String() string { return [...]string{"good", "unknown", "refused", "broken"}[v] }

func verdictOf(id *auth.Identity, err error) verdict {
	switch {
	case id != nil && err == nil:
		return good
	case errors.Is(err, auth.ErrCredentials):
		return refused
	case err != nil:
		return broken
	}
	return unknown
}

// says wants a verdict of an authenticator.
func says(t *testing.T, a auth.Authenticator, r *http.Request, want verdict) {
	t.Helper()
	id, err := a.Authenticate(r)
	if got := verdictOf(id, err); got != want {
		t.Errorf("Authenticate returns %+v, %v, which is %v, want %v", id, err, got, want)
	}
	if err != nil && id != nil {
		t.Errorf("Authenticate returns both %+v and %v", id, err)
	}
}

// knows wants an identity.
func knows(t *testing.T, a auth.Authenticator, r *http.Request, want *auth.Identity) {
	t.Helper()
	got, err := a.Authenticate(r)
	if err != nil {
		t.Fatalf("Authenticate: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Authenticate returns %+v, want %+v", got, want)
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func user(id, name, email string) gtf.Principal {
	return gtf.Principal{Kind: gtf.KindUser, ID: id, Name: name, Email: email}
}

func admin(id, name, email string) gtf.Principal {
	p := user(id, name, email)
	p.Admin = true
	return p
}
