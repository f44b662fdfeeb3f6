// Package redistest gives tests of the plugs for Redis what one server does not have: a cluster, sentinels, and a
// network in a testing/synctest bubble.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/servers"
)

// patience is for machines that are busy with other tests.
const patience = time.Minute

// Cluster starts three masters and returns the URL of them all.
func Cluster(t testing.TB) string {
	t.Helper()
	const nodes, slots = 3, 16384
	var addrs []string
	for range nodes {
		r := dbtest.OwnRedis(t, &servers.RedisOptions{Settings: map[string]string{"cluster-enabled": "yes"}})
		addrs = append(addrs, r.Addr())
	}
	ctx := t.Context()
	for i, addr := range addrs {
		c := connect(t, addr)
		first, last := i*slots/nodes, (i+1)*slots/nodes-1
		must(t, c.ClusterAddSlotsRange(ctx, first, last).Err())
		must(t, c.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		host, port, err := net.SplitHostPort(addrs[0])
		must(t, err)
		must(t, c.ClusterMeet(ctx, host, port).Err())
	}
	for _, addr := range addrs {
		c := connect(t, addr)
		eventually(t, "a cluster", func() error {
			info, err := c.ClusterInfo(ctx).Result()
			for _, want := range []string{"cluster_state:ok", fmt.Sprint("cluster_size:", nodes)} {
				if err == nil && !strings.Contains(info, want) {
					err = fmt.Errorf("%s says %q", addr, info)
				}
			}
			return err
		})
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// Sentinel starts a master, a replica and a sentinel, and returns the URL. The server that is master at first may be
// killed: then the other one takes over.
func Sentinel(t testing.TB) (url string, master *servers.Redis) {
	t.Helper()
	master = dbtest.OwnRedis(t, nil)
	replica := dbtest.OwnRedis(t, nil)
	host, port, err := net.SplitHostPort(master.Addr())
	must(t, err)
	must(t, connect(t, replica.Addr()).ReplicaOf(t.Context(), host, port).Err())
	addr := startSentinel(t, host, port)
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
	defer sentinel.Close()
	eventually(t, "a sentinel that knows the replica", func() error {
		replicas, err := sentinel.Replicas(t.Context(), "mymaster").Result()
		if err == nil && (len(replicas) != 1 || replicas[0]["master-link-status"] != "ok") {
			err = fmt.Errorf("the replicas are %v", replicas)
		}
		return err
	})
	return "redis+sentinel://" + addr + "/mymaster", master
}

func startSentinel(t testing.TB, masterHost, masterPort string) (addr string) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		program, err = exec.LookPath("valkey-server")
	}
	must(t, err) // the servers have started
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr = l.Addr().String()
	must(t, l.Close())
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	dir := t.TempDir()
	conf := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor mymaster %s %s 1\n"+
		"sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 3000\n", port, dir, masterHost, masterPort)
	file := filepath.Join(dir, "sentinel.conf") // it is written to
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, file, "--sentinel")
	must(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed
	})
	return addr
}

func connect(t testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = c.Close() }) // nothing to lose
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for err := try(); err != nil; err = try() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s: %v", what, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}
