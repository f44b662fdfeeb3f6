package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDCConfig describes the login of browsers with an OpenID Connect provider.
type OIDCConfig struct {
	// Issuer of the provider. Its description is fetched from there at the first login, so that the program starts without.
	Issuer       string
	ClientID     string
	ClientSecret string // default none: a public client
	// RedirectURL is where the provider sends browsers back to: the URL of the server as browsers see it, with the prefix it
	// is mounted at, and /auth/callback. It must be https, or http on the machine itself.
	RedirectURL string
	// Scopes to ask for. Default openid, profile, email.
	Scopes []string

	Claims Claims
	Roles  Roles

	// Key seals the cookies: a secret of at least 32 bytes, the same on every process. Default: a random one, and everybody
	// logs in again after a restart.
	Key []byte
	// Idle is how long a session lasts without a request. Default 8 h.
	Idle time.Duration
	// Lifetime is how long it lasts at most; roles are those of the login until then. Default 24 h.
	Lifetime time.Duration

	// Client talks to the provider. Default: one with a time limit.
	Client *http.Client
	// Logger hears why logins fail. Default: nobody.
	Logger *slog.Logger
}

// Login knows people by the session of their browser, which begins with a login at an OpenID Connect provider.
type Login struct {
	*sessions

	base     string // path of the server as browsers see it, without a slash at its end
	claims   Claims
	client   *http.Client
	home     string // URL of the server
	log      *slog.Logger
	oauth    oauth2.Config
	origin   http.CrossOriginProtection
	provider provider
	roles    Roles
}

const callbackPath = "/auth/callback"

// OIDC makes the login. It is an [Authenticator] by the session cookie; its pages are those of [Login.Mount].
func OIDC(cfg *OIDCConfig) (*Login, error) {
	if cfg.Issuer == "" || cfg.ClientID == "" {
		return nil, errors.New("a login needs the issuer of the provider and a client id")
	}
	u, err := url.Parse(cfg.RedirectURL)
	secure := err == nil && u.Scheme == "https"
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || path.Clean(u.Path) != u.Path || !strings.HasSuffix(u.Path, callbackPath):
		return nil, fmt.Errorf("the redirect URL must be https://HOST%s, with the prefix of the server in between if it has one", callbackPath)
	case !secure && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, errors.New("the redirect URL must be https, except on the machine itself")
	}
	if err := cfg.Roles.check(); err != nil {
		return nil, err
	}
	seal, err := newSealer(cfg.Key)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(u.Path, callbackPath)
	l := &Login{
		sessions: &sessions{sealer: seal, idle: cfg.Idle, lifetime: cfg.Lifetime, path: firstOf(base, "/"), secure: secure},
		base:     base, claims: cfg.Claims, client: clientOr(cfg.Client), home: u.Scheme + "://" + u.Host + base + "/",
		log: cfg.Logger, roles: cfg.Roles, provider: provider{issuer: cfg.Issuer},
		oauth: oauth2.Config{ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, RedirectURL: cfg.RedirectURL, Scopes: cfg.Scopes},
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.idle <= 0 {
		l.idle = defaultIdle
	}
	if l.lifetime <= 0 {
		l.lifetime = defaultLifetime
	}
	if len(l.oauth.Scopes) == 0 {
		l.oauth.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	}
	return l, nil
}

// isLoopback reports whether a host of a URL is the machine itself.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// Mount adds the pages: GET /auth/login, which takes return_to, a path of this server to go to in the end; GET /auth/callback,
// for the provider; and POST /auth/logout. A prefix must be gone from the requests' paths.
func (l *Login) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /auth/login", l.login)
	mux.HandleFunc("GET /auth/callback", l.callback)
	mux.Handle("POST /auth/logout", l.origin.Handler(http.HandlerFunc(l.logout)))
}

// provider is what is known of the provider: its endpoints and keys.
type provider struct {
	issuer string

	mu     sync.Mutex // held while it is asked: everybody waits for one answer
	known  *oidc.Provider
	end    string // where it ends its own session; empty: nowhere
	failed error
	tried  time.Time
}

const providerPause = 5 * time.Second // after a failure

// get asks the provider once, and after a failure not again at once. The keys are fetched by what it returns.
func (p *provider) get(ctx context.Context, client *http.Client) (known *oidc.Provider, end string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.known != nil:
		return p.known, p.end, nil
	case p.failed != nil && time.Since(p.tried) < providerPause:
		return nil, "", p.failed
	}
	// A browser that goes away must not fail the others.
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), client), 10*time.Second)
	defer cancel()
	p.tried = time.Now()
	found, err := oidc.NewProvider(ctx, p.issuer)
	var more struct {
		End string `json:"end_session_endpoint"`
	}
	if err == nil {
		err = found.Claims(&more)
	}
	if err != nil {
		p.failed = fmt.Errorf("ask the provider %s for its description: %w", p.issuer, err)
		return nil, "", p.failed
	}
	p.known, p.end = found, more.End
	return p.known, p.end, nil
}
