package auth_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/golang-jwt/jwt/v5"
)

const sessionName = "__Host-gtf_session"

// loggedIn runs a subtest in a bubble in which ada has logged in.
func loggedIn(t *testing.T, name string, change func(*auth.OIDCConfig), f func(t *testing.T, w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		rsaKey() // made outside the bubble
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, change)
			w.get("/auth/login")
			f(t, w)
		})
	})
}

func TestSession(t *testing.T) {
	t.Parallel()
	loggedIn(t, "ends when it is not used", nil, func(t *testing.T, w *world) {
		cookie := w.cookies()[sessionName]
		time.Sleep(8*time.Hour - time.Second)
		says(t, w.login, request("Cookie", sessionName+"="+cookie), good)
		time.Sleep(time.Second)
		says(t, w.login, request("Cookie", sessionName+"="+cookie), refused)
		if w.who() != nil {
			t.Error("the browser still has it")
		}
	})
	loggedIn(t, "goes on while it is used, under another cookie, until its lifetime is over", nil, func(t *testing.T, w *world) {
		first := w.cookies()[sessionName]
		time.Sleep(time.Hour)
		if w.who(); w.cookies()[sessionName] != first {
			t.Error("the cookie is renewed at each request")
		}
		for range 22 {
			time.Sleep(time.Hour)
			if id := w.who(); id == nil || id.Principal != user("ada", "Ada Lovelace", "ada@example.com") {
				t.Fatalf("got %+v", id)
			}
		}
		if w.cookies()[sessionName] == first {
			t.Error("the cookie was never renewed")
		}
		time.Sleep(59*time.Minute + 59*time.Second)
		if w.who() == nil {
			t.Error("the session is over before its lifetime")
		}
		last := w.cookies()[sessionName]
		time.Sleep(time.Second)
		says(t, w.login, request("Cookie", sessionName+"="+last), refused)
	})
	loggedIn(t, "lasts as long as it is configured", func(c *auth.OIDCConfig) { c.Idle, c.Lifetime = time.Hour, 90*time.Minute }, func(t *testing.T, w *world) {
		cookie := w.cookies()[sessionName]
		time.Sleep(50 * time.Minute)
		id := must[*auth.Identity](t)(w.login.Authenticate(request("Cookie", sessionName+"="+cookie)))
		rec := httptest.NewRecorder()
		id.Renew(rec)
		if c := rec.Result().Cookies(); len(c) != 1 || !lasts(c[0], 40*time.Minute) {
			t.Errorf("the renewed cookie is %v, want one for the 40 minutes that are left", c)
		}
	})
	loggedIn(t, "is refused if its cookie was changed", nil, func(t *testing.T, w *world) {
		cookie := w.cookies()[sessionName]
		raw, err := base64.RawURLEncoding.DecodeString(cookie)
		if err != nil {
			t.Fatal(err)
		}
		for at := range raw {
			raw[at] ^= 1
			says(t, w.login, request("Cookie", sessionName+"="+base64.RawURLEncoding.EncodeToString(raw)), refused)
			raw[at] ^= 1
		}
		for _, text := range []string{"", "x", "%", cookie[:len(cookie)-1], cookie + "A", strings.Repeat("A", 60)} {
			says(t, w.login, request("Cookie", sessionName+"="+text), refused)
		}
		says(t, w.login, request("Cookie", "gtf_session="+cookie), unknown) // without the prefix it may be from anywhere
		says(t, w.login, request("Cookie", sessionName+"=x; "+sessionName+"="+cookie), good)
		says(t, w.login, request(), unknown)
	})
	loggedIn(t, "is refused if the cookie is one of another kind", nil, func(t *testing.T, w *world) {
		begin := w.stops().get("/auth/login").cookies[0]
		says(t, w.login, request("Cookie", sessionName+"="+begin.Value), refused)
	})
	t.Run("is good on every server with the same key, and on no other", func(t *testing.T) {
		t.Parallel()
		withKey := func(key string) *world {
			return newWorld(t, func(c *auth.OIDCConfig) { c.Key = []byte(key) })
		}
		w := withKey(strings.Repeat("k", 32))
		w.get("/auth/login")
		r := request("Cookie", sessionName+"="+w.cookies()[sessionName])
		says(t, withKey(strings.Repeat("k", 32)).login, r, good)
		says(t, withKey(strings.Repeat("l", 32)).login, r, refused)
		says(t, newWorld(t, nil).login, r, refused)
		says(t, newWorld(t, nil).login, r, refused) // nor are two random ones the same
	})
	loggedIn(t, "begins anew with each login", nil, func(t *testing.T, w *world) {
		first := w.cookies()[sessionName]
		time.Sleep(23 * time.Hour)
		w.get("/auth/login")
		if w.cookies()[sessionName] == first {
			t.Error("the cookie is the same")
		}
		time.Sleep(7 * time.Hour)
		if w.who() == nil {
			t.Error("the lifetime is that of the first login")
		}
	})
	t.Run("fits into a cookie whatever the provider sends", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		w.idp.claims = map[string]any{"name": strings.Repeat("ü", 300), "email": strings.Repeat("ü", 300), "filler": strings.Repeat("x", 5000)}
		w.get("/auth/login")
		if id, n := w.who(), len(w.cookies()[sessionName]); id == nil || n > 4000 {
			t.Errorf("got %+v by a cookie of %d bytes", id, n)
		}
		if to := w.stops().logout(); to.Query().Has("id_token_hint") || to.Host != "idp.example.com" {
			t.Errorf("the logout leads to %s", to)
		}
	})
}

