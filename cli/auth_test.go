package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
)

// configured is a console with the settings of a file and of flags, as serve has it.
func configured(t *testing.T, file string, args ...string) (*Console, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	c := newConsole(testApp(), nil, nil, &log)
	root := c.root()
	if file != "" {
		args = append(args, "--config", writeFile(t, file))
	}
	if err := root.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	return c, &log
}

func send(t *testing.T, a auth.Authenticator, headers ...string) *auth.Identity {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/task/", http.NoBody)
	r.RemoteAddr = "10.1.2.3:4711"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	id, err := a.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

const (
	loopback = "127.0.0.1:8080"
	anywhere = "0.0.0.0:8080"
	key32    = "0123456789abcdef0123456789abcdef"
)

func TestAuthenticator(t *testing.T) {
	t.Run("takes every configured way at once", func(t *testing.T) {
		token := auth.NewToken()
		hash, err := auth.HashToken(token)
		if err != nil {
			t.Fatal(err)
		}
		entry := auth.Token{ID: "bot", Name: "A, bot", Role: auth.RoleViewer, Hash: hash}
		secrets := t.TempDir()
		for name, text := range map[string]string{"guest": key32 + "\n", "session": key32} {
			if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, _ := configured(t, yamlToken(entry)+`
  jwt: {key: `+key32+key32+`, issuer: idp, audience: gtf, leeway: none}
  claims: {roles: groups}
  roles:
    admin: ["cn=ops,ou=groups", boss]
    default: viewer
  oidc: {issuer: "https://idp.example.com", client_id: gtf, redirect_url: "https://tasks.example.com/auth/callback"}
  session: {key_file: `+filepath.Join(secrets, "session")+`, idle: 1h}
  proxy: {addresses: [10.1.0.0/16, unix]}
  guest: {key_file: `+filepath.Join(secrets, "guest")+`}
  demo: true
  demo_anywhere: true
`)
		a, mount, err := c.authenticator(t.Context(), anywhere)
		if err != nil {
			t.Fatal(err)
		}
		guest, err := auth.MintGuest([]byte(key32), auth.Guest{ID: "visitor", Types: []string{"a"}}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			method, id string
			headers    []string
		}{
			{"token", "bot", []string{"Authorization", "Bearer " + token}},
			{"guest", "visitor", []string{"Authorization", "Bearer " + guest}},
			{"proxy", "ada", []string{"X-Forwarded-User", "ada", "X-Forwarded-Groups", "boss"}},
			{"demo", "ada", nil},
		} {
			id := send(t, a, tt.headers...)
			if id == nil || id.Method != tt.method || id.Principal.ID != tt.id {
				t.Errorf("%v is %+v, want %s by %s", tt.headers, id, tt.id, tt.method)
			}
			if tt.method == "proxy" && !id.Principal.Admin {
				t.Error("the group of admins makes no admin")
			}
		}
		if got, want := c.roles().Admin, []string{"cn=ops,ou=groups", "boss"}; !slices.Equal(got, want) {
			t.Errorf("the admins' groups are %q, want %q", got, want)
		}
		mux := http.NewServeMux()
		mount(mux)
		for path, want := range map[string]string{"/auth/login": "GET /auth/login", "/auth/demo": "GET /auth/demo"} {
			if _, pattern := mux.Handler(httptest.NewRequest(http.MethodGet, path, http.NoBody)); pattern != want {
				t.Errorf("%s is answered by %q, want %q", path, pattern, want)
			}
		}
	})

	t.Run("without any lets nobody in, and says so", func(t *testing.T) {
		for _, listen := range []string{loopback, "localhost:0", "[::1]:8080"} {
			c, log := configured(t, "")
			a, mount, err := c.authenticator(t.Context(), listen)
			if err != nil || send(t, a) != nil || !strings.Contains(log.String(), "auth.demo") {
				t.Errorf("%s: got %v, %v and the log %q", listen, a, err, log)
			}
			mount(http.NewServeMux())
		}
	})

	t.Run("checks a token list of the environment", func(t *testing.T) {
		t.Setenv("GTF_AUTH_TOKENS", "ada:admin:"+strings.Repeat("0f", 32)+", grace:user:"+strings.Repeat("1e", 32))
		if v, source := inForce(t, "auth.tokens"); v != "ada:admin,grace:user" || source != fromEnv {
			t.Errorf("it is shown as %q from %s", v, source)
		}
		c, _ := configured(t, "")
		if _, _, err := c.authenticator(t.Context(), anywhere); err != nil {
			t.Error(err)
		}
	})

	oidc := "auth: {oidc: {issuer: https://idp.example.com, client_id: gtf, redirect_url: https://x.example.com/auth/callback}"
	tests := []struct {
		name, file, listen string
		says               []string
	}{
		{"nothing on another address", "", anywhere, []string{"0.0.0.0:8080", "tool token create --id ada", "GTF_AUTH_TOKENS", "auth.oidc", loopback}},
		{"nothing on every address", "", ":8080", []string{"loopback"}},
		{"nothing on a host by its name", "", "example.org:80", []string{"loopback"}},
		{"the demo on another address", "auth: {demo: true}", anywhere, []string{"auth.demo_anywhere"}},
		{"the demo on another address, beside what is safe", oidc + ", demo: true}", anywhere, []string{"auth.demo_anywhere"}},
		{"an issuer of tokens without a key", "auth: {jwt: {issuer: x}}", loopback, []string{"auth.jwt.jwks_url"}},
		{"a short key", "auth: {jwt: {key: geheim}}", loopback, []string{"auth.jwt", "32"}},
		{"a public key without audience", "auth: {jwt: {jwks_url: https://idp.example.com/keys, issuer: x}}", loopback, []string{"auth.jwt", "audience"}},
		{"two keys", "auth: {jwt: {jwks_url: https://x, key: " + key32 + "}}", loopback, []string{"one of them"}},
		{"an unknown algorithm", "auth: {jwt: {key: " + key32 + ", algorithms: [none]}}", loopback, []string{`"none"`}},
		{"a guest key that is short", "auth: {guest: {key: geheim}}", loopback, []string{"auth.guest.key", "32"}},
		{"a proxy's address that is none", "auth: {proxy: {addresses: proxy}}", loopback, []string{"auth.proxy.addresses", `"proxy"`}},
		{"a proxy's header that is none", "auth: {proxy: {addresses: 10.0.0.1, user_header: X User}}", loopback, []string{"auth.proxy", "X User"}},
		{"a client without a provider", "auth: {oidc: {client_id: x}}", loopback, []string{"auth.oidc.issuer"}},
		{"a provider without a redirect URL", "auth: {oidc: {issuer: https://x, client_id: x}}", loopback, []string{"auth.oidc", "/auth/callback"}},
		{"a session key that is short", oidc + ", session: {key: geheim}}", loopback, []string{"sessions", "32"}},
		{"a secret and its file", "auth: {guest: {key: x, key_file: y}}", loopback, []string{"auth.guest.key and auth.guest.key_file"}},
		{"a file that is not there", "auth: {jwt: {key_file: /does/not/exist}}", loopback, []string{"auth.jwt.key_file", "/does/not/exist"}},
		{"an empty file", "auth: {guest: {key_file: " + os.DevNull + "}}", loopback, []string{"is empty"}},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			c, _ := configured(t, tt.file)
			_, _, err := c.authenticator(t.Context(), tt.listen)
			if code(err) != ExitUsage {
				t.Fatalf("got %v, want a usage error", err)
			}
			for _, text := range tt.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("says %q, which lacks %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("says %q, which has a secret", err)
			}
		})
	}
}

