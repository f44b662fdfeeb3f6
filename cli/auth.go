package cli

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
)

// authSettings say who may use the HTTP API.
func authSettings() []Setting {
	roles := []string{string(auth.RoleAdmin), string(auth.RoleUser), string(auth.RoleViewer), string(auth.RoleNone)}
	table := []Setting{
		{Name: "auth.tokens", Kind: KindTokens,
			Usage: "static bearer tokens, by their hashes: ID:ROLE:SHA256, then :NAME and :EMAIL, separated by commas; in the file a list. token create makes one."},

		{Name: "auth.jwt.jwks_url", Kind: KindURL, Usage: "where the keys are that JSON Web Tokens are signed with."},
		{Name: "auth.jwt.key", Secret: true, Usage: "or a key shared with their issuer, of 32 bytes or more."},
		{Name: "auth.jwt.issuer", Usage: "the issuer they must have."},
		{Name: "auth.jwt.audience", Kind: KindList, Usage: "audiences, one of which they must have."},
		{Name: "auth.jwt.algorithms", Kind: KindList, Usage: "the signatures that count; default HS256, HS384 and HS512 with a shared key, else RS, PS, ES and EdDSA."},
		{Name: "auth.jwt.leeway", Kind: KindDuration, None: true, Default: "30s", Usage: "how far clocks may differ."},

		{Name: "auth.oidc.issuer", Kind: KindURL, Usage: "the OpenID Connect provider that browsers log in with."},
		{Name: "auth.oidc.client_id", Usage: "what this server is called there."},
		{Name: "auth.oidc.client_secret", Secret: true, Usage: "its secret there; none for a public client."},
		{Name: "auth.oidc.redirect_url", Usage: "the server's URL as browsers see it, and /auth/callback."},
		{Name: "auth.oidc.scopes", Kind: KindList, Default: "openid,profile,email", Usage: "what to ask the provider for."},

		{Name: "auth.session.key", Secret: true, Usage: "seals the cookies of logins, the same on every server, of 32 bytes or more; default a random one at each start."},
		{Name: "auth.session.idle", Kind: KindDuration, Default: "8h", Usage: "how long a login lasts without a request."},
		{Name: "auth.session.lifetime", Kind: KindDuration, Default: "1d", Usage: "how long a login lasts at most."},

		{Name: "auth.claims.id", Default: "sub", Usage: "the claim of JSON Web Tokens and logins that is the id; dots lead into objects."},
		{Name: "auth.claims.name", Usage: "the one that is the name; default name, or preferred_username."},
		{Name: "auth.claims.email", Default: "email", Usage: "the one that is the e-mail address."},
		{Name: "auth.claims.roles", Usage: "the one that auth.roles are looked for in: a list, a text, or true and false."},

		{Name: "auth.proxy.addresses", Kind: KindList, Usage: "addresses or CIDRs of proxies whose headers say who asks; unix for socket files."},
		{Name: "auth.proxy.user_header", Default: "X-Forwarded-User", Usage: "the header with the id."},
		{Name: "auth.proxy.name_header", Default: "X-Forwarded-Preferred-Username", Usage: "the header with the name."},
		{Name: "auth.proxy.email_header", Default: "X-Forwarded-Email", Usage: "the header with the e-mail address."},
		{Name: "auth.proxy.groups_header", Default: "X-Forwarded-Groups", Usage: "the header that auth.roles are looked for in, separated by commas."},

		{Name: "auth.roles.admin", Kind: KindList, Default: "admin", Usage: "groups or values of claims that make an admin."},
		{Name: "auth.roles.user", Kind: KindList, Default: "user", Usage: "those that make a user, who sees and cancels their own tasks."},
		{Name: "auth.roles.viewer", Kind: KindList, Default: "viewer", Usage: "those that make a viewer, who sees them only."},
		{Name: "auth.roles.default", Default: string(auth.RoleUser), OneOf: roles, Usage: "the role of people with none of them."},

		{Name: "auth.guest.key", Secret: true, Usage: "signs the tokens of guests, of 32 bytes or more."},

		{Name: "auth.demo", Kind: KindBool, Default: "false", Usage: "let everybody choose who they are: to try things out on one's own machine."},
		{Name: "auth.demo_anywhere", Kind: KindBool, Default: "false", Usage: "allow that on other addresses, too: whoever reaches them is an admin."},
	}
	for i := range table {
		table[i].Commands = nowhere
	}
	return withFiles(table)
}

// authenticator finds out who sends a request, in every configured way. mount adds the pages of those that have some; it is
// never nil.
func (c *Console) authenticator(_ context.Context, listen string) (a auth.Authenticator, mount func(*http.ServeMux), err error) {
	log := c.Logger(slog.LevelInfo)
	bearers, err := c.bearers()
	if err != nil {
		return nil, nil, err
	}
	var ways []auth.Authenticator
	if len(bearers) > 0 {
		ways = append(ways, auth.Bearer(bearers...))
	}
	proxy, err := c.proxy()
	if err != nil {
		return nil, nil, err
	}
	if proxy != nil {
		ways = append(ways, proxy)
	}
	mount = func(*http.ServeMux) {}
	login, err := c.login(log)
	if err != nil {
		return nil, nil, err
	}
	if login != nil {
		ways, mount = append(ways, login), login.Mount
	}
	own := isLoopback(listen)
	if c.Settings.Bool("auth.demo") {
		anywhere := c.Settings.Bool("auth.demo_anywhere")
		if !own && !anywhere {
			return nil, nil, usage("auth.demo makes an admin of whoever reaches %q, which is not a loopback address: listen on 127.0.0.1:8080, "+
				"or set auth.demo_anywhere if that is what you want", listen)
		}
		demo, others := auth.Demo(anywhere), mount
		ways = append(ways, demo)
		mount = func(mux *http.ServeMux) { others(mux); demo.Mount(mux) }
	}
	switch {
	case len(ways) > 0:
	case own:
		log.Warn("nobody can use the API: no authentication is configured", "try", "auth.demo, or auth.tokens with what token create prints")
	default:
		return nil, nil, usage("listen: %[1]q is not a loopback address, and nothing says who may use the API. Run \"%[2]s token create --id ada "+
			"--role admin\" and put what it prints into the file of --config or into GTF_AUTH_TOKENS; or configure auth.oidc, auth.jwt or "+
			"auth.proxy; or listen on 127.0.0.1:8080", listen, c.name)
	}
	return auth.First(ways...), mount, nil
}

