package auth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/golang-jwt/jwt/v5"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	t.Run("works over a network, with a provider that is found by its issuer", func(t *testing.T) {
		t.Parallel()
		var handler http.Handler
		provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
		t.Cleanup(provider.Close)
		handler = newIDP(t, provider.URL)
		mux := http.NewServeMux()
		ours := httptest.NewServer(mux)
		t.Cleanup(ours.Close)
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		login := must[*auth.Login](t)(auth.OIDC(&auth.OIDCConfig{Issuer: provider.URL, ClientID: "gtf", ClientSecret: "geheim",
			RedirectURL: ours.URL + "/auth/callback", Client: &http.Client{Transport: transport}}))
		login.Mount(mux)
		var id *auth.Identity
		mux.HandleFunc("/report", func(_ http.ResponseWriter, r *http.Request) { id, _ = login.Authenticate(r) })
		browser := &http.Client{Jar: must[*cookiejar.Jar](t)(cookiejar.New(nil)), Transport: transport}
		resp, err := browser.Get(ours.URL + "/auth/login?return_to=/report?year%3D2026")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.Request.URL.String() != ours.URL+"/report?year=2026" || id == nil || id.Principal.ID != "ada" {
			t.Errorf("the login ends at %s as %+v", resp.Request.URL, id)
		}
	})

	t.Run("knows who has logged in, by a cookie with every protection", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		if w.who() != nil {
			t.Error("somebody is known before the login")
		}
		if resp := w.get("/auth/login"); resp.code != http.StatusOK || resp.at != "https://tasks.example.com/" {
			t.Fatalf("the login ends at %s with %d", resp.at, resp.code)
		}
		want := &auth.Identity{Principal: user("ada", "Ada Lovelace", "ada@example.com"), Read: true, Write: true, Method: "session"}
		if id := w.who(); id == nil || id.Principal != want.Principal || !id.Read || !id.Write || id.Method != "session" {
			t.Errorf("got %+v, want %+v", id, want)
		}
		cookies := w.cookies()
		if len(cookies) != 1 || cookies["__Host-gtf_session"] == "" {
			t.Errorf("the browser keeps %v, want the session alone", cookies)
		}
		if strings.Contains(cookies["__Host-gtf_session"], "ada") {
			t.Error("the cookie can be read")
		}
	})

	t.Run("sets cookies that fit where the server is", func(t *testing.T) {
		t.Parallel()
		tests := []struct {
			redirect, name, path string
			secure               bool
		}{
			{callback, "__Host-gtf_", "/", true},
			{"https://example.com/tools/gtf/auth/callback", "__Secure-gtf_", "/tools/gtf", true},
			{"http://127.0.0.1:8080/auth/callback", "gtf_", "/", false},
			{"http://localhost/gtf/auth/callback", "gtf_", "/gtf", false},
			{"http://[::1]:8080/auth/callback", "gtf_", "/", false},
		}
		for _, tt := range tests {
			w := newWorld(t, func(c *auth.OIDCConfig) { c.RedirectURL = tt.redirect }).stops()
			begin := w.get("/auth/login")
			back := w.get(w.get(begin.to).to)
			if back.code != http.StatusSeeOther || back.to != strings.TrimSuffix(tt.path, "/")+"/" {
				t.Errorf("%s: the login ends with %d at %s", tt.redirect, back.code, back.to)
			}
			for _, c := range append(begin.cookies, back.cookies...) {
				if !strings.HasPrefix(c.Name, tt.name) || c.Path != tt.path || c.Secure != tt.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
					t.Errorf("%s: sets %v", tt.redirect, c)
				}
			}
			if w.who() == nil {
				t.Errorf("%s: nobody is known", tt.redirect)
			}
		}
	})

	t.Run("gives the role by a claim", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(c *auth.OIDCConfig) {
			c.Claims.Roles, c.Roles = "groups", auth.Roles{Admin: []string{"ops"}, Default: auth.RoleViewer}
		})
		w.get("/auth/login")
		if id := w.who(); id == nil || id.Principal.Admin || id.Write {
			t.Errorf("got %+v, want a viewer", id)
		}
		w.idp.claims = map[string]any{"groups": []string{"dev", "ops"}}
		w.get("/auth/login")
		if id := w.who(); id == nil || !id.Principal.Admin {
			t.Errorf("got %+v, want an admin", id)
		}
	})

	t.Run("asks the provider for what the ID token lacks", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(c *auth.OIDCConfig) { c.Claims.Roles = "groups" })
		w.idp.claims = map[string]any{"name": nil}
		w.idp.info = map[string]any{"sub": "ada", "name": "Augusta Ada King", "groups": []string{"admin"}, "email": "other@example.com"}
		w.get("/auth/login")
		if id := w.who(); id == nil || id.Principal != admin("ada", "Augusta Ada King", "ada@example.com") {
			t.Errorf("got %+v, want the claims of both, the signed ones first", id)
		}
	})
}