// logout presses the button, and returns where the browser is sent.
func (w *world) logout() *url.URL {
	w.t.Helper()
	resp := w.do(must[*http.Request](w.t)(http.NewRequest(http.MethodPost, w.base+"/auth/logout", http.NoBody)))
	if resp.code != http.StatusSeeOther {
		w.t.Errorf("the logout ends with %d", resp.code)
	}
	return must[*url.URL](w.t)(url.Parse(resp.to))
}

func TestLogout(t *testing.T) {
	t.Parallel()
	t.Run("ends the session here and at the provider", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		w.get("/auth/login")
		to := w.stops().logout()
		q := to.Query()
		if to.Host != "idp.example.com" || to.Path != "/end" || q.Get("theme") != "dark" || q.Get("client_id") != "gtf" ||
			q.Get("post_logout_redirect_uri") != "https://tasks.example.com/" {
			t.Errorf("the logout leads to %s", to)
		}
		if _, _, err := jwt.NewParser().ParseUnverified(q.Get("id_token_hint"), jwt.MapClaims{}); err != nil {
			t.Errorf("the logout does not say whose session is to end: %v", err)
		}
		if w.who() != nil || len(w.cookies()) != 0 {
			t.Errorf("the browser keeps %v", w.cookies())
		}
	})
	t.Run("stays here if the provider has no such thing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(c *auth.OIDCConfig) { c.RedirectURL = "https://tasks.example.com/gtf/auth/callback" })
		w.idp.noEnd = true
		w.get("/auth/login")
		if to := w.stops().logout(); to.String() != "/gtf/" || w.who() != nil {
			t.Errorf("the logout leads to %s", to)
		}
	})
	t.Run("works while the provider is down", func(t *testing.T) {
		t.Parallel()
		key := func(c *auth.OIDCConfig) { c.Key = sharedKey }
		w, restarted := newWorld(t, key), newWorld(t, key)
		w.get("/auth/login")
		delete(restarted.network, "idp.example.com")
		restarted.browser.Jar = w.jar
		if to := restarted.stops().logout(); to.String() != "/" || w.who() != nil {
			t.Errorf("the logout leads to %s", to)
		}
	})
	t.Run("does nothing at the provider for who is not logged in", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		if to := w.stops().logout(); to.String() != "/" || len(w.idp.asked) != 0 {
			t.Errorf("the logout leads to %s; the provider was asked %v", to, w.idp.asked)
		}
	})
	t.Run("cannot be caused by another site, nor by a link", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		w.get("/auth/login")
		r := must[*http.Request](t)(http.NewRequest(http.MethodPost, w.base+"/auth/logout", http.NoBody))
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		resp := w.do(r)
		if resp.code != http.StatusForbidden || w.who() == nil {
			t.Errorf("another site's form gets %d", resp.code)
		}
		w.get("/auth/logout")
		if w.who() == nil {
			t.Error("a link ends the session")
		}
	})
}

func FuzzSession(f *testing.F) {
	login := must[*auth.Login](f)(auth.OIDC(&auth.OIDCConfig{Issuer: "https://idp.example.com", ClientID: "gtf", RedirectURL: callback, Key: sharedKey}))
	for _, seed := range []string{"", "x", strings.Repeat("A", 40), "x; " + sessionName + "=y", "%00", `"quoted"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := login.Authenticate(request("Cookie", sessionName+"="+text))
		if v := verdictOf(id, err); v != refused && v != unknown {
			t.Errorf("Authenticate returns %+v, %v for %q", id, err, text)
		}
	})
}

func FuzzReturnTo(f *testing.F) {
	for _, seed := range []string{"/", "//x", `/\x`, "/tasks?x=y#z", "https://x", "/\t/x", "/.//x", "///x"} {
		f.Add(seed)
	}
	page := must[*url.URL](f)(url.Parse("https://tasks.example.com/auth/demo"))
	f.Fuzz(func(t *testing.T, text string) {
		to := post(asForm, url.Values{"user": {"grace"}, "return_to": {text}}.Encode()).Header().Get("Location")
		u, err := page.Parse(to)
		if err != nil || u.Scheme != "https" || u.Host != "tasks.example.com" || strings.ContainsAny(to, "\\\t\r\n") || strings.HasPrefix(to, "//") {
			t.Errorf("%q leads to %q", text, to)
		}
	})
}
