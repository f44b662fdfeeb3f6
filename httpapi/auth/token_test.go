package auth_test

import (
	"encoding/hex"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/globaltask/gtf/httpapi/auth"
)

func TestNewToken(t *testing.T) {
	t.Parallel()
	t.Run("makes another each time, always of the same form", func(t *testing.T) {
		t.Parallel()
		form := regexp.MustCompile(`^gtf_[0-9A-Za-z]{49}$`)
		seen := map[string]bool{}
		for range 1000 {
			token := auth.NewToken()
			if !form.MatchString(token) || seen[token] {
				t.Fatalf("NewToken returns %q", token)
			}
			seen[token] = true
			if _, err := auth.HashToken(token); err != nil {
				t.Fatalf("HashToken(%q): %v", token, err)
			}
		}
	})
}

func TestHashToken(t *testing.T) {
	t.Parallel()
	token := auth.NewToken()
	swapped := token[:10] + string(token[11]) + string(token[10]) + token[12:]
	if swapped == token {
		swapped = token[:10] + "!" + token[11:]
	}
	tests := []struct{ name, token, says string }{
		{"an empty token", "", "guessed"},
		{"a short token of one's own", "hunter2", "guessed"},
		{"a token cut off", token[:40], "misspelt"},
		{"a token with a letter too many", token + "x", "misspelt"},
		{"a token with two letters in the wrong order", swapped, "misspelt"},
		{"a token with a space", strings.Repeat("x", 20) + " " + strings.Repeat("y", 20), "header"},
		{"a token that is no ASCII", strings.Repeat("ä", 32), "header"},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := auth.HashToken(tt.token); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("HashToken returns %v, want an error with %q", err, tt.says)
			}
		})
	}
	t.Run("is the SHA-256", func(t *testing.T) {
		t.Parallel()
		hash, err := auth.HashToken(strings.Repeat("x", 32))
		if got, want := hex.EncodeToString(hash[:]), "c62e4615bd39e222572f3a1bf7c2132ea1e65b17ec805047bd6b2842c593493f"; err != nil || got != want {
			t.Errorf("HashToken returns %s, %v", got, err)
		}
	})
}

func TestParseTokens(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0f", 32)
	other := strings.Repeat("1e", 32)
	t.Run("reads what String writes", func(t *testing.T) {
		t.Parallel()
		want := []auth.Token{
			{ID: "ada", Role: auth.RoleAdmin},
			{ID: "a:b,c d%+/ü", Role: auth.RoleViewer, Name: "Ada, Countess of Lovelace", Email: "ada+x@example.com"},
			{ID: "bot", Role: auth.RoleUser, Email: "bot@example.com"},
		}
		var entries []string
		for i := range want {
			want[i].Hash[0] = byte(i)
			entries = append(entries, want[i].String())
		}
		for _, between := range []string{",", " ", ",\n\t"} {
			got, err := auth.ParseTokens(strings.Join(entries, between))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("ParseTokens returns %v, %v, want %v", got, err, want)
			}
		}
	})
	t.Run("of nothing is nothing", func(t *testing.T) {
		t.Parallel()
		if got, err := auth.ParseTokens(" ,\n"); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
	tests := []struct{ name, text, says string }{
		{"an entry without a hash", "ada:admin", "2 parts"},
		{"an entry with too many parts", "ada:admin:" + hash + ":a:b:c", "6 parts"},
		{"a short hash", "ada:admin:0f0f", `"ada"`},
		{"a long hash", "ada:admin:" + hash + "00", `"ada"`},
		{"a hash that is no number", "ada:admin:" + strings.Repeat("zz", 32), `"ada"`},
		{"no id", ":admin:" + hash, "id is empty"},
		{"an id that is too long", strings.Repeat("x", 129) + ":admin:" + hash, "128"},
		{"an id that is no text", "a%00:admin:" + hash, "no text"},
		{"no role", "ada::" + hash, "role"},
		{"an unknown role", "ada:root:" + hash, `"root"`},
		{"a name that is too long", "ada:admin:" + hash + ":" + strings.Repeat("x", 257), "256"},
		{"an escape that is none", "ada%zz:admin:" + hash, "hexadecimal"},
		{"the second of two", "ada:admin:" + hash + ",grace:nobody:" + other, `"grace"`},
		{"the same token twice", "ada:admin:" + hash + ",grace:user:" + hash, `"ada" and "grace"`},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := auth.ParseTokens(tt.text); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ParseTokens returns %v, %v, want an error with %q", got, err, tt.says)
			}
		})
	}
	t.Run("never repeats a token that stands in the place of its hash", func(t *testing.T) {
		t.Parallel()
		token := auth.NewToken()
		for _, text := range []string{"ada:admin:" + token, token, "ada:" + token, token + ":ada:admin:x:y:z", "%" + token} {
			if _, err := auth.ParseTokens(text); err == nil || strings.Contains(err.Error(), token[4:12]) {
				t.Errorf("ParseTokens(%q) returns %v", text, err)
			}
		}
	})
}

