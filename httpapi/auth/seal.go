package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// sealer makes texts for cookies that nobody else can read, make or change.
type sealer struct{ aead cipher.AEAD }

// newSealer takes a secret of at least 32 bytes; none is a random one, good until the process ends.
func newSealer(secret []byte) (*sealer, error) {
	switch {
	case len(secret) == 0:
		secret = make([]byte, minKey)
		_, _ = rand.Read(secret) // never fails
	case len(secret) < minKey:
		return nil, fmt.Errorf("the key for sessions has %d bytes, it needs %d", len(secret), minKey)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "gtf session cookies", minKey)
	if err != nil {
		return nil, fmt.Errorf("derive the key for sessions: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive the key for sessions: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("derive the key for sessions: %w", err)
	}
	return &sealer{aead}, nil
}

// seal closes v under a name: it can be opened under no other.
func (s *sealer) seal(name string, v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("seal cookie %s: %w", name, err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, raw, []byte(name))), nil
}

var errSeal = errors.New("the cookie was not made by this server, or changed")

func (s *sealer) open(name, text string, v any) error {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errSeal
	}
	raw, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return errSeal
	}
	return json.Unmarshal(raw, v)
}