func TestAuthSettings(t *testing.T) {
	hash := strings.Repeat("0f", 32)
	refused := []struct{ name, file, says string }{
		{"a token without role", "auth: {tokens: [{id: ada, sha256: " + hash + "}]}", "role"},
		{"a token with a key that is none", "auth: {tokens: [{id: ada, rolle: admin}]}", `"rolle"`},
		{"a token with a bad hash", "auth: {tokens: [{id: ada, role: admin, sha256: geheim}]}", `"ada"`},
		{"a token without anything", "auth: {tokens: [{}]}", "SHA-256"},
		{"a list where there is none", "heartbeat: [1s]", "must not be a list"},
		{"a role that is none", "auth: {roles: {default: root}}", "auth.roles.default"},
		{"a session without end", "auth: {session: {idle: none}}", "auth.session.idle"},
	}
	for _, tt := range refused {
		t.Run("refuse "+tt.name, func(t *testing.T) {
			a := runApp(t.Context(), testApp(), "", "settings", "--config", writeFile(t, tt.file))
			if a.code != ExitUsage || !strings.Contains(a.err, tt.says) || strings.Contains(a.err, "geheim") {
				t.Errorf("exit code %d, errors %q, want %q", a.code, a.err, tt.says)
			}
		})
	}
	t.Run("take tokens as texts, and do without an empty list", func(t *testing.T) {
		for file, want := range map[string]string{
			"auth: {tokens: ['ada:admin:" + hash + "']}":                                                "ada:admin",
			"auth: {tokens: 'ada:admin:" + hash + "'}":                                                  "ada:admin",
			"auth: {tokens: [{id: 7, name: 'A, b: c', email: null, role: user, sha256: " + hash + "}]}": "7:user",
			"auth: {tokens: []}": "",
			"auth: {tokens: }":   "",
		} {
			if v, _ := inForce(t, "auth.tokens", "--config", writeFile(t, file)); v != want {
				t.Errorf("%s is shown as %q, want %q", file, v, want)
			}
		}
	})
	t.Run("never show a secret", func(t *testing.T) {
		for _, s := range authSettings() {
			name := strings.ToLower(s.Name[strings.LastIndexByte(s.Name, '.')+1:])
			if secret := name == "key" || name == "client_secret"; secret != s.Secret {
				t.Errorf("%s: Secret is %v", s.Name, s.Secret)
			}
			if s.Secret {
				t.Setenv(s.Env(), "geheim")
			}
		}
		a := runApp(t.Context(), testApp(), "", "settings")
		if a.code != ExitOK || strings.Contains(a.out+a.err, "geheim") || strings.Count(a.out, "(set)") != 4 {
			t.Errorf("exit code %d, output %s%s", a.code, a.out, a.err)
		}
	})
}

