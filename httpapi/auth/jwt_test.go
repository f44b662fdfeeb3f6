package auth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/golang-jwt/jwt/v5"
)

var (
	sharedKey = []byte("a shared key of more than thirty-two bytes, for HS512 even sixty-four")
	rsaKey    = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	otherRSA  = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	ecKey     = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
	edKey     = sync.OnceValue(func() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k })
)

// sign makes a token. Headers are added to the usual ones.
func sign(t *testing.T, method jwt.SigningMethod, key any, headers, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	maps.Copy(token.Header, headers)
	return must[string](t)(token.SignedString(key))
}

// about are claims of ada for us, with changes; nil removes one.
func about(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": "https://idp.example.com", "aud": "gtf", "sub": "ada", "name": "Ada Lovelace", "email": "ada@example.com",
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
	}
	for name, v := range changes {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	return claims
}

func forUs(cfg auth.JWTConfig) *auth.JWTConfig {
	cfg.Issuer, cfg.Audience = "https://idp.example.com", []string{"gtf", "gtf-test"}
	return &cfg
}

func TestJWT(t *testing.T) {
	t.Parallel()
	a := must[auth.Authenticator](t)(auth.JWT(forUs(auth.JWTConfig{Key: sharedKey})))
	hs := func(t *testing.T, claims map[string]any) string {
		return sign(t, jwt.SigningMethodHS256, sharedKey, nil, claims)
	}

	t.Run("knows who a token is about", func(t *testing.T) {
		t.Parallel()
		for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
			knows(t, a, bearing(sign(t, method, sharedKey, nil, about(nil))),
				&auth.Identity{Principal: user("ada", "Ada Lovelace", "ada@example.com"), Read: true, Write: true, Method: "jwt"})
		}
	})

	tests := []struct {
		name    string
		changes map[string]any
		want    verdict
	}{
		{"takes one of several audiences", map[string]any{"aud": []string{"other", "gtf-test"}}, good},
		{"takes a number for an id", map[string]any{"sub": 7}, good},
		{"refuses another audience", map[string]any{"aud": "other"}, refused},
		{"refuses a token without audience", map[string]any{"aud": nil}, refused},
		{"refuses another issuer", map[string]any{"iss": "https://idp.example.com/"}, refused},
		{"refuses a token without issuer", map[string]any{"iss": nil}, refused},
		{"refuses a token without expiry", map[string]any{"exp": nil}, refused},
		{"refuses an expiry that is no number", map[string]any{"exp": "tomorrow"}, refused},
		{"refuses a token without id", map[string]any{"sub": nil}, refused},
		{"refuses an empty id", map[string]any{"sub": ""}, refused},
		{"refuses an id that is a list", map[string]any{"sub": []string{"ada"}}, refused},
		{"refuses an id that is too long", map[string]any{"sub": strings.Repeat("x", 129)}, refused},
		{"refuses an id that is no text", map[string]any{"sub": "a\x00da"}, refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			says(t, a, bearing(hs(t, about(tt.changes))), tt.want)
		})
	}

	times := []struct {
		name    string
		changes func() map[string]any
		want    verdict
	}{
		{"forgives a clock that is a little ahead", func() map[string]any { return map[string]any{"exp": ago(29 * time.Second)} }, good},
		{"refuses an expired token", func() map[string]any { return map[string]any{"exp": ago(30 * time.Second)} }, refused},
		{"forgives a clock that is a little behind", func() map[string]any { return map[string]any{"nbf": ago(-30 * time.Second)} }, good},
		{"refuses a token that is not yet valid", func() map[string]any { return map[string]any{"nbf": ago(-31 * time.Second)} }, refused},
		{"refuses a token of the future", func() map[string]any { return map[string]any{"iat": ago(-31 * time.Second)} }, refused},
	}
	for _, tt := range times {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { says(t, a, bearing(hs(t, about(tt.changes()))), tt.want) })
		})
	}
	t.Run("has as much leeway as it is given", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			old := hs(t, about(map[string]any{"exp": ago(time.Second)}))
			for leeway, want := range map[time.Duration]verdict{-1: refused, 0: good, time.Millisecond: refused, time.Minute: good} {
				says(t, must[auth.Authenticator](t)(auth.JWT(forUs(auth.JWTConfig{Key: sharedKey, Leeway: leeway}))), bearing(old), want)
			}
		})
	})

	t.Run("refuses what was signed or written otherwise", func(t *testing.T) {
		t.Parallel()
		ok := hs(t, about(nil))
		parts := strings.Split(ok, ".")
		forged := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://idp.example.com","aud":"gtf","sub":"root","exp":99999999999}`))
		for name, token := range map[string]string{
			"another key":          sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("y", 32)), nil, about(nil)),
			"other claims":         parts[0] + "." + forged + "." + parts[2],
			"no signature":         parts[0] + "." + parts[1] + ".",
			"a shorter signature":  ok[:len(ok)-4],
			"alg none":             sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, about(nil)),
			"alg None":             header(`{"alg":"None"}`) + "." + forged + ".",
			"a public key's":       sign(t, jwt.SigningMethodRS256, rsaKey(), nil, about(nil)),
			"an algorithm unknown": header(`{"alg":"XX1"}`) + "." + forged + "." + parts[2],
			"a critical extension": sign(t, jwt.SigningMethodHS256, sharedKey, map[string]any{"crit": []string{"x"}, "x": 1}, about(nil)),
			"claims that are none": header(`{"alg":"HS256"}`) + ".e30x." + parts[2],
		} {
			id, err := a.Authenticate(bearing(token))
			if v := verdictOf(id, err); v != refused {
				t.Errorf("%s: Authenticate returns %+v, %v, want it refused", name, id, err)
			}
		}
	})

	t.Run("leaves other bearer tokens to others", func(t *testing.T) {
		t.Parallel()
		for _, token := range []string{auth.NewToken(), "opaque", "a.b", "a.b.c", "....", header(`{"typ":"JWT"}`) + ".e30.", header(`[]`) + ".e30.x"} {
			says(t, a, bearing(token), unknown)
		}
		says(t, a, request(), unknown)
	})

	t.Run("counts only the algorithms it is given", func(t *testing.T) {
		t.Parallel()
		a := must[auth.Authenticator](t)(auth.JWT(forUs(auth.JWTConfig{Key: sharedKey, Algorithms: []string{"HS512"}})))
		says(t, a, bearing(hs(t, about(nil))), refused)
		says(t, a, bearing(sign(t, jwt.SigningMethodHS512, sharedKey, nil, about(nil))), good)
	})

	t.Run("never takes a guest for a user, not even with the same key", func(t *testing.T) {
		t.Parallel()
		a := must[auth.Authenticator](t)(auth.JWT(&auth.JWTConfig{Key: sharedKey}))
		guest := must[string](t)(auth.MintGuest(sharedKey, auth.Guest{ID: "ada", Types: []string{"a"}}, time.Hour))
		says(t, a, bearing(guest), refused)
	})
}

