package redisclient

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Target is what a URL leads to: one server, a cluster, or the master that sentinels know. One of the three is not nil.
type Target struct {
	Server   *redis.Options
	Cluster  *redis.ClusterOptions
	Sentinel *redis.FailoverOptions
}

const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// errForm is all that is said of a URL that cannot be read, because the password may be in any part of it.
var errForm = errors.New("redis URL: must be like redis://USER:PASSWORD@HOST:PORT/DB, with redis, rediss, unix, redis+cluster, " +
	"rediss+cluster, redis+sentinel or rediss+sentinel before ://; in user and password, every character but letters, digits " +
	"and -._~ has to be written as % and two hexadecimal digits")

// Parse reads the forms of a URL:
//
//	redis://[USER:PASSWORD@]HOST[:6379][/DB]
//	unix://[USER:PASSWORD@]/PATH[?db=DB]
//	redis+cluster://[USER:PASSWORD@]HOST[:6379][,HOST…]
//	redis+sentinel://[USER:PASSWORD@]HOST[:26379][,HOST…]/MASTER[/DB]
//
// With rediss in place of redis the connections use TLS. Behind a question mark stand options of go-redis, as its ParseURL,
// ParseClusterURL and ParseFailoverURL have them. User and password are those of the servers; sentinels have the options
// sentinel_username and sentinel_password. No error shows a password.
func Parse(raw string) (*Target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	base, kind, _ := strings.Cut(strings.ToLower(scheme), "+")
	if !ok || !slices.Contains([]string{"redis", "rediss", "unix"}, base) || base == "unix" && kind != "" {
		return nil, errForm
	}
	var t *Target
	var err error
	switch plain := base + "://" + rest; kind {
	case "":
		t, err = parseServer(plain)
	case "cluster":
		t, err = parseCluster(plain)
	case "sentinel":
		t, err = parseSentinel(plain)
	default:
		return nil, errForm
	}
	if err != nil {
		return nil, err
	}
	t.settle()
	return t, nil
}

func parseServer(raw string) (*Target, error) {
	u, hosts, err := split(raw, redisPort)
	if err != nil {
		return nil, err
	}
	if len(hosts) > 1 {
		return nil, errors.New("redis URL: has several hosts: of a cluster (redis+cluster://) or sentinels (redis+sentinel://)?")
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, explain(err)
	}
	return &Target{Server: o}, nil
}

func parseCluster(raw string) (*Target, error) {
	u, hosts, err := split(raw, redisPort)
	if err != nil {
		return nil, err
	}
	if p := strings.Trim(u.Path, "/"); p != "" && p != "0" {
		return nil, errors.New("redis URL: a cluster has no database but 0")
	}
	o, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return nil, explain(err)
	}
	o.Addrs = hosts
	if len(hosts) > 1 && o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each server has to show its own name
	}
	return &Target{Cluster: o}, nil
}

func parseSentinel(raw string) (*Target, error) {
	u, hosts, err := split(raw, sentinelPort)
	if err != nil {
		return nil, err
	}
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return nil, errors.New("redis URL: names no master: redis+sentinel://HOST,HOST/MASTER")
	}
	query := u.Query()
	sentinelUser, sentinelPassword := query.Get("sentinel_username"), query.Get("sentinel_password")
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	for _, elsewhere := range []string{"addr", "master_name", "username", "password"} {
		if query.Has(elsewhere) {
			return nil, fmt.Errorf("redis URL: has the option %s, which the part before the question mark says", elsewhere)
		}
	}
	user := u.User
	u.User, u.Path, u.RawPath, u.RawQuery = nil, "/"+db, "", query.Encode()
	o, err := redis.ParseFailoverURL(u.String())
	if err != nil {
		return nil, explain(err)
	}
	if o.RouteByLatency || o.RouteRandomly || o.ReplicaOnly {
		return nil, errors.New("redis URL: signals and locks need the master: not route_by_latency, route_randomly or replica_only")
	}
	o.SentinelAddrs, o.MasterName = hosts, master
	o.Username = user.Username()
	o.Password, _ = user.Password()
	o.SentinelUsername, o.SentinelPassword = sentinelUser, sentinelPassword
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // those of the sentinels and of the master differ
	}
	return &Target{Sentinel: o}, nil
}

