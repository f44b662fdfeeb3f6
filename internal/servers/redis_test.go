package servers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/servers"
)

func startRedis(t *testing.T, o *servers.RedisOptions) *servers.Redis {
	t.Helper()
	r, err := servers.StartRedis(t.Context(), o)
	skipMissing(t, err)
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// say returns the first line of the answer to a command.
func say(ctx context.Context, addr, command string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func wantAnswer(t *testing.T, addr, command, want string) {
	t.Helper()
	if got, err := say(within(t, 10*time.Second), addr, command); err != nil || got != want {
		t.Errorf("%s is answered %q (error %v), want %q", command, got, err, want)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := startRedis(t, &servers.RedisOptions{Settings: map[string]string{"databases": "3"}})
	t.Run("has the settings", func(t *testing.T) {
		wantAnswer(t, r.Addr(), "SELECT 2", "+OK")
		wantAnswer(t, r.Addr(), "SELECT 3", "-ERR DB index is out of range")
	})
	down := map[string]func() error{
		"Halt":       func() error { return r.Halt(t.Context(), servers.Fast) },
		"Halt, hard": func() error { return r.Halt(t.Context(), servers.Immediate) },
		"Kill":       func() error { r.Kill(); return nil },
	}
	for how, end := range down {
		t.Run("is empty after "+how+" and Start", func(t *testing.T) {
			addr := r.Addr()
			wantAnswer(t, addr, "SET key value", "+OK")
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if _, err := say(t.Context(), addr, "PING"); err == nil {
				t.Error("it answers while it is down")
			}
			if err := r.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantAnswer(t, addr, "GET key", "$-1")
		})
	}
	t.Run("Pause makes it silent until Continue", func(t *testing.T) {
		if err := r.Pause(); err != nil {
			t.Fatal(err)
		}
		if _, err := say(within(t, 200*time.Millisecond), r.Addr(), "PING"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("paused, PING ends with %v, want a deadline", err)
		}
		if err := r.Continue(); err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, r.Addr(), "PING", "+PONG")
	})
	t.Run("ends in order although it is paused", func(t *testing.T) {
		if err := r.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := r.Restart(t.Context(), servers.Fast); err != nil {
			t.Error(err)
		}
		wantAnswer(t, r.Addr(), "PING", "+PONG")
	})
}