func ago(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

func header(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestJWTClaims(t *testing.T) {
	t.Parallel()
	roles := auth.Roles{Admin: []string{"ops", "true"}, Viewer: []string{"audit"}, Default: auth.RoleNone}
	tests := []struct {
		name   string
		claims auth.Claims
		has    map[string]any
		want   *auth.Identity
	}{
		{"takes other claims", auth.Claims{ID: "oid", Name: "full", Email: "mail"},
			map[string]any{"oid": "a-1", "full": "Ada", "mail": "a@example.com"}, auth.RoleNone.Identity(user("a-1", "Ada", "a@example.com"), "jwt")},
		{"takes the preferred user name where there is no name", auth.Claims{},
			map[string]any{"name": nil, "preferred_username": "al"}, auth.RoleNone.Identity(user("ada", "al", "ada@example.com"), "jwt")},
		{"finds a list within objects", auth.Claims{Roles: "realm_access.roles"},
			map[string]any{"realm_access": map[string]any{"roles": []any{"x", 7, "ops"}}}, auth.RoleAdmin.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"finds a claim with dots in its name", auth.Claims{Roles: "https://example.com/roles"},
			map[string]any{"https://example.com/roles": "audit"}, auth.RoleViewer.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"takes true for an admin", auth.Claims{Roles: "is_admin"},
			map[string]any{"is_admin": true}, auth.RoleAdmin.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"does not take false for one", auth.Claims{Roles: "is_admin"},
			map[string]any{"is_admin": false}, auth.RoleNone.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"compares a text as a whole", auth.Claims{Roles: "groups"},
			map[string]any{"groups": "not ops"}, auth.RoleNone.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"gives the highest of several roles", auth.Claims{Roles: "groups"},
			map[string]any{"groups": []string{"audit", "ops"}}, auth.RoleAdmin.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"gives a role by its own name", auth.Claims{Roles: "groups"},
			map[string]any{"groups": []string{"user"}}, auth.RoleUser.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"does not give a role by its own name once others are named", auth.Claims{Roles: "groups"},
			map[string]any{"groups": []string{"admin"}}, auth.RoleNone.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "jwt")},
		{"makes a name fit", auth.Claims{},
			map[string]any{"name": " A\x00\n" + strings.Repeat("ü", 300)}, auth.RoleNone.Identity(user("ada", "A"+strings.Repeat("ü", 254), "ada@example.com"), "jwt")},
		{"does without name and email", auth.Claims{},
			map[string]any{"name": nil, "email": 7}, auth.RoleNone.Identity(user("ada", "", ""), "jwt")},
		{"identifies by a verified address", auth.Claims{ID: "email"},
			map[string]any{"email_verified": true}, auth.RoleNone.Identity(user("ada@example.com", "Ada Lovelace", "ada@example.com"), "jwt")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := must[auth.Authenticator](t)(auth.JWT(forUs(auth.JWTConfig{Key: sharedKey, Claims: tt.claims, Roles: roles})))
			knows(t, a, bearing(sign(t, jwt.SigningMethodHS256, sharedKey, nil, about(tt.has))), tt.want)
		})
	}
	t.Run("does not identify by an address that nobody verified", func(t *testing.T) {
		t.Parallel()
		a := must[auth.Authenticator](t)(auth.JWT(forUs(auth.JWTConfig{Key: sharedKey, Claims: auth.Claims{ID: "email"}})))
		for _, verified := range []any{false, "false", 0} {
			says(t, a, bearing(sign(t, jwt.SigningMethodHS256, sharedKey, nil, about(map[string]any{"email_verified": verified}))), refused)
		}
	})
}