// isLoopback reports whether only the machine itself reaches an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// bearers are those that read bearer tokens.
func (c *Console) bearers() ([]auth.Authenticator, error) {
	var found []auth.Authenticator
	add := func(setting string, a auth.Authenticator, err error) error {
		if err != nil {
			return usage("%s: %w", setting, err)
		}
		found = append(found, a)
		return nil
	}
	if list := value[[]auth.Token](c.Settings, "auth.tokens"); len(list) > 0 {
		a, err := auth.Tokens(list)
		if err := add("auth.tokens", a, err); err != nil {
			return nil, err
		}
	}
	key, err := c.secret("auth.jwt.key")
	if err != nil {
		return nil, err
	}
	if where := c.Settings.Text("auth.jwt.jwks_url"); where != "" || key != "" {
		a, err := auth.JWT(&auth.JWTConfig{
			Algorithms: c.Settings.list("auth.jwt.algorithms"), Audience: c.Settings.list("auth.jwt.audience"), Claims: c.claims(),
			Issuer: c.Settings.Text("auth.jwt.issuer"), JWKSURL: where, Key: []byte(key),
			Leeway: value[time.Duration](c.Settings, "auth.jwt.leeway"), Roles: c.roles(),
		})
		if err := add("auth.jwt", a, err); err != nil {
			return nil, err
		}
	} else if c.Settings.Given("auth.jwt.issuer") || c.Settings.Given("auth.jwt.audience") {
		return nil, usage("auth.jwt needs auth.jwt.jwks_url or auth.jwt.key")
	}
	guests, err := c.secret("auth.guest.key")
	if err != nil {
		return nil, err
	}
	if guests != "" {
		a, err := auth.Guests([]byte(guests))
		if err := add("auth.guest.key", a, err); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (c *Console) proxy() (auth.Authenticator, error) {
	addresses := c.Settings.list("auth.proxy.addresses")
	if len(addresses) == 0 {
		return nil, nil
	}
	cfg := &auth.ProxyConfig{
		User: c.Settings.Text("auth.proxy.user_header"), Name: c.Settings.Text("auth.proxy.name_header"),
		Email: c.Settings.Text("auth.proxy.email_header"), Groups: c.Settings.Text("auth.proxy.groups_header"), Roles: c.roles(),
	}
	for _, text := range addresses {
		if text == "unix" {
			cfg.Unix = true
			continue
		}
		prefix, err := auth.ParsePrefix(text)
		if err != nil {
			return nil, usage("auth.proxy.addresses: %w", err)
		}
		cfg.Addresses = append(cfg.Addresses, prefix)
	}
	a, err := auth.Proxy(cfg)
	if err != nil {
		return nil, usage("auth.proxy: %w", err)
	}
	return a, nil
}

func (c *Console) login(log *slog.Logger) (*auth.Login, error) {
	issuer := c.Settings.Text("auth.oidc.issuer")
	if issuer == "" {
		if c.Settings.Given("auth.oidc.client_id") || c.Settings.Given("auth.oidc.redirect_url") {
			return nil, usage("auth.oidc needs auth.oidc.issuer")
		}
		return nil, nil
	}
	secret, err := c.secret("auth.oidc.client_secret")
	if err != nil {
		return nil, err
	}
	key, err := c.secret("auth.session.key")
	if err != nil {
		return nil, err
	}
	login, err := auth.OIDC(&auth.OIDCConfig{
		Issuer: issuer, ClientID: c.Settings.Text("auth.oidc.client_id"), ClientSecret: secret,
		RedirectURL: c.Settings.Text("auth.oidc.redirect_url"), Scopes: c.Settings.list("auth.oidc.scopes"),
		Claims: c.claims(), Roles: c.roles(), Key: []byte(key), Logger: log,
		Idle: value[time.Duration](c.Settings, "auth.session.idle"), Lifetime: value[time.Duration](c.Settings, "auth.session.lifetime"),
	})
	if err != nil {
		return nil, usage("auth.oidc: %w", err)
	}
	return login, nil
}

func (c *Console) claims() auth.Claims {
	return auth.Claims{ID: c.Settings.Text("auth.claims.id"), Name: c.Settings.Text("auth.claims.name"),
		Email: c.Settings.Text("auth.claims.email"), Roles: c.Settings.Text("auth.claims.roles")}
}

func (c *Console) roles() auth.Roles {
	return auth.Roles{Admin: c.Settings.list("auth.roles.admin"), User: c.Settings.list("auth.roles.user"),
		Viewer: c.Settings.list("auth.roles.viewer"), Default: auth.Role(c.Settings.Text("auth.roles.default"))}
}
