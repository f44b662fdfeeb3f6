package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysStaleAfter = time.Hour        // a key that its owner withdrew is good for so long at most
	keysPause      = 30 * time.Second // between two requests for the keys, whatever tokens name
	keysTimeout    = 5 * time.Second
	maxKeys        = 1 << 20 // bytes
)

// keySet is what a JWKS URL has, fetched when it is needed and kept while the host cannot be reached.
type keySet struct {
	url    string
	client *http.Client

	kept     atomic.Pointer[keptKeys]
	fetching sync.Mutex
	tried    time.Time // guarded by fetching
	failed   error     // of the last try; guarded by fetching
}

type keptKeys struct {
	keys []jose.JSONWebKey
	at   time.Time
}

// find returns the public keys a token may be signed with. An error that matches ErrCredentials says that there is none.
func (s *keySet) find(ctx context.Context, kid, alg string) ([]any, error) {
	kept := s.kept.Load()
	found := kept.named(kid, alg)
	if len(found) > 0 && time.Since(kept.at) < keysStaleAfter {
		return found, nil
	}
	switch {
	case len(found) == 0:
		s.fetching.Lock() // the key may just be on its way
	case !s.fetching.TryLock():
		return found, nil
	}
	defer s.fetching.Unlock()
	if s.tried.IsZero() || time.Since(s.tried) >= keysPause {
		s.tried = time.Now()
		s.failed = s.fetch(ctx)
	}
	if now := s.kept.Load().named(kid, alg); len(now) > 0 {
		return now, nil
	}
	if s.failed != nil {
		return nil, fmt.Errorf("fetch the keys of %s: %w", s.url, s.failed)
	}
	return nil, fmt.Errorf("%w: the token's key %.40q is not among the issuer's", ErrCredentials, kid)
}

// named are the keys of a name; all that fit the algorithm if a token names none.
func (k *keptKeys) named(kid, alg string) []any {
	if k == nil {
		return nil
	}
	var found []any
	for i := range k.keys {
		key := &k.keys[i]
		if (kid == "" || key.KeyID == kid) && (key.Algorithm == "" || key.Algorithm == alg) {
			found = append(found, key.Key)
		}
	}
	return found
}

// fetch replaces the keys. It does not end with the request that caused it: others wait for the same, and somebody who
// hangs up must not use up the one try.
func (s *keySet) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys))
	if err != nil {
		return err
	}
	keys, err := parseKeys(raw)
	if err != nil {
		return err
	}
	s.kept.Store(&keptKeys{keys: keys, at: time.Now()})
	return nil
}

// parseKeys takes the public keys for signatures. Keys of kinds that are not known are left out, as RFC 7517 has it.
func parseKeys(raw []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("the answer is no key set: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("the answer is no key set")
	}
	keys := []jose.JSONWebKey{}
	for _, each := range set.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(each, &key); err == nil && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