func TestLoginReturnTo(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, to, want string }{
		{"a page of ours", "/gtf/tasks?page=2", "/gtf/tasks?page=2"},
		{"nothing", "", "/gtf/"},
		{"another site", "https://evil.example.com/", "/gtf/"},
		{"another site by its scheme alone", "https:evil.example.com", "/gtf/"},
		{"another site without scheme", "//evil.example.com", "/gtf/"},
		{"another site behind three slashes", "///evil.example.com", "/gtf/"},
		{"another site with a backslash", `/\evil.example.com`, "/gtf/"},
		{"another site with two", `\\evil.example.com`, "/gtf/"},
		{"another site behind a tab", "/\t/evil.example.com", "/gtf/"},
		{"another site behind an end of line", "/\n/evil.example.com", "/gtf/"},
		{"a header", "/\r\nSet-Cookie: x=y", "/gtf/"},
		{"a script", "javascript:alert(1)", "/gtf/"},
		{"a page relative to the login", "tasks", "/gtf/"},
		{"a path that is no URL", "/%zz", "/gtf/"},
		{"a very long path", "/" + strings.Repeat("x", 2000), "/gtf/"},
	}
	for _, tt := range tests {
		t.Run("to "+tt.name+" is safe", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *auth.OIDCConfig) { c.RedirectURL = "https://tasks.example.com/gtf/auth/callback" })
			w.stops()
			begin := w.get("/auth/login?return_to=" + url.QueryEscape(tt.to))
			end := w.get(w.get(begin.to).to)
			if got := end.to; end.code != http.StatusSeeOther || got != tt.want {
				t.Errorf("the login ends with %d at %q, want %q", end.code, got, tt.want)
			}
		})
	}
}

func TestLoginRefuses(t *testing.T) {
	t.Parallel()
	otherRSA()
	tests := []struct {
		name   string
		wrong  func(*idp)
		status int
	}{
		{"an ID token signed with another key", func(p *idp) {
			p.sign = func(c map[string]any) string {
				return sign(p.t, jwt.SigningMethodRS256, otherRSA(), map[string]any{"kid": "r"}, c)
			}
		}, 403},
		{"an ID token without signature", func(p *idp) {
			p.sign = func(c map[string]any) string {
				return sign(p.t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, c)
			}
		}, 403},
		{"an ID token signed with the client's secret", func(p *idp) {
			p.sign = func(c map[string]any) string { return sign(p.t, jwt.SigningMethodHS256, []byte("geheim"), nil, c) }
		}, 403},
		{"no ID token", func(p *idp) { p.sign = func(map[string]any) string { return "" } }, 403},
		{"an ID token for another client", func(p *idp) { p.claims = map[string]any{"aud": "other"} }, 403},
		{"an ID token of another issuer", func(p *idp) { p.claims = map[string]any{"iss": "https://other.example.com"} }, 403},
		{"an expired ID token", func(p *idp) { p.claims = map[string]any{"exp": ago(time.Second)} }, 403},
		{"an ID token of another login", func(p *idp) { p.claims = map[string]any{"nonce": strings.Repeat("n", 43)} }, 403},
		{"an ID token without nonce", func(p *idp) { p.claims = map[string]any{"nonce": nil} }, 403},
		{"an ID token without subject", func(p *idp) { p.claims = map[string]any{"sub": nil} }, 403},
		{"an access token that is not the ID token's", func(p *idp) { p.claims = map[string]any{"at_hash": "AAAA"} }, 403},
		{"claims about somebody else", func(p *idp) {
			p.claims, p.info = map[string]any{"name": nil}, map[string]any{"sub": "eve", "name": "Eve"}
		}, 403},
		{"a person whom the provider refuses", func(p *idp) { p.refuse = true }, 403},
		{"a code that is not the provider's", func(p *idp) { p.answered = url.Values{"code": {"x"}} }, 403},
		{"an answer without code", func(p *idp) { p.answered = url.Values{"code": {}} }, 403},
		{"the answer of another provider", func(p *idp) { p.answered = url.Values{"iss": {"https://evil.example.com"}} }, 400},
		{"an answer to another login", func(p *idp) { p.answered = url.Values{"state": {strings.Repeat("s", 43)}} }, 400},
		{"an answer without state", func(p *idp) { p.answered = url.Values{"state": {}} }, 400},
		{"an answer with an odd state", func(p *idp) { p.answered = url.Values{"state": {"<script>"}} }, 400},
		{"a provider that breaks down", func(p *idp) { p.down = true }, 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			w := newWorld(t, func(c *auth.OIDCConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			tt.wrong(w.idp)
			resp := w.get("/auth/login")
			if resp.code != tt.status || !strings.Contains(resp.body, `href="/auth/login"`) || strings.Contains(resp.body, "<b>") || strings.Contains(resp.body, "oidc:") {
				t.Errorf("the login ends with %d and %q", resp.code, resp.body)
			}
			if !strings.Contains(log.String(), "login failed") {
				t.Errorf("the log does not say why: %q", log.String())
			}
			if id := w.who(); id != nil || len(w.cookies()) > 1 {
				t.Errorf("the browser is known as %+v with the cookies %v", id, w.cookies())
			}
		})
	}

	t.Run("an answer in another browser", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil).stops()
		back := w.get(w.get("/auth/login").to).to
		w.browser.Jar = nil
		if resp := w.get(back); resp.code != http.StatusBadRequest {
			t.Errorf("the login ends with %d", resp.code)
		}
	})
	t.Run("an answer whose state differs at its end", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil).stops()
		back := must[*url.URL](t)(url.Parse(w.get(w.get("/auth/login").to).to))
		q := back.Query()
		state := q.Get("state")
		q.Set("state", state[:30]+strings.Repeat("x", 13))
		back.RawQuery = q.Encode()
		if resp := w.get(back.String()); resp.code != http.StatusBadRequest {
			t.Errorf("the login ends with %d", resp.code)
		}
	})
	t.Run("an answer that was used already", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil).stops()
		back := w.get(w.get("/auth/login").to).to
		if first, second := w.get(back), w.get(back); first.code != http.StatusSeeOther || second.code != http.StatusBadRequest {
			t.Errorf("the login ends with %d, and again with %d", first.code, second.code)
		}
	})
	t.Run("an answer that comes too late", func(t *testing.T) {
		t.Parallel()
		rsaKey()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil).stops()
			begin := w.get("/auth/login")
			back := w.get(begin.to).to
			time.Sleep(10 * time.Minute)
			w.browser.Jar = nil // which would have forgotten the cookie by now
			r := httptest.NewRequest(http.MethodGet, back, http.NoBody)
			r.AddCookie(begin.cookies[0])
			mux, rec := http.NewServeMux(), httptest.NewRecorder()
			w.login.Mount(mux)
			mux.ServeHTTP(rec, r)
			if rec.Code != http.StatusBadRequest {
				t.Errorf("the login ends with %d", rec.Code)
			}
		})
	})
	t.Run("nobody because somebody else went away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		mux := http.NewServeMux()
		w.login.Mount(mux)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/auth/login", http.NoBody).WithContext(gone))
		if w.get("/auth/login"); w.who() == nil {
			t.Error("the provider is taken for unreachable, because a browser hung up while it was asked")
		}
	})
	t.Run("a provider that cannot be reached, until it can", func(t *testing.T) {
		t.Parallel()
		rsaKey()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			delete(w.network, "idp.example.com")
			for range 2 {
				if resp := w.get("/auth/login"); resp.code != http.StatusServiceUnavailable {
					t.Errorf("the login ends with %d", resp.code)
				}
			}
			w.network["idp.example.com"] = w.idp
			if resp := w.get("/auth/login"); resp.code != http.StatusServiceUnavailable {
				t.Errorf("the provider is asked again at once: %d", resp.code)
			}
			time.Sleep(5 * time.Second)
			if w.get("/auth/login"); w.who() == nil {
				t.Error("nobody is known once the provider is back")
			}
			w.get("/auth/login")
			if n := w.idp.asked["/.well-known/openid-configuration"]; n != 1 {
				t.Errorf("the provider was asked for its description %d times, want once", n)
			}
		})
	})
}

