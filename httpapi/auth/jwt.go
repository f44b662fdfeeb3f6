package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// JWTConfig says which JSON Web Tokens are good. Either Key or JWKSURL is needed.
type JWTConfig struct {
	// Algorithms of signatures. Default: HS256, HS384 and HS512 with a Key; RS, PS and ES with 256, 384 and 512, and EdDSA
	// with a JWKSURL. The two groups do not mix: a public key is no secret.
	Algorithms []string
	// Audience must have one of its values in the token. Required with a JWKSURL, whose issuer makes tokens for others, too.
	Audience []string
	Claims   Claims
	// Client fetches the keys. Default: one with a time limit.
	Client *http.Client
	// Issuer must be the token's. Required with a JWKSURL.
	Issuer string
	// JWKSURL has the issuer's public keys. They are fetched when a token needs them, again each hour, and for a key that is
	// not known at most every 30 seconds. While they cannot be fetched, those known stay good.
	JWKSURL string
	// Key is a secret shared with the issuer, of at least 32 bytes.
	Key []byte
	// Leeway for clocks that differ. Default 30 s; negative: none.
	Leeway time.Duration
	Roles  Roles
}

const (
	minKey        = 32 // bytes of a shared secret: as many as SHA-256 has
	defaultLeeway = 30 * time.Second
)

var (
	sharedAlgorithms = []string{"HS256", "HS384", "HS512"}
	publicAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// JWT knows people by JSON Web Tokens that others issue. A token must have an expiry. Bearer tokens that are no JWTs are left
// to others.
func JWT(cfg *JWTConfig) (Authenticator, error) {
	j := &jwts{claims: cfg.Claims, roles: cfg.Roles, key: cfg.Key}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	algorithms, leeway := cfg.Algorithms, cfg.Leeway
	if len(algorithms) == 0 {
		algorithms = cfg.possible()
	}
	if leeway == 0 {
		leeway = defaultLeeway
	}
	if cfg.JWKSURL != "" {
		j.keys = &keySet{url: cfg.JWKSURL, client: clientOr(cfg.Client)}
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(max(0, leeway)),
		jwt.WithJSONNumber(), jwt.WithStrictDecoding(),
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if len(cfg.Audience) > 0 {
		options = append(options, jwt.WithAudience(cfg.Audience...))
	}
	j.parser = jwt.NewParser(options...)
	return j, nil
}

// possible are the algorithms that go with the kind of key.
func (cfg *JWTConfig) possible() []string {
	if cfg.JWKSURL != "" {
		return publicAlgorithms
	}
	return sharedAlgorithms
}

func (cfg *JWTConfig) check() error {
	switch {
	case (cfg.JWKSURL == "") == (len(cfg.Key) == 0):
		return errors.New("a JWT is checked with a shared key or a JWKS URL: give one of them")
	case cfg.JWKSURL == "" && len(cfg.Key) < minKey:
		return fmt.Errorf("the shared key has %d bytes, it needs %d", len(cfg.Key), minKey)
	case cfg.JWKSURL != "" && cfg.Issuer == "":
		return errors.New("a JWKS URL needs the issuer of its tokens")
	case cfg.JWKSURL != "" && len(cfg.Audience) == 0:
		return errors.New("a JWKS URL needs an audience: its issuer makes tokens for others, too")
	}
	for _, name := range cfg.Algorithms {
		if !slices.Contains(cfg.possible(), name) {
			return fmt.Errorf("the algorithm %.20q is not one of %s", name, strings.Join(cfg.possible(), ", "))
		}
	}
	if u, err := url.Parse(cfg.JWKSURL); cfg.JWKSURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("the JWKS URL must be https://HOST/PATH")
	}
	return cfg.Roles.check()
}

// clientOr is an HTTP client that does not wait for ever.
func clientOr(c *http.Client) *http.Client {
	if c != nil {
		return c
	}
	return &http.Client{Timeout: 10 * time.Second}
}

type jwts struct {
	claims Claims
	key    []byte
	keys   *keySet // nil: key
	parser *jwt.Parser
	roles  Roles
}

// Authenticate implements Authenticator.
func (j *jwts) Authenticate(r *http.Request) (*Identity, error) {
	text, err := bearer(r)
	if text == "" || !isJWT(text) {
		return nil, err
	}
	var unreachable error
	token, err := j.parser.Parse(text, func(t *jwt.Token) (any, error) {
		key, err := j.keyOf(r.Context(), t)
		if err != nil && !errors.Is(err, ErrCredentials) {
			unreachable = err
		}
		return key, err
	})
	switch {
	case unreachable != nil:
		return nil, unreachable
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	claims, _ := token.Claims.(jwt.MapClaims) // Parse makes no others
	p, groups, err := j.claims.person(claims)
	if err != nil {
		return nil, err
	}
	return j.roles.of(groups).Identity(p, "jwt"), nil
}

// keyOf finds what the signature is checked with, once the algorithm is known to be allowed.
func (j *jwts) keyOf(ctx context.Context, t *jwt.Token) (any, error) {
	if err := checkHeader(t); err != nil {
		return nil, err
	}
	if typ, _ := t.Header["typ"].(string); strings.EqualFold(typ, guestType) {
		return nil, fmt.Errorf("%w: a guest's token is no user's", ErrCredentials) // even if the two keys are the same
	}
	if j.keys == nil {
		return j.key, nil
	}
	kid, _ := t.Header["kid"].(string)
	keys, err := j.keys.find(ctx, kid, t.Method.Alg())
	if err != nil {
		return nil, err
	}
	set := jwt.VerificationKeySet{}
	for _, key := range keys {
		set.Keys = append(set.Keys, key)
	}
	return set, nil
}

// checkHeader refuses extensions that must be understood, as RFC 7515 has it. We understand none.
func checkHeader(t *jwt.Token) error {
	if _, there := t.Header["crit"]; there {
		return fmt.Errorf("%w: the token needs an extension", ErrCredentials)
	}
	return nil
}

// isJWT tells a signed JSON Web Token from other bearer tokens.
func isJWT(text string) bool {
	head, _, _ := strings.Cut(text, ".")
	if strings.Count(text, ".") != 2 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	return json.Unmarshal(raw, &header) == nil && header.Algorithm != ""
}
