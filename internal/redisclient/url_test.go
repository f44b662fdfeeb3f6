package redisclient

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		url  string
		want string // what describe makes of it
	}{
		{"a host", "redis://cache", "server cache:6379"},
		{"no host", "redis://", "server localhost:6379"},
		{"a port and a database", "redis://cache:7000/3", "server cache:7000 db=3"},
		{"a user and a password", "redis://ann:s%2Fcret@cache", "server cache:6379 user=ann password=s/cret"},
		{"a password alone", "redis://:secret@cache", "server cache:6379 password=secret"},
		{"TLS", "rediss://cache/1", "server cache:6379 db=1 tls=cache"},
		{"upper case", "REDIS://cache", "server cache:6379"},
		{"an IPv6 address", "redis://[::1]:7000", "server [::1]:7000"},
		{"options", "redis://cache?db=2&client_name=web&read_timeout=3s", "server cache:6379 db=2 name=web read=3s"},
		{"a socket", "unix:///run/redis@1.sock?db=4", "server /run/redis@1.sock db=4"},
		{"a socket and a password", "unix://:secret@/run/redis.sock", "server /run/redis.sock password=secret"},
		{"a cluster", "redis+cluster://a,b:7000,[::1]", "cluster a:6379 b:7000 [::1]:6379"},
		{"a cluster of one", "redis+cluster://a/0", "cluster a:6379"},
		{
			"a cluster with all", "rediss+cluster://ann:secret@a,b?max_redirects=5",
			"cluster a:6379 b:6379 user=ann password=secret tls=",
		},
		{"a cluster behind one name", "rediss+cluster://cache.example", "cluster cache.example:6379 tls=cache.example"},
		{"sentinels", "redis+sentinel://a,b:7000/mymaster", "sentinel mymaster a:26379 b:7000"},
		{
			"sentinels with all",
			"rediss+sentinel://ann:secret@a,b/my%20master/5?sentinel_username=sue&sentinel_password=other&client_name=web",
			"sentinel my master a:26379 b:26379 db=5 user=ann password=secret tls= name=web sentinels=sue:other",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target, err := Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(target); got != tt.want {
				t.Errorf("Parse(%q) leads to\n%s\nwant\n%s", tt.url, got, tt.want)
			}
			if text := fmt.Sprintf("%v %+v", target, target); strings.Contains(text, "secret") {
				t.Errorf("as a text it shows the password: %s", text)
			}
			if err := target.client().Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const form = "must be like redis://"
	tests := []struct {
		name string
		url  string
		want string // is in the error
	}{
		{"nothing", "", form},
		{"a path", "/run/redis.sock", form},
		{"a host without a scheme", "hunter2@cache:6379", form},
		{"another scheme", "postgres://ann:hunter2@cache", form},
		{"another kind", "redis+ring://ann:hunter2@a,b", form},
		{"a cluster by socket", "unix+cluster:///run/redis.sock", form},
		{"a socket without a path", "unix://", "empty unix socket path"},
		{"a socket with a host", "unix://run/redis.sock", form},
		{"a port that is no number", "redis://:hunter2@cache:port", form},
		{"an address without brackets", "redis://:hunter2@::1", form},
		{"several hosts", "redis://:hunter2@a,b", "redis+cluster://"},
		{"a database that is no number", "redis://:hunter2@cache/one", `invalid database number: "one"`},
		{"two databases", "redis://:hunter2@cache/1/2", "invalid URL path: /1/2"},
		{"an unknown option", "redis://:hunter2@cache?colour=red", "unexpected option: colour"},
		{"an option that is no number", "redis://:hunter2@cache?pool_size=many", "invalid pool_size number"},
		{"a slash in the password", "redis://ann:hun/hunter2@cache", form},
		{"a question mark in the password", "redis://ann:1?hunter2@cache", form},
		{"a question mark and more in the password", "redis://ann:1?db=hunter2@cache", form},
		{"a hash in the password", "redis://ann:1#hunter2@cache", form},
		{"a percent sign in the password", "redis://ann:hunter2%@cache", form},
		{"a space in the password", "redis://ann:hunter2 hunter2@cache", form},
		{"a control character in the password", "redis://ann:hunter2\n@cache", form},
		{"a password in a second host", "redis+cluster://a,ann:hunter2@b,c:hunter2", form},
		{"a database of a cluster", "redis+cluster://:hunter2@a,b/1", "no database but 0"},
		{"an unknown option of a cluster", "redis+cluster://:hunter2@a,b?colour=red", "unexpected option: colour"},
		{"an empty host of a cluster with a bad port", "redis+cluster://a,:x", form},
		{"sentinels without a master", "redis+sentinel://:hunter2@a,b", "names no master"},
		{"sentinels with a master twice", "redis+sentinel://:hunter2@a,b/m?master_name=n", "option master_name"},
		{"sentinels with a password twice", "redis+sentinel://a,b/m?password=hunter2", "option password"},
		{"sentinels and a database that is no number", "redis+sentinel://:hunter2@a/m/n", `invalid database number: "n"`},
		{"sentinels and a replica", "redis+sentinel://:hunter2@a/m?replica_only=true", "need the master"},
		{"sentinels and the nearest", "redis+sentinel://:hunter2@a/m?route_by_latency=true", "need the master"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target, err := Parse(tt.url)
			if err == nil {
				t.Fatalf("Parse(%q) leads to %s, want an error", tt.url, describe(target))
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse(%q): %v, want %q in it", tt.url, err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Parse(%q) shows the password: %v", tt.url, err)
			}
		})
	}
}

