package auth

import (
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ProxyConfig says whose headers are believed. The proxy must remove these headers from what its clients send.
type ProxyConfig struct {
	// Addresses the proxy's connections come from. Headers of everybody else are ignored.
	Addresses []netip.Prefix
	// Unix believes who connects by a socket file, too. Default false.
	Unix bool
	// User, Name, Email and Groups are the headers. Groups are separated by commas. Default X-Forwarded-User,
	// X-Forwarded-Preferred-Username, X-Forwarded-Email and X-Forwarded-Groups.
	User, Name, Email, Groups string
	Roles                     Roles
}

// Proxy knows people by the headers of a proxy that has checked them. A request of the proxy without a user is nobody's. It
// goes by the request's RemoteAddr, which has to be the peer of the connection and nothing a header said.
func Proxy(cfg *ProxyConfig) (Authenticator, error) {
	if len(cfg.Addresses) == 0 && !cfg.Unix {
		return nil, errors.New("a proxy needs the addresses it connects from")
	}
	if slices.ContainsFunc(cfg.Addresses, func(p netip.Prefix) bool { return !p.IsValid() }) {
		return nil, errors.New("an address of the proxy is not valid")
	}
	p := &proxy{addresses: cfg.Addresses, unix: cfg.Unix, roles: cfg.Roles,
		user: firstOf(cfg.User, "X-Forwarded-User"), name: firstOf(cfg.Name, "X-Forwarded-Preferred-Username"),
		email: firstOf(cfg.Email, "X-Forwarded-Email"), groups: firstOf(cfg.Groups, "X-Forwarded-Groups")}
	for _, header := range []string{p.user, p.name, p.email, p.groups} {
		if strings.ContainsFunc(header, func(c rune) bool { return c <= ' ' || c > '~' || c == ':' }) {
			return nil, fmt.Errorf("%.40q is no name of a header", header)
		}
	}
	return p, cfg.Roles.check()
}

// ParsePrefix reads an address, or many as a CIDR.
func ParsePrefix(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%.60q is neither an address nor a CIDR like 10.0.0.0/8", text)
	}
	return p, nil
}

type proxy struct {
	addresses                 []netip.Prefix
	unix                      bool
	user, name, email, groups string
	roles                     Roles
}

// Authenticate implements Authenticator.
func (p *proxy) Authenticate(r *http.Request) (*Identity, error) {
	if !p.trusts(r) {
		return nil, nil
	}
	for _, name := range []string{p.user, p.name, p.email, p.groups} {
		if n := len(r.Header.Values(name)); n > 1 { // the proxy adds to what a client sent instead of replacing it
			return nil, fmt.Errorf("%w: there are %d headers %s", ErrCredentials, n, name)
		}
	}
	user := r.Header.Get(p.user)
	if user == "" {
		return nil, nil
	}
	who, err := person(user, decoded(r.Header.Get(p.name)), decoded(r.Header.Get(p.email)))
	if err != nil {
		return nil, err
	}
	var groups []string
	for group := range strings.SplitSeq(r.Header.Get(p.groups), ",") {
		groups = append(groups, strings.TrimSpace(group))
	}
	return p.roles.of(groups).Identity(who, "proxy"), nil
}

// trusts reports whether the other end of the connection is the proxy.
func (p *proxy) trusts(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr); ok && local != nil {
		return p.unix
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip := peer.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(p.addresses, func(a netip.Prefix) bool { return a.Contains(ip) })
}

// decoded reads a header that is written as in mail: =?UTF-8?Q?Ad=C3=A9la?=.
func decoded(text string) string {
	if plain, err := new(mime.WordDecoder).DecodeHeader(text); err == nil {
		return plain
	}
	return text
}