func TestLoginTabs(t *testing.T) {
	t.Parallel()
	t.Run("may log in at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil).stops()
		var back []string
		for range 3 {
			back = append(back, w.get(w.get("/auth/login").to).to)
		}
		for _, to := range back {
			if resp := w.get(to); resp.code != http.StatusSeeOther {
				t.Errorf("the login ends with %d", resp.code)
			}
		}
	})
	t.Run("do not pile up cookies", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil).stops()
		for range 50 {
			w.get("/auth/login")
		}
		if n := len(w.cookies()); n == 0 || n > 8 {
			t.Errorf("the browser keeps %d cookies", n)
		}
	})
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*auth.OIDCConfig)
		says   string
	}{
		{"no issuer", func(c *auth.OIDCConfig) { c.Issuer = "" }, "issuer"},
		{"no client id", func(c *auth.OIDCConfig) { c.ClientID = "" }, "client id"},
		{"no redirect URL", func(c *auth.OIDCConfig) { c.RedirectURL = "" }, "/auth/callback"},
		{"a redirect URL elsewhere", func(c *auth.OIDCConfig) { c.RedirectURL = "https://example.com/callback" }, "/auth/callback"},
		{"a redirect URL with a query", func(c *auth.OIDCConfig) { c.RedirectURL = callback + "?x=y" }, "/auth/callback"},
		{"a redirect URL with odd slashes", func(c *auth.OIDCConfig) { c.RedirectURL = "https://example.com//auth/callback" }, "/auth/callback"},
		{"plain HTTP to another machine", func(c *auth.OIDCConfig) { c.RedirectURL = "http://example.com/auth/callback" }, "https"},
		{"a short key", func(c *auth.OIDCConfig) { c.Key = sharedKey[:31] }, "32"},
		{"a default role that is none", func(c *auth.OIDCConfig) { c.Roles.Default = "root" }, `"root"`},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := &auth.OIDCConfig{Issuer: "https://idp.example.com", ClientID: "gtf", RedirectURL: callback}
			tt.change(cfg)
			if _, err := auth.OIDC(cfg); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("OIDC returns %v, want an error with %q", err, tt.says)
			}
		})
	}
}
