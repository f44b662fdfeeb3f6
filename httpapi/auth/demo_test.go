package auth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
)

func local(headers ...string) *http.Request {
	r := request(headers...)
	r.Host = "localhost:8080"
	return r
}

func TestDemo(t *testing.T) {
	t.Parallel()
	d := auth.Demo(false)
	visitor := gtf.Principal{Kind: gtf.KindGuest, ID: "visitor", Name: "A visitor"}
	people := map[string]*auth.Identity{
		"":                    auth.RoleAdmin.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "demo"),
		"gtf_demo=nobody":     auth.RoleAdmin.Identity(user("ada", "Ada Lovelace", "ada@example.com"), "demo"),
		"gtf_demo=grace":      auth.RoleUser.Identity(user("grace", "Grace Hopper", "grace@example.com"), "demo"),
		"gtf_demo=katherine":  auth.RoleViewer.Identity(user("katherine", "Katherine Johnson", "katherine@example.com"), "demo"),
		"x=y; gtf_demo=alan;": auth.RoleUser.Identity(user("alan", "Alan Turing", "alan@example.com"), "demo"),
		"gtf_demo=visitor":    {Principal: visitor, Read: true, Method: "demo"},
	}
	for cookie, want := range people {
		t.Run("with "+cookie+" is "+want.Principal.ID, func(t *testing.T) {
			t.Parallel()
			knows(t, d, local("Cookie", cookie), want)
		})
	}

	hosts := []struct {
		host string
		want verdict
	}{
		{"localhost", good}, {"LOCALHOST:80", good}, {"127.0.0.1:8080", good}, {"127.9.9.9", good}, {"[::1]:8080", good}, {"[::1]", good},
		{"rebound.example.com:8080", refused}, {"192.0.2.1", refused}, {"localhost.example.com", refused}, {"", refused},
	}
	for _, tt := range hosts {
		t.Run("of the host "+tt.host+" is "+tt.want.String(), func(t *testing.T) {
			t.Parallel()
			r := request()
			r.Host = tt.host
			says(t, d, r, tt.want)
			says(t, auth.Demo(true), r, good)
		})
	}
}

// post sends a body to the demo's pages.
func post(kind, body string, headers ...string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	auth.Demo(false).Mount(mux)
	r := httptest.NewRequest(http.MethodPost, "/auth/demo", strings.NewReader(body))
	r.Host = "localhost:8080"
	r.Header.Set("Content-Type", kind)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

func TestDemoMount(t *testing.T) {
	t.Parallel()
	t.Run("lets people be somebody else", func(t *testing.T) {
		t.Parallel()
		w := post(asJSON+"; charset=utf-8", `{"user": "grace"}`, "Sec-Fetch-Site", "same-origin")
		cookies := w.Result().Cookies()
		if w.Code != http.StatusOK || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
			t.Fatalf("got %d with the cookies %v", w.Code, cookies)
		}
		knows(t, auth.Demo(false), local("Cookie", cookies[0].Name+"="+cookies[0].Value),
			auth.RoleUser.Identity(user("grace", "Grace Hopper", "grace@example.com"), "demo"))
	})
	t.Run("lists who there is, and who one is", func(t *testing.T) {
		t.Parallel()
		mux := http.NewServeMux()
		auth.Demo(false).Mount(mux)
		r := httptest.NewRequest(http.MethodGet, "/auth/demo", http.NoBody)
		r.Host = "127.0.0.1"
		r.AddCookie(&http.Cookie{Name: "gtf_demo", Value: "alan"})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		var body struct {
			User  string `json:"user"`
			Users []struct {
				Role string `json:"role"`
			} `json:"users"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.User != "alan" || len(body.Users) != 5 || body.Users[0].Role != "admin" {
			t.Errorf("got %s, %v", w.Body, err)
		}
		r.Host = "rebound.example.com"
		w = httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("another host gets %d, want 401", w.Code)
		}
	})
	tests := []struct {
		name, kind, body string
		headers          []string
		status           int
		location         string
	}{
		{"sends a form back to where it came from", asForm, "user=grace&return_to=/tasks?page%3D2", nil, 303, "/tasks?page=2"},
		{"sends a form to the first page", asForm, "user=grace", nil, 303, "../"},
		{"sends nobody to another site", asForm, "user=grace&return_to=//evil.example.com", nil, 303, "../"},
		{"refuses somebody who is not there", asJSON, `{"user": "eve"}`, nil, 400, ""},
		{"refuses nobody", asJSON, `{}`, nil, 400, ""},
		{"refuses what is no JSON", asJSON, `{`, nil, 400, ""},
		{"refuses what is no form", asForm, `%zz`, nil, 400, ""},
		{"refuses a large body", asForm, "user=" + strings.Repeat("x", 5000), nil, 400, ""},
		{"refuses another site's form", asForm, "user=grace", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"refuses another origin's form in an old browser", asForm, "user=grace", []string{"Origin", "https://evil.example.com"}, 403, ""},
		{"refuses another host", asForm, "user=grace", []string{"Host", "rebound.example.com"}, 401, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := post(tt.kind, tt.body, tt.headers...)
			if w.Code != tt.status || w.Header().Get("Location") != tt.location {
				t.Errorf("got %d and Location %q, want %d and %q: %s", w.Code, w.Header().Get("Location"), tt.status, tt.location, w.Body)
			}
			if tt.status >= 400 && len(w.Result().Cookies()) > 0 {
				t.Errorf("a refusal sets %v", w.Result().Cookies())
			}
		})
	}
}
