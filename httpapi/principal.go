package httpapi

import (
	"fmt"
	"strings"

	"github.com/globaltask/gtf"
)

// How a person stands in a filter and in a list of values: a user by the id alone, a guest behind a word. A user whose id
// begins with one of the words gets the other, so that every id has one text and every text one meaning.
const (
	guestWord = "guest:"
	userWord  = "user:"
)

// FormatPrincipal is the text that names a principal in queries: "7" is user 7, "guest:7" guest 7.
func FormatPrincipal(p gtf.Principal) string {
	switch {
	case p.Kind == gtf.KindGuest:
		return guestWord + p.ID
	case p.ID == "me", strings.HasPrefix(p.ID, guestWord), strings.HasPrefix(p.ID, userWord): // "me" is the caller
		return userWord + p.ID
	}
	return p.ID
}

// ParsePrincipal reads what [FormatPrincipal] writes. "user:7" is user 7, too. An empty id is an error.
func ParsePrincipal(text string) (gtf.Principal, error) {
	p := gtf.Principal{Kind: gtf.KindUser, ID: text}
	if id, ok := strings.CutPrefix(text, guestWord); ok {
		p = gtf.Principal{Kind: gtf.KindGuest, ID: id}
	} else if id, ok := strings.CutPrefix(text, userWord); ok {
		p.ID = id
	}
	if p.IsZero() {
		return gtf.Principal{}, fmt.Errorf("%q names nobody", text)
	}
	return p, nil
}
