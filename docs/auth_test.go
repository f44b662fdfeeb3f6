package docs_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
)

// What docs/how-to/authentication.md shows and no example has.

// accounts is what a program knows of its own users.
type accounts struct{ loggedIn map[string]account }

type account struct {
	id, name string
	staff    bool
}

func (a *accounts) of(r *http.Request) (account, bool) {
	c, err := r.Cookie("site")
	if err != nil {
		return account{}, false
	}
	who, ok := a.loggedIn[c.Value]
	return who, ok
}

// siteLogin knows people by the login that the program has already.
type siteLogin struct{ accounts *accounts }

func (l siteLogin) Authenticate(r *http.Request) (*auth.Identity, error) {
	who, ok := l.accounts.of(r)
	if !ok {
		return nil, nil // nobody is logged in; another authenticator may know more
	}
	role := auth.RoleUser
	if who.staff {
		role = auth.RoleAdmin
	}
	return role.Identity(gtf.Principal{ID: who.id, Name: who.name}, "site"), nil
}

// mountTasks puts the API into a program, for its own users, for programs with tokens and for guests.
func mountTasks(mux *http.ServeMux, client *gtf.Client, users *accounts, list []auth.Token, guestKey []byte) error {
	tokens, err := auth.Tokens(list)
	if err != nil {
		return err
	}
	guests, err := auth.Guests(guestKey)
	if err != nil {
		return err
	}
	api, err := httpapi.New(client, &httpapi.Options{
		Authenticator: auth.First(auth.Bearer(tokens, guests), siteLogin{users}),
	})
	if err != nil {
		return err
	}
	mux.Handle("/tasks/api/", http.StripPrefix("/tasks", api))
	return nil
}

var brochure = gtf.Define[string, string]("brochure.make", nil)

// orderBrochure starts a task for somebody without an account, and makes the link to it.
func orderBrochure(ctx context.Context, client *gtf.Client, guestKey []byte, customer string) (link string, err error) {
	guest := auth.Guest{ID: customer, Types: []string{"brochure.make"}, Write: true}
	h, err := brochure.Schedule(gtf.WithPrincipal(ctx, guest.Principal()), client, "spring", nil)
	if err != nil {
		return "", err
	}
	token, err := auth.MintGuest(guestKey, guest, 24*time.Hour)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("https://example.com/brochure/%s#%s", h.ID, token), nil
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	t.Run("a program lets its own users, programs and guests in", func(t *testing.T) {
		t.Parallel()
		key := []byte(strings.Repeat("k", 32))
		client := gtftest.New(t, brochure.Handler(func(_ context.Context, season string) (string, error) { return season + ".pdf", nil }))
		token := auth.NewToken()
		hash, err := auth.HashToken(token)
		if err != nil {
			t.Fatal(err)
		}
		users := &accounts{loggedIn: map[string]account{"s1": {"ada", "Ada Lovelace", true}, "s2": {"grace", "Grace Hopper", false}}}
		mux := http.NewServeMux()
		if err := mountTasks(mux, client, users, []auth.Token{{ID: "bot", Role: auth.RoleViewer, Hash: hash}}, key); err != nil {
			t.Fatal(err)
		}
		link, err := orderBrochure(t.Context(), client, key, "customer-7")
		if err != nil {
			t.Fatal(err)
		}
		page, guest, _ := strings.Cut(link, "#")
		task := page[strings.LastIndexByte(page, '/')+1:]
		tests := []struct {
			name, header, value string
			want                int
		}{
			{"the guest", "Authorization", "Bearer " + guest, http.StatusOK},
			{"an admin", "Cookie", "site=s1", http.StatusOK},
			{"a user who does not follow it", "Cookie", "site=s2", http.StatusNotFound},
			{"a program that does not follow it", "Authorization", "Bearer " + token, http.StatusNotFound},
			{"a bad token beside a good cookie", "Authorization", "Bearer x", http.StatusUnauthorized},
			{"nobody", "X-Nobody", "", http.StatusUnauthorized},
		}
		for _, tt := range tests {
			r := httptest.NewRequest(http.MethodGet, "/tasks/api/v1/task/"+task, http.NoBody)
			r.Header.Set(tt.header, tt.value)
			if strings.HasPrefix(tt.name, "a bad token") {
				r.AddCookie(&http.Cookie{Name: "site", Value: "s1"})
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%s gets %d, want %d: %s", tt.name, w.Code, tt.want, w.Body)
			}
		}
	})

	t.Run("every file that the page shows is accepted", func(t *testing.T) {
		t.Parallel()
		all, err := pages()
		if err != nil {
			t.Fatal(err)
		}
		files := blocks(all["docs/how-to/authentication.md"], "yaml")
		if len(files) < 5 {
			t.Fatalf("there are only %d files", len(files))
		}
		for i, b := range files {
			file := filepath.Join(t.TempDir(), "gtf.yaml")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out := run(t, "settings", "--config", file); !strings.Contains(out, " file ") {
				t.Errorf("file %d is not accepted:\n%s", i+1, b.text)
			}
		}
	})
}
