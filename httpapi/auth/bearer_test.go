package auth_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/globaltask/gtf/httpapi/auth"
)

// fixed says the same to everybody.
type fixed struct {
	id  *auth.Identity
	err error
}

func (f fixed) Authenticate(*http.Request) (*auth.Identity, error) { return f.id, f.err }

func TestBearer(t *testing.T) {
	t.Parallel()
	var (
		yes  = fixed{id: auth.RoleUser.Identity(user("ada", "", ""), "test")}
		no   = fixed{err: auth.ErrCredentials}
		what = fixed{}
		oops = fixed{err: errors.New("the keys cannot be fetched")}
	)
	tests := []struct {
		name string
		asks []auth.Authenticator
		want verdict
	}{
		{"takes the first that knows the token", []auth.Authenticator{what, yes}, good},
		{"takes a good one whatever another says", []auth.Authenticator{no, oops, yes}, good},
		{"refuses what one refuses", []auth.Authenticator{what, no, what}, refused},
		{"does not call a token bad that could not be checked", []auth.Authenticator{oops, no}, broken},
		{"refuses what nobody knows", []auth.Authenticator{what}, refused},
		{"refuses everything if there is nobody", nil, refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			says(t, auth.Bearer(tt.asks...), bearing("x"), tt.want)
		})
	}

	headers := []struct {
		name string
		r    *http.Request
		want verdict
	}{
		{"leaves a request without the header to others", request(), unknown},
		{"leaves other schemes to others", request("Authorization", "Basic YWRhOngK"), unknown},
		{"reads the scheme in any case", request("Authorization", "bearer x"), good},
		{"refuses a header without a token", request("Authorization", "Bearer "), refused},
		{"refuses the scheme alone", request("Authorization", "Bearer"), refused},
		{"refuses two tokens", request("Authorization", "Bearer x y"), refused},
		{"refuses two headers", request("Authorization", "Bearer x", "Authorization", "Bearer y"), refused},
		{"refuses a token that is no ASCII", request("Authorization", "Bearer ä"), refused},
	}
	for _, tt := range headers {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			says(t, auth.Bearer(yes), tt.r, tt.want)
		})
	}

	t.Run("a bad token never gets the rights of a cookie", func(t *testing.T) {
		t.Parallel()
		both := auth.First(auth.Bearer(what), yes)
		says(t, both, bearing("x"), refused)
		says(t, both, request(), good)
	})
}

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"", "Bearer x", "bearer  x ", "Bearer a b", "Basic x", "Bearer \x00", "Bearer " + auth.NewToken()} {
		f.Add(seed)
	}
	key := make([]byte, 32)
	jwt := must[auth.Authenticator](f)(auth.JWT(&auth.JWTConfig{Key: key}))
	guests := must[auth.Authenticator](f)(auth.Guests(key))
	tokens := must[auth.Authenticator](f)(auth.Tokens(nil))
	f.Fuzz(func(t *testing.T, header string) {
		id, err := auth.Bearer(tokens, jwt, guests).Authenticate(request("Authorization", header))
		if v := verdictOf(id, err); v != refused && v != unknown {
			t.Errorf("Authenticate returns %+v, %v for %q", id, err, header)
		}
	})
}
