package servers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/servers"
)

// beParent starts servers, says where they are, and waits to be killed.
func beParent() {
	ctx := context.Background()
	p, err := servers.StartPostgres(ctx, &servers.PostgresOptions{NoSync: true})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	r, err := servers.StartRedis(ctx, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if os.Getenv(parentVariable) == "paused" {
		if err := errors.Join(p.Pause(), r.Pause()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fmt.Println("up", p.Addr(), r.Addr())
	select {}
}

// Not parallel: the directory for temporary files is that of the process.
func TestOrphans(t *testing.T) {
	skipMissing(t, installed(t))
	for _, state := range []string{"running", "paused"} {
		t.Run(state+" servers end with the program that started them, and the next start clears up", func(t *testing.T) {
			dir, wantEmpty := inEmptyDir(t)
			parent := exec.CommandContext(t.Context(), os.Args[0])
			parent.Env = append(os.Environ(), parentVariable+"="+state)
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			addrs := strings.Fields(line)
			if err != nil || len(addrs) != 3 {
				t.Fatalf("the program says %q (error %v)", line, err)
			}
			if err := parent.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = parent.Wait() // killed
			for _, addr := range addrs[1:] {
				wantNobody(t, addr)
			}
			abandoned, _ := filepath.Glob(filepath.Join(dir, "*"))
			if len(abandoned) != 2 {
				t.Errorf("left behind are %q, want the directories of two servers", abandoned)
			}
			living := startRedis(t, nil)
			next := startRedis(t, nil)
			wantAnswer(t, living.Addr(), "CONFIG SET save ''", "+OK") // its directory is still there
			for _, r := range []*servers.Redis{living, next} {
				if err := r.Stop(); err != nil {
					t.Error(err)
				}
			}
			wantEmpty()
		})
	}
}

// installed starts everything once.
func installed(t *testing.T) error {
	t.Helper()
	p, err := servers.StartPostgres(t.Context(), &servers.PostgresOptions{NoSync: true})
	if err != nil {
		return err
	}
	r, err := servers.StartRedis(t.Context(), nil)
	if err != nil {
		return errors.Join(err, p.Stop())
	}
	return errors.Join(p.Stop(), r.Stop())
}

func wantNobody(t *testing.T, addr string) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		switch {
		case ctx.Err() != nil:
			t.Fatalf("the server at %s still listens", addr)
		case err != nil:
			return
		}
		_ = conn.Close()
		<-time.After(10 * time.Millisecond)
	}
}