// split takes the list of hosts out of a URL, which is then one that net/url and go-redis read.
func split(raw, port string) (u *url.URL, hosts []string, err error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	_, query, _ := strings.Cut(tail, "?")
	// An @ behind the hosts, or a fragment, is where a password was not escaped: what looks like hosts is a part of it.
	if strings.Contains(tail, "#") || strings.Contains(query, "@") || scheme != "unix" && strings.Contains(tail, "@") {
		return nil, nil, errForm
	}
	at := strings.LastIndexByte(authority, '@') + 1
	for host := range strings.SplitSeq(authority[at:], ",") {
		one, err := url.Parse(scheme + "://" + host)
		bare := err == nil && !strings.HasPrefix(host, "[") && strings.Contains(one.Hostname(), ":") // of IPv6
		if err != nil || one.Host != host || bare || scheme == "unix" && host != "" {
			return nil, nil, errForm
		}
		hosts = append(hosts, address(one, port))
	}
	first, _, _ := strings.Cut(authority[at:], ",")
	if u, err = url.Parse(scheme + "://" + authority[:at] + first + tail); err != nil {
		return nil, nil, errForm // the reason that net/url gives shows parts of the URL
	}
	return u, hosts, nil
}

func address(u *url.URL, port string) string {
	host := u.Hostname()
	if host == "" {
		host = "localhost"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(host, port)
}

// explain says what go-redis does not accept. By then the URL is known to have its user and password where they belong,
// and go-redis shows only the rest.
func explain(err error) error {
	return fmt.Errorf("redis URL: %s", strings.TrimPrefix(err.Error(), "redis: "))
}

// settle chooses what a URL leaves open. Deadlines of contexts hold, the plugs try again by themselves, and few commands
// are sent at a time; the notices of managed servers before they move are not needed by a client that reconnects.
func (t *Target) settle() {
	choose := func(deadlines *bool, name *string, dials, pipelines *int) {
		*deadlines = true
		*name = cmp.Or(*name, "gtf")
		*dials = cmp.Or(*dials, 1)
		*pipelines = cmp.Or(*pipelines, -1)
	}
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case t.Server != nil:
		o := t.Server
		o.MaintNotificationsConfig = quiet
		choose(&o.ContextTimeoutEnabled, &o.ClientName, &o.DialerRetries, &o.PipelinePoolSize)
	case t.Cluster != nil:
		o := t.Cluster
		o.MaintNotificationsConfig = quiet
		choose(&o.ContextTimeoutEnabled, &o.ClientName, &o.DialerRetries, &o.PipelinePoolSize)
	case t.Sentinel != nil:
		o := t.Sentinel
		choose(&o.ContextTimeoutEnabled, &o.ClientName, &o.DialerRetries, &o.PipelinePoolSize)
	}
}

// client makes the client. It does not connect yet.
func (t *Target) client() redis.UniversalClient {
	switch {
	case t.Cluster != nil:
		return redis.NewClusterClient(t.Cluster)
	case t.Sentinel != nil:
		return redis.NewFailoverClient(t.Sentinel)
	}
	return redis.NewClient(t.Server)
}

// String tells the addresses.
func (t *Target) String() string {
	switch {
	case t.Cluster != nil:
		return strings.Join(t.Cluster.Addrs, ", ")
	case t.Sentinel != nil:
		return fmt.Sprintf("%s of %s", t.Sentinel.MasterName, strings.Join(t.Sentinel.SentinelAddrs, ", "))
	}
	return t.Server.Addr
}
