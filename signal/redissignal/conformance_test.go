package redissignal

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/redistest"
	"github.com/globaltask/gtf/signal/signaltest"
)

func TestSignalsPassTheSuite(t *testing.T) {
	t.Parallel()
	on := func(t *testing.T, url string) {
		signaltest.Run(t, func(t *testing.T) (a, b gtf.Signals) {
			opts := &Options{Prefix: dbtest.RedisPrefix(t)}
			return open(t, url, opts), open(t, url, opts)
		})
	}
	t.Run("on miniredis", func(t *testing.T) {
		t.Parallel()
		on(t, "redis://"+miniredis.RunT(t).Addr())
	})
	t.Run("on a server", func(t *testing.T) {
		t.Parallel()
		on(t, dbtest.Redis(t))
	})
	t.Run("on a cluster", func(t *testing.T) {
		t.Parallel()
		on(t, redistest.Cluster(t))
	})
	t.Run("with a client of the caller", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Redis(t)
		signaltest.Run(t, func(t *testing.T) (a, b gtf.Signals) {
			o, err := redis.ParseURL(url)
			if err != nil {
				t.Fatal(err)
			}
			client := redis.NewClient(o)
			t.Cleanup(func() { _ = client.Close() }) // nothing to lose
			s := New(client, &Options{Prefix: dbtest.RedisPrefix(t)})
			t.Cleanup(func() { closeSignals(t, s) })
			return s, s
		})
	})
}
