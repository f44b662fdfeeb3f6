package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// idp is an OpenID Connect provider at which ada is logged in. Its fields say what is wrong with it.
type idp struct {
	t      *testing.T
	issuer string

	mu       sync.Mutex
	codes    map[string]url.Values // what was asked for, by code
	claims   map[string]any        // instead of the usual ones; nil removes one
	info     map[string]any        // of the userinfo endpoint; nil: there is none
	sign     func(claims map[string]any) string
	refuse   bool // the login
	down     bool
	noEnd    bool // no logout there
	asked    map[string]int
	answered url.Values // added to the answer of the login
}

func newIDP(t *testing.T, issuer string) *idp {
	p := &idp{t: t, issuer: issuer, codes: map[string]url.Values{}, asked: map[string]int{}}
	p.sign = func(claims map[string]any) string {
		return sign(t, jwt.SigningMethodRS256, rsaKey(), map[string]any{"kid": "r"}, claims)
	}
	return p
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	_ = r.ParseForm()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		o := map[string]any{"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token",
			"jwks_uri": p.issuer + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}}
		if !p.noEnd {
			o["end_session_endpoint"] = p.issuer + "/end?theme=dark"
		}
		if p.info != nil {
			o["userinfo_endpoint"] = p.issuer + "/userinfo"
		}
		answer(w, o)
	case "/keys":
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public(rsaKey(), "r")}})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, p.info)
	case "/end":
		_, _ = w.Write([]byte("logged out"))
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Form.Get("response_type") != "code" || r.Form.Get("client_id") != "gtf" || r.Form.Get("code_challenge_method") != "S256" ||
		len(r.Form.Get("nonce")) < 40 || len(r.Form.Get("state")) < 40 || r.Form.Get("scope") != "openid profile email" {
		p.t.Errorf("the login asks for %v", r.Form)
	}
	back := url.Values{"state": r.Form["state"], "iss": {p.issuer}}
	if p.refuse {
		back.Set("error", "access_denied")
		back.Set("error_description", "<b>not you</b>")
	} else {
		code := auth.NewToken()
		p.codes[code] = r.Form
		back.Set("code", code)
	}
	maps.Copy(back, p.answered)
	http.Redirect(w, r, r.Form.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	asked, ok := p.codes[r.Form.Get("code")]
	delete(p.codes, r.Form.Get("code")) // good once
	id, secret, basic := r.BasicAuth()
	challenge := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
	switch {
	case p.down:
		w.WriteHeader(http.StatusBadGateway)
		return
	case !ok, !basic, id != "gtf", secret != "geheim", r.Form.Get("redirect_uri") != asked.Get("redirect_uri"),
		base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.Get("code_challenge"):
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": "invalid_grant"})
		return
	}
	claims := about(map[string]any{"iss": p.issuer, "nonce": asked.Get("nonce")})
	for name, v := range p.claims {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	answer(w, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": p.sign(claims)})
}

// network has hosts that answer without one, so that it works in a bubble.
type network map[string]http.Handler

// RoundTrip implements http.RoundTripper.
func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	h := n[r.URL.Host]
	if h == nil {
		return nil, errors.New("no such host")
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	in := httptest.NewRequest(r.Method, r.URL.String(), body).WithContext(r.Context())
	in.Header = r.Header.Clone()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// visit is whom our server sees.
type visit struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Admin  bool   `json:"admin"`
	Read   bool   `json:"read"`
	Write  bool   `json:"write"`
	Method string `json:"method"`
}

// world is a browser, our server under a prefix, and the provider.
type world struct {
	t       *testing.T
	idp     *idp
	login   *auth.Login
	browser *http.Client
	network network
	base    string // URL of our server
	jar     *cookiejar.Jar
}

const callback = "https://tasks.example.com/auth/callback"

func newWorld(t *testing.T, change func(*auth.OIDCConfig)) *world {
	t.Helper()
	w := &world{t: t, idp: newIDP(t, "https://idp.example.com"), network: network{}, jar: must[*cookiejar.Jar](t)(cookiejar.New(nil))}
	cfg := &auth.OIDCConfig{Issuer: w.idp.issuer, ClientID: "gtf", ClientSecret: "geheim", RedirectURL: callback, Client: &http.Client{Transport: w.network}}
	if change != nil {
		change(cfg)
	}
	w.login = must[*auth.Login](t)(auth.OIDC(cfg))
	w.base = strings.TrimSuffix(cfg.RedirectURL, "/auth/callback")
	u := must[*url.URL](t)(url.Parse(w.base))
	mux := http.NewServeMux()
	w.login.Mount(mux)
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/who", func(rw http.ResponseWriter, r *http.Request) {
		id, err := w.login.Authenticate(r)
		id.Renew(rw)
		switch verdictOf(id, err) {
		case good:
			p := id.Principal
			answer(rw, visit{p.ID, p.Name, p.Email, p.Admin, id.Read, id.Write, id.Method})
		case unknown:
			rw.WriteHeader(http.StatusUnauthorized)
		default:
			rw.WriteHeader(http.StatusForbidden)
		}
	})
	w.network["idp.example.com"] = w.idp
	w.network[u.Host] = http.StripPrefix(u.Path, mux)
	w.browser = &http.Client{Transport: w.network, Jar: w.jar}
	return w
}

// page is what a browser gets in the end.
type page struct {
	code    int
	to      string // where it is sent next
	at      string // where it is now
	body    string
	cookies []*http.Cookie
}

// get fetches a page of our server, or another, and what that redirects to.
func (w *world) get(where string) page {
	w.t.Helper()
	if !strings.Contains(where, "://") {
		where = w.base + where
	}
	return w.do(must[*http.Request](w.t)(http.NewRequest(http.MethodGet, where, http.NoBody)))
}

func (w *world) do(r *http.Request) page {
	w.t.Helper()
	resp, err := w.browser.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body := must[[]byte](w.t)(io.ReadAll(resp.Body))
	return page{resp.StatusCode, resp.Header.Get("Location"), resp.Request.URL.String(), string(body), resp.Cookies()}
}

// who asks our server who the browser is; nil for nobody.
func (w *world) who() *auth.Identity {
	w.t.Helper()
	answer := w.get("/who")
	if answer.code != http.StatusOK {
		return nil
	}
	var seen visit
	if err := json.Unmarshal([]byte(answer.body), &seen); err != nil {
		w.t.Fatal(err)
	}
	p := user(seen.ID, seen.Name, seen.Email)
	p.Admin = seen.Admin
	return &auth.Identity{Principal: p, Read: seen.Read, Write: seen.Write, Method: seen.Method}
}

// cookies are those of our server, by name.
func (w *world) cookies() map[string]string {
	u := must[*url.URL](w.t)(url.Parse(w.base + "/"))
	found := map[string]string{}
	for _, c := range w.jar.Cookies(u) {
		found[c.Name] = c.Value
	}
	return found
}

// stops makes the browser show where it is sent instead of going there.
func (w *world) stops() *world {
	w.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

// lasts reports whether a browser keeps the cookie for so long.
func lasts(c *http.Cookie, d time.Duration) bool { return c.MaxAge == int(d.Seconds()) }