// describe writes what the tests look at.
func describe(t *Target) string {
	var words []string
	say := func(name string, value any) {
		if text := fmt.Sprint(value); !slices.Contains([]string{"", "0", "0s", "gtf"}, text) {
			words = append(words, name+"="+text)
		}
	}
	duration := func(d time.Duration) string { return d.String() }
	switch {
	case t.Server != nil:
		o := t.Server
		words = append(words, "server", o.Addr)
		say("db", o.DB)
		say("user", o.Username)
		say("password", o.Password)
		if o.TLSConfig != nil {
			words = append(words, "tls="+o.TLSConfig.ServerName)
		}
		say("name", o.ClientName)
		say("read", duration(o.ReadTimeout))
	case t.Cluster != nil:
		o := t.Cluster
		words = append(append(words, "cluster"), o.Addrs...)
		say("user", o.Username)
		say("password", o.Password)
		if o.TLSConfig != nil {
			words = append(words, "tls="+o.TLSConfig.ServerName)
		}
		say("name", o.ClientName)
	default:
		o := t.Sentinel
		words = append(append(words, "sentinel", o.MasterName), o.SentinelAddrs...)
		say("db", o.DB)
		say("user", o.Username)
		say("password", o.Password)
		if o.TLSConfig != nil {
			words = append(words, "tls="+o.TLSConfig.ServerName)
		}
		say("name", o.ClientName)
		if o.SentinelUsername != "" {
			words = append(words, "sentinels="+o.SentinelUsername+":"+o.SentinelPassword)
		}
	}
	return strings.Join(words, " ")
}

// Whatever surrounds it, what stands between the user's colon and the last @ is not shown.
func FuzzParse(f *testing.F) {
	for _, scheme := range []string{"redis", "rediss", "unix", "redis+cluster", "redis+sentinel", "http", ""} {
		for _, part := range []string{"", "/", "?", "#", "%", "@", ":", ",", "?db=", "@h/0?pool_size=", "@h,h:"} {
			f.Add(scheme, part, "", "/m")
			f.Add(scheme, "", part, "?db=x")
		}
	}
	f.Fuzz(func(t *testing.T, scheme, before, after, tail string) {
		if strings.Contains(scheme+before+after+tail, "hunter2") {
			t.Skip()
		}
		target, err := Parse(scheme + "://ann:" + before + "hunter2" + after + "@cache" + tail)
		if err != nil {
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
			return
		}
		if strings.Contains(target.String(), "hunter2") {
			t.Errorf("the addresses show the password: %v", target)
		}
	})
}
