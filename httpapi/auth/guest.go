package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/golang-jwt/jwt/v5"
)

// Guest is somebody without an account who gets to see tasks: exactly those that a guest of this id subscribes to (S10.1).
// Submit a task with their [Guest.Principal] in the context and send them a token of [MintGuest].
type Guest struct {
	ID    string
	Name  string   // default the id
	Types []string // the types of tasks the token is good for; at least one
	Write bool     // may cancel. Default false: sees only
}

// Principal is the guest as one who acts.
func (g Guest) Principal() gtf.Principal {
	return gtf.Principal{Kind: gtf.KindGuest, ID: g.ID, Name: g.Name}
}

const (
	guestType     = "gtf-guest+jwt" // says in the token's header what it is, so that no other JWT is taken for one
	guestAudience = "gtf:guest"
)

type guestClaims struct {
	jwt.RegisteredClaims

	Name  string   `json:"name,omitempty"`
	Types []string `json:"types"`
	Write bool     `json:"write,omitempty"`
}

// MintGuest makes a token for a guest, good for a time: a JSON Web Token signed with HMAC-SHA256. The key has at least 32 bytes
// and is the server's auth.guest.key. A token cannot be taken back: give it the time of the visit, or change the key.
func MintGuest(key []byte, g Guest, lifetime time.Duration) (string, error) {
	if err := checkGuest(g, lifetime); err != nil {
		return "", err
	}
	if err := checkGuestKey(key); err != nil {
		return "", err
	}
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, &guestClaims{
		Name: g.Name, Types: g.Types, Write: g.Write,
		RegisteredClaims: jwt.RegisteredClaims{
			Audience: jwt.ClaimStrings{guestAudience}, Subject: g.ID,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
		},
	})
	t.Header["typ"] = guestType
	text, err := t.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign the token of guest %s: %w", g.ID, err)
	}
	return text, nil
}

func checkGuest(g Guest, lifetime time.Duration) error {
	if err := checkID(g.ID); err != nil {
		return err
	}
	switch {
	case g.Name != fit(g.Name):
		return fmt.Errorf("the guest's name is no text of at most %d characters", maxName)
	case len(g.Types) == 0 || slices.Contains(g.Types, ""):
		return errors.New("a guest's token needs the types of tasks it is good for")
	case lifetime < time.Second:
		return fmt.Errorf("a guest's token needs a lifetime, not %v", lifetime)
	}
	return nil
}

func checkGuestKey(key []byte) error {
	if len(key) < minKey {
		return fmt.Errorf("the key for guests has %d bytes, it needs %d", len(key), minKey)
	}
	return nil
}

// Guests knows guests by the tokens of [MintGuest]. Other bearer tokens are left to others.
func Guests(key []byte) (Authenticator, error) {
	if err := checkGuestKey(key); err != nil {
		return nil, err
	}
	return &guests{key: key, parser: jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience(guestAudience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(defaultLeeway), jwt.WithStrictDecoding())}, nil
}

type guests struct {
	key    []byte
	parser *jwt.Parser
}

// Authenticate implements Authenticator.
func (g *guests) Authenticate(r *http.Request) (*Identity, error) {
	text, err := bearer(r)
	if text == "" || !isGuest(text) {
		return nil, err
	}
	claims := &guestClaims{}
	_, err = g.parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) { return g.key, checkHeader(t) })
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	if err := checkID(claims.Subject); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	guest := Guest{ID: claims.Subject, Name: fit(claims.Name)}
	return &Identity{
		Principal: guest.Principal(), Read: true, Write: claims.Write, Method: "guest",
		Types: append([]string{}, claims.Types...), // none is no type, never every type
	}, nil
}

func isGuest(text string) bool {
	if !isJWT(text) {
		return false
	}
	t, _, err := jwt.NewParser().ParseUnverified(text, jwt.MapClaims{})
	if err != nil {
		return false
	}
	typ, _ := t.Header["typ"].(string)
	return strings.EqualFold(typ, guestType)
}
