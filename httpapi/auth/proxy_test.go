package auth_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/globaltask/gtf/httpapi/auth"
)

func from(peer string, headers ...string) *http.Request {
	r := request(headers...)
	r.RemoteAddr = peer
	return r
}

func TestProxy(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.0.2.7/32")}
	a := must[auth.Authenticator](t)(auth.Proxy(&auth.ProxyConfig{Addresses: trusted, Roles: auth.Roles{Admin: []string{"ops"}, Default: auth.RoleViewer}}))
	const ada = "X-Forwarded-User"
	tests := []struct {
		name string
		r    *http.Request
		want verdict
	}{
		{"believes its proxy", from("10.1.2.3:4711", ada, "ada"), good},
		{"believes its proxy by IPv6", from("[fd00::1]:4711", ada, "ada"), good},
		{"believes an IPv4 address written as IPv6", from("[::ffff:10.1.2.3]:4711", ada, "ada"), good},
		{"believes an address with a zone", from("[fd00::1%eth0]:4711", ada, "ada"), good},
		{"ignores the headers of others", from("10.2.2.3:4711", ada, "ada"), unknown},
		{"ignores the headers of the proxy's neighbour", from("192.0.2.8:4711", ada, "ada"), unknown},
		{"ignores others by IPv6", from("[2001:db8::1]:4711", ada, "ada"), unknown},
		{"goes by the connection, not by what a header says of it", from("10.2.2.3:4711", ada, "ada", "X-Forwarded-For", "10.1.2.3", "X-Real-Ip", "10.1.2.3"), unknown},
		{"ignores who has no address", from("", ada, "ada"), unknown},
		{"ignores what is no address", from("@", ada, "ada"), unknown},
		{"takes the proxy's request without a user for nobody's", from("10.1.2.3:4711"), unknown},
		{"takes an empty user for nobody", from("10.1.2.3:4711", ada, ""), unknown},
		{"refuses two users: the proxy keeps what clients send", from("10.1.2.3:4711", ada, "root", ada, "ada"), refused},
		{"refuses two headers of groups", from("10.1.2.3:4711", ada, "ada", "X-Forwarded-Groups", "ops", "X-Forwarded-Groups", "dev"), refused},
		{"refuses an id that is too long", from("10.1.2.3:4711", ada, strings.Repeat("x", 129)), refused},
		{"refuses an id that is no text", from("10.1.2.3:4711", ada, "a\xff"), refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			says(t, a, tt.r, tt.want)
		})
	}

	t.Run("reads name, email and groups", func(t *testing.T) {
		t.Parallel()
		knows(t, a, from("10.1.2.3:1", ada, "ada", "X-Forwarded-Preferred-Username", "=?UTF-8?Q?Ad=C3=A9la?=", "X-Forwarded-Email", "ada@example.com",
			"X-Forwarded-Groups", "dev, ops"), auth.RoleAdmin.Identity(user("ada", "Adéla", "ada@example.com"), "proxy"))
		knows(t, a, from("10.1.2.3:1", ada, "ada", "X-Forwarded-Preferred-Username", "=?x?Q?Ada", "X-Forwarded-Groups", "dev,not ops"),
			auth.RoleViewer.Identity(user("ada", "=?x?Q?Ada", ""), "proxy"))
	})

	t.Run("reads other headers on request", func(t *testing.T) {
		t.Parallel()
		a := must[auth.Authenticator](t)(auth.Proxy(&auth.ProxyConfig{Addresses: trusted, User: "Remote-User", Name: "Remote-Name", Email: "Remote-Email", Groups: "Remote-Groups"}))
		knows(t, a, from("10.1.2.3:1", "Remote-User", "ada", "Remote-Name", "Ada", "Remote-Email", "a@example.com", "Remote-Groups", "x, admin"),
			auth.RoleAdmin.Identity(user("ada", "Ada", "a@example.com"), "proxy"))
		says(t, a, from("10.1.2.3:1", ada, "ada"), unknown)
	})

	t.Run("believes who comes by a socket file only if it is told to", func(t *testing.T) {
		t.Parallel()
		r := from("@", ada, "ada")
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/gtf.sock", Net: "unix"}))
		says(t, a, r, unknown)
		says(t, must[auth.Authenticator](t)(auth.Proxy(&auth.ProxyConfig{Unix: true})), r, good)
		says(t, must[auth.Authenticator](t)(auth.Proxy(&auth.ProxyConfig{Unix: true})), from("10.1.2.3:1", ada, "ada"), unknown)
	})

	refusals := []struct {
		name string
		cfg  auth.ProxyConfig
	}{
		{"nobody to believe", auth.ProxyConfig{}},
		{"an address that is none", auth.ProxyConfig{Addresses: []netip.Prefix{{}}}},
		{"a header that is none", auth.ProxyConfig{Unix: true, User: "X User"}},
		{"a default role that is none", auth.ProxyConfig{Unix: true, Roles: auth.Roles{Default: "root"}}},
	}
	for _, tt := range refusals {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := auth.Proxy(&tt.cfg); err == nil {
				t.Error("it is accepted")
			}
		})
	}
}

func TestParsePrefix(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "192.0.2.7": "192.0.2.7/32", "::1": "::1/128", "::ffff:10.0.0.1": "10.0.0.1/32",
	} {
		if got, err := auth.ParsePrefix(text); err != nil || got.String() != want {
			t.Errorf("ParsePrefix(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "proxy", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.1:80"} {
		if got, err := auth.ParsePrefix(text); err == nil {
			t.Errorf("ParsePrefix(%q) = %v, want an error", text, got)
		}
	}
}
