package auth_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// keyHost is a host with a JWKS.
type keyHost struct {
	mu     sync.Mutex
	keys   []jose.JSONWebKey
	raw    string // instead of the keys
	status int
	down   bool
	asked  int
}

func (h *keyHost) set(f func(*keyHost)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
}

// RoundTrip answers without a network, so that it works in a bubble.
func (h *keyHost) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if h.down {
		return nil, errors.New("connection refused")
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if h.status != 0 {
		w.WriteHeader(h.status)
	}
	if h.raw != "" {
		_, _ = w.WriteString(h.raw)
	} else {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: h.keys})
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (h *keyHost) authenticator(t *testing.T) auth.Authenticator {
	t.Helper()
	return must[auth.Authenticator](t)(auth.JWT(forUs(auth.JWTConfig{JWKSURL: "https://idp.example.com/keys", Client: &http.Client{Transport: h}})))
}

func public(key crypto.Signer, kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"}
}

func by(t *testing.T, method jwt.SigningMethod, key any, kid string) *http.Request {
	t.Helper()
	headers := map[string]any{}
	if kid != "" {
		headers["kid"] = kid
	}
	return bearing(sign(t, method, key, headers, about(nil)))
}

// withKeys runs a subtest in a bubble with a host that has three keys.
func withKeys(t *testing.T, name string, f func(t *testing.T, h *keyHost, a auth.Authenticator)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		keys := []jose.JSONWebKey{public(rsaKey(), "r"), public(ecKey(), "e"), public(edKey(), "d")}
		otherRSA() // made outside the bubble, like the others
		synctest.Test(t, func(t *testing.T) {
			h := &keyHost{keys: keys}
			f(t, h, h.authenticator(t))
		})
	})
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	withKeys(t, "knows every kind of key, and asks for them once", func(t *testing.T, h *keyHost, a auth.Authenticator) {
		if h.asked != 0 {
			t.Error("the keys are fetched before there is a token")
		}
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), good)
		says(t, a, by(t, jwt.SigningMethodPS512, rsaKey(), "r"), good)
		says(t, a, by(t, jwt.SigningMethodES256, ecKey(), "e"), good)
		says(t, a, by(t, jwt.SigningMethodEdDSA, edKey(), "d"), good)
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), ""), good)
		if h.asked != 1 {
			t.Errorf("the keys were fetched %d times, want once", h.asked)
		}
	})
	withKeys(t, "refuses signatures of other keys", func(t *testing.T, _ *keyHost, a auth.Authenticator) {
		says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), "r"), refused)
		says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), ""), refused)
		says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), "new"), refused)
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "e"), refused)
	})
	withKeys(t, "never takes a public key for a shared one", func(t *testing.T, _ *keyHost, a auth.Authenticator) {
		der := must[[]byte](t)(x509.MarshalPKIXPublicKey(rsaKey().Public()))
		says(t, a, by(t, jwt.SigningMethodHS256, der, "r"), refused)
		says(t, a, by(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "r"), refused)
	})
	withKeys(t, "finds a new key, but does not ask for each that it does not know", func(t *testing.T, h *keyHost, a auth.Authenticator) {
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), good)
		h.keys = append(h.keys, public(otherRSA(), "new"))
		time.Sleep(30 * time.Second)
		says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), "new"), good)
		for range 100 {
			says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), "nonsense"), refused)
		}
		if h.asked != 2 {
			t.Errorf("the keys were fetched %d times, want twice", h.asked)
		}
		time.Sleep(30 * time.Second)
		says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), "nonsense"), refused)
		if h.asked != 3 {
			t.Errorf("the keys were fetched %d times, want three times", h.asked)
		}
	})
	withKeys(t, "forgets a key that was withdrawn, within an hour", func(t *testing.T, h *keyHost, a auth.Authenticator) {
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), good)
		h.keys = []jose.JSONWebKey{}
		time.Sleep(59 * time.Minute)
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), good)
		time.Sleep(time.Minute)
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), refused)
	})
	withKeys(t, "goes on with the keys it has while the host is down", func(t *testing.T, h *keyHost, a auth.Authenticator) {
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), good)
		h.set(func(h *keyHost) { h.down = true })
		time.Sleep(48 * time.Hour)
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), good)
		says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), "new"), broken) // it may be a good one
	})
	withKeys(t, "does not call a token bad before it has any key, and recovers", func(t *testing.T, h *keyHost, a auth.Authenticator) {
		for _, fault := range []func(*keyHost){
			func(h *keyHost) { h.down = true },
			func(h *keyHost) { h.down, h.status = false, http.StatusBadGateway },
			func(h *keyHost) { h.status, h.raw = 0, "<html>" },
			func(h *keyHost) { h.raw = `{"error": "sorry"}` },
		} {
			h.set(fault)
			says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), broken)
			says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), broken)
			time.Sleep(30 * time.Second)
		}
		if h.asked != 4 {
			t.Errorf("the keys were fetched %d times, want once for each pause", h.asked)
		}
		h.set(func(h *keyHost) { h.raw = "" })
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r"), good)
	})
	withKeys(t, "leaves out keys that are not for us", func(t *testing.T, h *keyHost, a auth.Authenticator) {
		secret, _ := json.Marshal(jose.JSONWebKey{Key: sharedKey, KeyID: "s"})
		private, _ := json.Marshal(jose.JSONWebKey{Key: otherRSA(), KeyID: "p"})
		sealing, _ := json.Marshal(jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "enc", Use: "enc"})
		only, _ := json.Marshal(jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "rs512", Algorithm: "RS512"})
		h.raw = `{"keys": [{"kty": "OKP", "crv": "Ed448", "x": "AA", "kid": "x"}, {"kty": "RSA"}, ` +
			strings.Join([]string{string(secret), string(private), string(sealing), string(only)}, ",") + `]}`
		says(t, a, by(t, jwt.SigningMethodHS256, sharedKey, "s"), refused)
		says(t, a, by(t, jwt.SigningMethodRS256, otherRSA(), "p"), refused)
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "enc"), refused)
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "rs512"), refused)
		says(t, a, by(t, jwt.SigningMethodRS512, rsaKey(), "rs512"), good)
	})
	withKeys(t, "are fetched even if who needs them hangs up", func(t *testing.T, _ *keyHost, a auth.Authenticator) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		says(t, a, by(t, jwt.SigningMethodRS256, rsaKey(), "r").WithContext(gone), good)
	})
	t.Run("one request for the keys serves all who wait", func(t *testing.T) {
		t.Parallel()
		h := &keyHost{keys: []jose.JSONWebKey{public(rsaKey(), "r")}}
		a, r := h.authenticator(t), by(t, jwt.SigningMethodRS256, rsaKey(), "r")
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { says(t, a, r, good) })
		}
		wg.Wait()
		if h.asked != 1 {
			t.Errorf("the keys were fetched %d times, want once", h.asked)
		}
	})
}