func FuzzParseTokens(f *testing.F) {
	f.Add("ada:admin:" + strings.Repeat("0f", 32) + ":Ada%20Lovelace:ada@example.com, grace:user:" + strings.Repeat("1e", 32))
	f.Add("a:b:c")
	f.Add("%:%zz::,,:")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := auth.ParseTokens(text)
		if err != nil {
			return
		}
		entries := make([]string, len(tokens))
		for i, token := range tokens {
			entries[i] = token.String()
		}
		again, err := auth.ParseTokens(strings.Join(entries, ","))
		if err != nil || !reflect.DeepEqual(again, tokens) {
			t.Errorf("%q is written as %q and read as %v, %v", text, entries, again, err)
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	ada, grace := auth.NewToken(), auth.NewToken()
	own := "a-long-random-token-of-another-program"
	list := []auth.Token{
		{ID: "ada", Name: "Ada Lovelace", Email: "ada@example.com", Role: auth.RoleAdmin, Hash: must[[32]byte](t)(auth.HashToken(ada))},
		{ID: "grace", Role: auth.RoleViewer, Hash: must[[32]byte](t)(auth.HashToken(grace))},
		{ID: "bot", Role: auth.RoleUser, Hash: must[[32]byte](t)(auth.HashToken(own))},
	}
	a := must[auth.Authenticator](t)(auth.Tokens(list))
	t.Run("knows each", func(t *testing.T) {
		t.Parallel()
		knows(t, a, bearing(ada), &auth.Identity{Principal: admin("ada", "Ada Lovelace", "ada@example.com"), Read: true, Write: true, Method: "token"})
		knows(t, a, bearing(grace), &auth.Identity{Principal: user("grace", "", ""), Read: true, Method: "token"})
		knows(t, a, bearing(own), &auth.Identity{Principal: user("bot", "", ""), Read: true, Write: true, Method: "token"})
	})
	tests := []struct {
		name  string
		token string
		want  verdict
	}{
		{"refuses a token of its kind that it does not know", auth.NewToken(), refused},
		{"refuses a token with a letter changed", ada[:20] + "_" + ada[21:], refused},
		{"refuses the beginning of a token", ada[:30], refused},
		{"refuses the prefix alone", "gtf_", refused},
		{"leaves tokens of other kinds to others", "eyJh.eyJz.c2ln", unknown},
		{"is not told a token by its hash", hex.EncodeToString(list[0].Hash[:]), unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			says(t, a, bearing(tt.token), tt.want)
		})
	}
	t.Run("has nothing to say without a token", func(t *testing.T) {
		t.Parallel()
		says(t, a, request(), unknown)
		says(t, a, request("Cookie", "token="+ada), unknown)
	})
	t.Run("does not follow later changes of the list", func(t *testing.T) {
		t.Parallel()
		mine := append([]auth.Token{}, list...)
		a := must[auth.Authenticator](t)(auth.Tokens(mine))
		mine[1].Role = auth.RoleAdmin
		knows(t, a, bearing(grace), &auth.Identity{Principal: user("grace", "", ""), Read: true, Method: "token"})
	})
	t.Run("refuses a list with a mistake", func(t *testing.T) {
		t.Parallel()
		if _, err := auth.Tokens([]auth.Token{{ID: "ada", Role: "root"}}); err == nil {
			t.Error("a role that does not exist is accepted")
		}
	})
}
