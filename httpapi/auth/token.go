package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/http"
	"net/url"
	"strings"
)

// Token is whom a static bearer token stands for, and the hash by which it is known. The hash is SHA-256 without salt or
// stretching: those protect what people choose, and a token is 256 random bits, which nobody can guess.
type Token struct {
	ID    string
	Name  string // default the id
	Email string
	Role  Role
	Hash  [sha256.Size]byte
}

// TokenPrefix begins every static token, so that people and scanners for secrets know one when they see it.
const TokenPrefix = "gtf_"

const (
	tokenBytes  = 32
	tokenDigits = 43 // of 32 bytes, to the base 62
	sumDigits   = 6  // of a CRC-32
)

// NewToken makes a token: the prefix, 256 random bits, and a checksum that tells a mistyped token from a wrong one.
func NewToken() string {
	var secret [tokenBytes]byte
	_, _ = rand.Read(secret[:]) // never fails
	body := base62(new(big.Int).SetBytes(secret[:]), tokenDigits)
	return TokenPrefix + body + checksum(body)
}

func checksum(body string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), sumDigits)
}

func base62(n *big.Int, digits int) string {
	text := n.Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

// HashToken is what the configuration holds of a token. What begins like one of ours must be spelt right; any other text
// needs 32 characters and is taken for random.
func HashToken(token string) ([sha256.Size]byte, error) {
	body, ours := strings.CutPrefix(token, TokenPrefix)
	switch {
	case ours && !wellSpelt(body):
		return [sha256.Size]byte{}, errors.New("the token is incomplete or misspelt: its checksum is wrong")
	case len(token) < tokenBytes:
		return [sha256.Size]byte{}, fmt.Errorf("a token of %d characters can be guessed, it needs %d", len(token), tokenBytes)
	case strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }):
		return [sha256.Size]byte{}, errors.New("the token has characters that do not fit into a header")
	}
	return sha256.Sum256([]byte(token)), nil
}

func wellSpelt(body string) bool {
	at := len(body) - sumDigits
	return at == tokenDigits && checksum(body[:at]) == body[at:]
}

// String is the token's entry in a list, as [ParseTokens] reads it: id:role:sha256, then name and email if there are any. In
// each part, a colon, a comma, white space and % are written as in URLs: Ada%20Lovelace.
func (t Token) String() string {
	parts := []string{escape(t.ID), string(t.Role), hex.EncodeToString(t.Hash[:])}
	if t.Name != "" || t.Email != "" {
		parts = append(parts, escape(t.Name))
	}
	if t.Email != "" {
		parts = append(parts, escape(t.Email))
	}
	return strings.Join(parts, ":")
}

func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// ParseTokens reads a list of entries with commas or white space between them. Errors never show a hash: what stands in its
// place may be the token.
func ParseTokens(text string) ([]Token, error) {
	var tokens []Token
	for n, entry := range entries(text) {
		t, err := parseToken(entry)
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", n+1, err)
		}
		tokens = append(tokens, t)
	}
	return tokens, checkTokens(tokens)
}

func entries(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) })
}

func parseToken(entry string) (Token, error) {
	parts := strings.Split(entry, ":")
	if len(parts) < 3 || len(parts) > 5 {
		return Token{}, fmt.Errorf("it has %d parts, write ID:ROLE:SHA256, then NAME and EMAIL if there are any", len(parts))
	}
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return Token{}, fmt.Errorf("its part %d has a %% that no two hexadecimal digits follow", i+1)
		}
		parts[i] = plain
	}
	parts = append(parts, "", "")
	t := Token{ID: parts[0], Role: Role(parts[1]), Name: parts[3], Email: parts[4]}
	if n, err := hex.Decode(t.Hash[:], []byte(parts[2][:min(len(parts[2]), 2*sha256.Size)])); err != nil || n != sha256.Size || len(parts[2]) != 2*sha256.Size {
		return Token{}, fmt.Errorf("what should be the SHA-256 of %q is not %d hexadecimal digits", t.ID, 2*sha256.Size)
	}
	return t, nil
}

func checkTokens(tokens []Token) error {
	seen := map[[sha256.Size]byte]string{}
	for n, t := range tokens {
		if err := checkID(t.ID); err != nil {
			return fmt.Errorf("token %d: %w", n+1, err)
		}
		if _, err := ParseRole(string(t.Role)); err != nil {
			return fmt.Errorf("token of %q: %w", t.ID, err)
		}
		if t.Name != fit(t.Name) || t.Email != fit(t.Email) {
			return fmt.Errorf("token of %q: its name or email is no text of at most %d characters", t.ID, maxName)
		}
		if other, twice := seen[t.Hash]; twice {
			return fmt.Errorf("%q and %q have the same token", other, t.ID)
		}
		seen[t.Hash] = t.ID
	}
	return nil
}

// Tokens knows static bearer tokens by their hashes. One that is in no list is left to others, unless it begins with
// [TokenPrefix].
func Tokens(list []Token) (Authenticator, error) {
	if err := checkTokens(list); err != nil {
		return nil, err
	}
	return tokens(append([]Token{}, list...)), nil
}

type tokens []Token

// Authenticate implements Authenticator.
func (list tokens) Authenticate(r *http.Request) (*Identity, error) {
	token, err := bearer(r)
	if token == "" {
		return nil, err
	}
	hash := sha256.Sum256([]byte(token))
	found := -1
	for i := range list { // to the end, so that the time tells neither place nor prefix
		if subtle.ConstantTimeCompare(hash[:], list[i].Hash[:]) == 1 {
			found = i
		}
	}
	switch {
	case found >= 0:
		p, err := person(list[found].ID, list[found].Name, list[found].Email)
		return list[found].Role.Identity(p, "token"), err
	case strings.HasPrefix(token, TokenPrefix):
		return nil, fmt.Errorf("%w: the token is not known", ErrCredentials)
	}
	return nil, nil
}
