package auth_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/golang-jwt/jwt/v5"
)

var (
	guestKey  = []byte(strings.Repeat("g", 32))
	visitor   = auth.Guest{ID: "visitor", Name: "A visitor", Types: []string{"report.export", "report.mail"}}
	guestHead = map[string]any{"typ": "gtf-guest+jwt"}
)

func TestMintGuest(t *testing.T) {
	t.Parallel()
	a := must[auth.Authenticator](t)(auth.Guests(guestKey))
	t.Run("makes a token that is good for its types, until it expires", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			token := must[string](t)(auth.MintGuest(guestKey, visitor, time.Hour))
			want := &auth.Identity{Principal: gtf.Principal{Kind: gtf.KindGuest, ID: "visitor", Name: "A visitor"}, Read: true,
				Types: []string{"report.export", "report.mail"}, Method: "guest"}
			knows(t, a, bearing(token), want)
			time.Sleep(time.Hour + 29*time.Second) // with the leeway
			knows(t, a, bearing(token), want)
			time.Sleep(time.Second)
			says(t, a, bearing(token), refused)
		})
	})
	t.Run("gives the permission to cancel on request", func(t *testing.T) {
		t.Parallel()
		g := visitor
		g.Write = true
		id, err := a.Authenticate(bearing(must[string](t)(auth.MintGuest(guestKey, g, time.Hour))))
		if err != nil || !id.Write || id.Principal.Admin {
			t.Errorf("got %+v, %v", id, err)
		}
	})
	tests := []struct {
		name  string
		guest auth.Guest
		key   []byte
		time  time.Duration
		says  string
	}{
		{"no id", auth.Guest{Types: []string{"a"}}, guestKey, time.Hour, "id is empty"},
		{"an id that is too long", auth.Guest{ID: strings.Repeat("x", 129), Types: []string{"a"}}, guestKey, time.Hour, "128"},
		{"a name that is too long", auth.Guest{ID: "x", Name: strings.Repeat("x", 257), Types: []string{"a"}}, guestKey, time.Hour, "256"},
		{"no types", auth.Guest{ID: "x"}, guestKey, time.Hour, "types"},
		{"an empty type", auth.Guest{ID: "x", Types: []string{""}}, guestKey, time.Hour, "types"},
		{"no lifetime", visitor, guestKey, 0, "lifetime"},
		{"a negative lifetime", visitor, guestKey, gtf.None, "lifetime"},
		{"a short key", visitor, guestKey[:31], time.Hour, "32"},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := auth.MintGuest(tt.key, tt.guest, tt.time); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("MintGuest returns %v, want an error with %q", err, tt.says)
			}
		})
	}
}

func TestGuests(t *testing.T) {
	t.Parallel()
	a := must[auth.Authenticator](t)(auth.Guests(guestKey))
	claims := func(changes map[string]any) map[string]any {
		c := map[string]any{"aud": "gtf:guest", "sub": "visitor", "types": []string{"a"}, "exp": ago(-time.Hour), "iat": ago(0)}
		for name, v := range changes {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		}
		return c
	}
	tests := []struct {
		name    string
		changes map[string]any
		want    verdict
	}{
		{"knows a token that another program signed", nil, good},
		{"refuses another audience", map[string]any{"aud": "gtf"}, refused},
		{"refuses a token without audience", map[string]any{"aud": nil}, refused},
		{"refuses a token without expiry", map[string]any{"exp": nil}, refused},
		{"refuses a token that is not yet valid", map[string]any{"nbf": ago(-time.Minute)}, refused},
		{"refuses a token without id", map[string]any{"sub": nil}, refused},
		{"refuses types that are no list", map[string]any{"types": "a"}, refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			says(t, a, bearing(sign(t, jwt.SigningMethodHS256, guestKey, guestHead, claims(tt.changes))), tt.want)
		})
	}
	t.Run("takes a token without types for one of no type", func(t *testing.T) {
		t.Parallel()
		id, err := a.Authenticate(bearing(sign(t, jwt.SigningMethodHS256, guestKey, guestHead, claims(map[string]any{"types": nil}))))
		if err != nil || id.Types == nil || len(id.Types) != 0 {
			t.Errorf("got %+v, %v, want an empty list of types", id, err)
		}
	})
	t.Run("refuses what was signed otherwise", func(t *testing.T) {
		t.Parallel()
		for name, token := range map[string]string{
			"another key":          sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("h", 32)), guestHead, claims(nil)),
			"another algorithm":    sign(t, jwt.SigningMethodHS512, guestKey, guestHead, claims(nil)),
			"alg none":             sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, guestHead, claims(nil)),
			"a critical extension": sign(t, jwt.SigningMethodHS256, guestKey, map[string]any{"typ": "gtf-guest+jwt", "crit": []string{"x"}}, claims(nil)),
		} {
			if id, err := a.Authenticate(bearing(token)); verdictOf(id, err) != refused {
				t.Errorf("%s: Authenticate returns %+v, %v, want it refused", name, id, err)
			}
		}
	})
	t.Run("leaves other tokens to others, also JWTs", func(t *testing.T) {
		t.Parallel()
		says(t, a, bearing(sign(t, jwt.SigningMethodHS256, guestKey, nil, claims(nil))), unknown)
		says(t, a, bearing(auth.NewToken()), unknown)
		says(t, a, bearing("a.b.c"), unknown)
		says(t, a, request(), unknown)
	})
	t.Run("refuses a short key", func(t *testing.T) {
		t.Parallel()
		if _, err := auth.Guests(guestKey[:31]); err == nil {
			t.Error("a key of 31 bytes is accepted")
		}
	})
	t.Run("goes together with tokens and JWTs", func(t *testing.T) {
		t.Parallel()
		token := auth.NewToken()
		tokens := must[auth.Authenticator](t)(auth.Tokens([]auth.Token{{ID: "ada", Role: auth.RoleUser, Hash: must[[32]byte](t)(auth.HashToken(token))}}))
		jwts := must[auth.Authenticator](t)(auth.JWT(&auth.JWTConfig{Key: sharedKey}))
		all := auth.Bearer(tokens, jwts, a)
		for want, credential := range map[string]string{
			"token": token, "guest": must[string](t)(auth.MintGuest(guestKey, visitor, time.Hour)),
			"jwt": sign(t, jwt.SigningMethodHS256, sharedKey, nil, about(nil)),
		} {
			id, err := all.Authenticate(bearing(credential))
			if err != nil || id.Method != want {
				t.Errorf("got %+v, %v, want one by %s", id, err, want)
			}
		}
		says(t, all, bearing(sign(t, jwt.SigningMethodHS256, guestKey, nil, about(nil))), refused)
	})
}

func TestGuestIdentity(t *testing.T) {
	t.Parallel()
	t.Run("narrows what the context's calls see", func(t *testing.T) {
		t.Parallel()
		a := must[auth.Authenticator](t)(auth.Guests(guestKey))
		id := must[*auth.Identity](t)(a.Authenticate(bearing(must[string](t)(auth.MintGuest(guestKey, visitor, time.Hour)))))
		v := gtf.ViewerFrom(id.Context(t.Context()))
		if v.All || v.Kind != gtf.KindGuest || v.ID != "visitor" || len(v.Types) != 2 {
			t.Errorf("the viewer is %+v", v)
		}
		if auth.From(id.Context(t.Context())) != id || auth.From(t.Context()) != nil {
			t.Error("From does not find the identity of the context")
		}
	})
}
