package redisclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	logging.Disable() // go-redis tells of every failed connection
	goleak.VerifyTestMain(m)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	m.RequireUserAuth("ann", "hunter2")

	t.Run("connects with the right password", func(t *testing.T) {
		c, err := Open(t.Context(), "redis://ann:hunter2@"+m.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Errorf("Close twice: %v", err)
		}
	})
	t.Run("says who was refused, and no password", func(t *testing.T) {
		for _, user := range []string{"ann:hunter3@", "bob:hunter2@", ":hunter2@", ""} {
			_, err := Open(t.Context(), "redis://"+user+m.Addr())
			if !redis.IsAuthError(err) || !strings.Contains(err.Error(), m.Addr()) || strings.Contains(err.Error(), "hunter") {
				t.Errorf("Open as %q: %v", user, err)
			}
		}
	})
	t.Run("waits for no server", func(t *testing.T) {
		c, err := Open(t.Context(), "redis://ann:hunter2@127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("uses TLS and looks at the certificate", func(t *testing.T) {
		web := httptest.NewTLSServer(nil) // has one
		defer web.Close()
		m, err := miniredis.RunTLS(&tls.Config{Certificates: web.TLS.Certificates})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ping := func(options string) error {
			c, err := Open(t.Context(), "rediss://"+m.Addr()+options)
			if err != nil {
				return err
			}
			_, err = Do(t.Context(), c, func(ctx context.Context, r redis.UniversalClient) (string, error) { return r.Ping(ctx).Result() })
			return errors.Join(err, c.Close())
		}
		if err := ping("?skip_verify=true"); err != nil {
			t.Errorf("without a look: %v", err)
		}
		if _, unknown := errors.AsType[x509.UnknownAuthorityError](ping("")); !unknown {
			t.Error("a certificate of nobody was accepted")
		}
	})
	t.Run("ends with the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Open(ctx, "redis://"+m.Addr()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDo(t *testing.T) {
	t.Parallel()
	// A call that hears nothing of contexts, like a read from a silent server.
	deaf := func(done <-chan struct{}) func(context.Context, redis.UniversalClient) (int, error) {
		return func(context.Context, redis.UniversalClient) (int, error) {
			<-done
			return 1, nil
		}
	}
	t.Run("returns when its context ends, and Close waits for the rest", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, done := New(nil), make(chan struct{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			if _, err := Do(ctx, c, deaf(done)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("Do returned %v after %v", err, time.Since(began))
			}
			time.AfterFunc(time.Minute, func() { close(done) })
			if err := c.Close(); err != nil || time.Since(began) != time.Second+time.Minute {
				t.Errorf("Close returned %v after %v", err, time.Since(began))
			}
		})
	})
	t.Run("gives up after the timeout", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, done := New(nil), make(chan struct{})
			began := time.Now()
			if _, err := Do(t.Context(), c, deaf(done)); !errors.Is(err, errNoAnswer) || time.Since(began) != Timeout {
				t.Errorf("Do returned %v after %v", err, time.Since(began))
			}
			close(done)
			_ = c.Close() // of the caller's client: nothing to fail
		})
	})
	t.Run("begins nothing when it is too late", func(t *testing.T) {
		t.Parallel()
		c, call := New(nil), func(context.Context, redis.UniversalClient) (int, error) {
			t.Error("called")
			return 0, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Do(ctx, c, call); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
		_ = c.Close() // of the caller's client: nothing to fail
		if _, err := Do(t.Context(), c, call); !errors.Is(err, redis.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