func TestJWTConfig(t *testing.T) {
	t.Parallel()
	url := "https://idp.example.com/keys"
	tests := []struct {
		name string
		cfg  auth.JWTConfig
		says string
	}{
		{"neither key nor URL", auth.JWTConfig{}, "one of them"},
		{"both", auth.JWTConfig{Key: sharedKey, JWKSURL: url}, "one of them"},
		{"a short key", auth.JWTConfig{Key: sharedKey[:31]}, "32"},
		{"a URL without issuer", auth.JWTConfig{JWKSURL: url, Audience: []string{"gtf"}}, "issuer"},
		{"a URL without audience", auth.JWTConfig{JWKSURL: url, Issuer: "x"}, "audience"},
		{"a URL that is none", *forUs(auth.JWTConfig{JWKSURL: "idp.example.com/keys"}), "https://"},
		{"a URL of a file", *forUs(auth.JWTConfig{JWKSURL: "file:///etc/passwd"}), "https://"},
		{"the algorithm none", auth.JWTConfig{Key: sharedKey, Algorithms: []string{"none"}}, `"none"`},
		{"a public algorithm for a shared key", auth.JWTConfig{Key: sharedKey, Algorithms: []string{"RS256"}}, `"RS256"`},
		{"a shared algorithm for public keys", *forUs(auth.JWTConfig{JWKSURL: url, Algorithms: []string{"RS256", "HS256"}}), `"HS256"`},
		{"a default role that is none", auth.JWTConfig{Key: sharedKey, Roles: auth.Roles{Default: "root"}}, `"root"`},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := auth.JWT(&tt.cfg); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("JWT returns %v, want an error with %q", err, tt.says)
			}
		})
	}
}
