package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/globaltask/gtf"
)

// Claims name the parts of a token that say who somebody is. A dot leads into an object: realm_access.roles.
type Claims struct {
	ID    string // default "sub"
	Name  string // default "name", or "preferred_username" if there is none
	Email string // default "email"
	// Roles is compared with [Roles]: a list, a text, or true and false. Default none: everybody has the default role.
	Roles string
}

// person reads who a token is about.
func (c Claims) person(claims map[string]any) (p gtf.Principal, groups []string, err error) {
	byID := firstOf(c.ID, "sub")
	id, _ := claim(claims, byID)
	if number, ok := id.(json.Number); ok {
		id = number.String()
	}
	text, ok := id.(string)
	if !ok {
		return p, nil, fmt.Errorf("%w: the token has no text as its claim %q", ErrCredentials, byID)
	}
	if verified, there := claims["email_verified"]; byID == "email" && there && fmt.Sprint(verified) != "true" {
		return p, nil, fmt.Errorf("%w: the e-mail address, which identifies, is not verified", ErrCredentials)
	}
	names := []string{c.Name}
	if c.Name == "" {
		names = []string{"name", "preferred_username"}
	}
	p, err = person(text, claimText(claims, names...), claimText(claims, firstOf(c.Email, "email")))
	if err != nil {
		return p, nil, err
	}
	if c.Roles == "" {
		return p, nil, nil
	}
	v, _ := claim(claims, c.Roles)
	return p, groupsOf(v), nil
}

// claim finds a value. A name that holds dots itself, like a URL, is tried first.
func claim(claims map[string]any, name string) (any, bool) {
	if v, ok := claims[name]; ok {
		return v, true
	}
	outer, inner, dotted := strings.Cut(name, ".")
	object, ok := claims[outer].(map[string]any)
	if !dotted || !ok {
		return nil, false
	}
	return claim(object, inner)
}

// claimText is the first of several claims that is a text.
func claimText(claims map[string]any, names ...string) string {
	for _, name := range names {
		v, _ := claim(claims, name)
		if text, ok := v.(string); ok && text != "" {
			return text
		}
	}
	return ""
}

func groupsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{fmt.Sprint(v)}
	case []any:
		var groups []string
		for _, each := range v {
			if text, ok := each.(string); ok {
				groups = append(groups, text)
			}
		}
		return groups
	}
	return nil
}

const (
	maxID   = 128
	maxName = 256
)

// person is a user that others vouch for. An id is taken as it is or not at all; a name is made to fit.
func person(id, name, email string) (gtf.Principal, error) {
	if err := checkID(id); err != nil {
		return gtf.Principal{}, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	return gtf.Principal{Kind: gtf.KindUser, ID: id, Name: fit(name), Email: fit(email)}, nil
}

func checkID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("the id is empty")
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("the id %.40q has characters that are no text", id)
	case utf8.RuneCountInString(id) > maxID:
		return fmt.Errorf("the id %.40q has more than %d characters", id, maxID)
	}
	return nil
}

// fit makes a text that others wrote one that can be stored and shown.
func fit(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if runes := []rune(text); len(runes) > maxName {
		text = string(runes[:maxName])
	}
	return strings.TrimSpace(text)
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