func TestParseList(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " , ": nil, "a": {"a"}, " a , b": {"a", "b"}, `cn=a\,ou=b,c`: {"cn=a,ou=b", "c"},
	} {
		got := parseList(text)
		if !slices.Equal(got, want) || !slices.Equal(parseList(formatList(got)), want) {
			t.Errorf("parseList(%q) = %q, want %q; written as %q", text, got, want, formatList(got))
		}
	}
}

func TestToken(t *testing.T) {
	t.Run("create prints a token that what it says to configure lets in", func(t *testing.T) {
		made := runApp(t.Context(), testApp(), "", "token", "create", "--id", "ada", "--name", `Ada "the first", Lovelace: ü`, "--email", "ada@example.com", "--role", "admin")
		token := strings.TrimSpace(made.out)
		if made.code != ExitOK || !strings.HasPrefix(token, "gtf_") || strings.Contains(made.err, token) {
			t.Fatalf("exit code %d, output %q, errors %q", made.code, made.out, made.err)
		}
		_, rest, _ := strings.Cut(made.err, "\n\n")
		file, rest, _ := strings.Cut(rest, "\nand GTF_AUTH_TOKENS")
		_, entry, _ := strings.Cut(rest, "\n\n")
		byFile, _ := configured(t, file)
		byFlag, _ := configured(t, "", "--auth-tokens", strings.TrimSpace(entry))
		for _, c := range []*Console{byFile, byFlag} {
			a, _, err := c.authenticator(t.Context(), anywhere)
			if err != nil {
				t.Fatal(err)
			}
			id := send(t, a, "Authorization", "Bearer "+token)
			if id == nil || id.Principal.Name != `Ada "the first", Lovelace: ü` || id.Principal.Email != "ada@example.com" || !id.Principal.Admin {
				t.Errorf("got %+v", id)
			}
		}
	})
	t.Run("create and hash write JSON for programs", func(t *testing.T) {
		var made, hashed map[string]string
		a := runApp(t.Context(), testApp(), "", "token", "create", "--id", "ada", "--json")
		if err := json.Unmarshal([]byte(a.out), &made); err != nil {
			t.Fatal(err)
		}
		a = runApp(t.Context(), testApp(), made["token"]+"\n", "token", "hash", "--id", "ada", "--json")
		if err := json.Unmarshal([]byte(a.out), &hashed); err != nil {
			t.Fatal(err)
		}
		if made["role"] != "user" || made["setting"] == "" || made["setting"] != hashed["setting"] || hashed["token"] != "" {
			t.Errorf("create writes %v, hash %v", made, hashed)
		}
	})
	t.Run("hash prints what the file wants", func(t *testing.T) {
		a := runApp(t.Context(), testApp(), key32, "token", "hash", "--id", "bot", "--role", "viewer")
		if v, _ := inForce(t, "auth.tokens", "--config", writeFile(t, a.out)); a.code != ExitOK || v != "bot:viewer" {
			t.Errorf("exit code %d, output %q, read as %q", a.code, a.out, v)
		}
	})
	t.Run("guest prints a token that is good for its types", func(t *testing.T) {
		t.Setenv("GTF_AUTH_GUEST_KEY", key32)
		a := runApp(t.Context(), testApp(), "", "token", "guest", "--id", "visitor", "--types", "a,b", "--for", "2d", "--write", "--name", "A visitor")
		guests, err := auth.Guests([]byte(key32))
		if err != nil {
			t.Fatal(err)
		}
		id := send(t, guests, "Authorization", "Bearer "+strings.TrimSpace(a.out))
		if id == nil || !slices.Equal(id.Types, []string{"a", "b"}) || !id.Write || id.Principal.Name != "A visitor" {
			t.Errorf("got %+v by %q (%s)", id, a.out, a.err)
		}
		a = runApp(t.Context(), testApp(), "", "token", "guest", "--id", "visitor", "--types", "a", "--json")
		if !strings.Contains(a.out, `"expires_in":86400`) {
			t.Errorf("got %s", a.out)
		}
	})
	refused := []struct {
		name, input string
		args        []string
		says        string
	}{
		{"create without id", "", []string{"create"}, "--id"},
		{"create with an unknown role", "", []string{"create", "--id", "ada", "--role", "root"}, `"root"`},
		{"create with an id that is too long", "", []string{"create", "--id", strings.Repeat("x", 129)}, "128"},
		{"an argument too many", "", []string{"create", "ada"}, `"ada"`},
		{"hash of nothing", "", []string{"hash", "--id", "ada"}, "guessed"},
		{"hash of a misspelt token", "gtf_geheim", []string{"hash", "--id", "ada"}, "misspelt"},
		{"guest without key", "", []string{"guest", "--id", "x", "--types", "a"}, "auth.guest.key"},
		{"guest without types", "", []string{"guest", "--id", "x", "--auth-guest-key", key32}, "types"},
		{"guest for ever", "", []string{"guest", "--id", "x", "--types", "a", "--for", "none", "--auth-guest-key", key32}, "lifetime"},
	}
	for _, tt := range refused {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			a := runApp(t.Context(), testApp(), tt.input, append([]string{"token"}, tt.args...)...)
			if a.code != ExitUsage || !strings.Contains(a.err, tt.says) || strings.Contains(a.err, "geheim") || a.out != "" {
				t.Errorf("exit code %d, output %q, errors %q, want %q", a.code, a.out, a.err, tt.says)
			}
		})
	}
}
