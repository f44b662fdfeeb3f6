package cli

import (
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/globaltask/gtf/internal/dbtest"
)

func TestFrozenWorker(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, newFixture func(*testing.T) *fixture) {
		f := newFixture(t)
		frozen := f.worker(quick...)
		file := f.path("go on")
		id := f.ok("schedule", "test.stamp", "--input", fmt.Sprintf(`{"until":%q}`, file))
		f.untilRunning(1)
		frozen.signal(syscall.SIGSTOP)
		other := f.worker(quick...)
		eventually(t, "the other worker has the task", func() bool {
			o := f.objects("show", id)[0]
			return o["status"] == "in_progress" && o["attempt"] == 2.0
		})
		touch(t, file)
		eventually(t, "the other worker has done it", func() bool { return f.objects("show", id)[0]["status"] == "success" })
		before := f.objects("show", id)[0]
		if got, want := before.at("result", "pid"), float64(other.cmd.Process.Pid); got != want {
			t.Errorf("the result is of process %v, want %v", got, want)
		}

		// The frozen one finds its function done, and its claim gone.
		frozen.signal(syscall.SIGCONT)
		frozen.says("gave up the claims of this process")
		other.signal(syscall.SIGTERM)
		other.code()
		next := f.ok("schedule", "test.stamp", "--input", fmt.Sprintf(`{"until":%q}`, file))
		eventually(t, "it works again, under a new id", func() bool { return f.objects("show", next)[0]["status"] == "success" })
		after := f.objects("show", id)[0]
		for _, key := range []string{"status", "attempt", "version", "ended_at", "changed_on"} {
			if before[key] != after[key] {
				t.Errorf("%s was %v and is %v: a late finish has changed it", key, before[key], after[key])
			}
		}
		if got := after.at("result", "pid"); got != float64(other.cmd.Process.Pid) {
			t.Errorf("the result is of process %v now", got)
		}
	})
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	t.Run("is made by migrate alone", func(t *testing.T) {
		t.Parallel()
		f := &fixture{t: t, dir: t.TempDir(), url: dbtest.Postgres(t)}
		for _, args := range [][]string{{"schedule", "test.echo"}, {"ls"}, {"doctor"}} {
			if a := f.run(args...); a.code != ExitUnreachable || !strings.Contains(a.out+a.err, "migrate") {
				t.Errorf("%q without a schema: exit code %d, output %q, errors %q", args, a.code, a.out, a.err)
			}
		}
		if got := f.ok("migrate"); !strings.HasPrefix(got, "postgresql ") {
			t.Errorf("migrate prints %q", got)
		}
		f.ok("migrate") // once more does no harm
		f.ok("schedule", "test.echo")
		if a := f.run("doctor"); !strings.Contains(a.out, "of other processes arrive") {
			t.Errorf("doctor prints %q, want that signals arrive", a.out)
		}
	})

	t.Run("wakes workers without polling", func(t *testing.T) {
		t.Parallel()
		f := newPostgres(t)
		f.worker("--claim-interval", "1h", "--claim-polling", "1h")
		p := f.start("schedule", "test.echo", "--input", `{"text":"hello"}`, "--wait", "--look-interval", "1h", "--look-polling", "1h")
		if code := p.code(); code != ExitOK {
			t.Errorf("schedule --wait exits with %d, want 0", code)
		}
	})

	t.Run("behind a transaction pooler works by polling, and everybody says so", func(t *testing.T) {
		t.Parallel()
		f := newPostgres(t)
		direct := f.url
		f.url = dbtest.PgBouncer(t, direct)
		w := f.worker(quick...)
		w.says("signals of other processes do not arrive; polling")
		for range 5 {
			p := f.start(append([]string{"schedule", "test.echo", "--wait"}, quick...)...)
			if code := p.code(); code != ExitOK {
				t.Errorf("schedule --wait exits with %d, want 0", code)
			}
		}
		id := f.ok("schedule", "test.wait", "--input", `{"key":"a"}`, "--as", "ada")
		f.untilRunning(1)
		f.ok("cancel", id, "--as", "ada")
		eventually(t, "the heartbeat brings the abort", func() bool { return f.objects("show", id)[0]["status"] == "aborted" })
		if a := f.run("doctor"); a.code != ExitOK || !strings.Contains(a.out, "do not arrive") || !strings.Contains(a.out, "pooler") {
			t.Errorf("doctor exits with %d and prints %q, want a note on the pooler", a.code, a.out)
		}
		if a := f.run("doctor", "--postgres-listen-url", direct); !strings.Contains(a.out, "of other processes arrive") {
			t.Errorf("with a way past the pooler doctor prints %q", a.out)
		}
	})

	t.Run("does not show its password when it cannot be reached", func(t *testing.T) {
		t.Parallel()
		f := newPostgres(t)
		u, err := url.Parse(f.url)
		if err != nil {
			t.Fatal(err)
		}
		u.User, u.Host = url.UserPassword("ada", "geheim"), "127.0.0.1:1"
		f.url = u.String()
		for _, args := range [][]string{{"ls"}, {"doctor"}, {"migrate"}, {"worker"}} {
			a := f.run(args...)
			if a.code != ExitUnreachable || strings.Contains(a.out+a.err, "geheim") {
				t.Errorf("%q: exit code %d, output %q, errors %q", args, a.code, a.out, a.err)
			}
		}
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	t.Run("wakes workers without polling", func(t *testing.T) {
		t.Parallel()
		f := newPostgres(t)
		redis := []string{"--redis-url", dbtest.Redis(t), "--channel-prefix", dbtest.RedisPrefix(t)}
		f.worker(append([]string{"--claim-interval", "1h", "--claim-polling", "1h"}, redis...)...)
		p := f.start(append([]string{"schedule", "test.echo", "--wait", "--look-interval", "1h", "--look-polling", "1h"}, redis...)...)
		if code := p.code(); code != ExitOK {
			t.Errorf("schedule --wait exits with %d, want 0", code)
		}
		if a := f.run(append([]string{"doctor"}, redis...)...); !strings.Contains(a.out, "of other processes arrive") {
			t.Errorf("doctor prints %q", a.out)
		}
	})
	t.Run("is asked for by its URL", func(t *testing.T) {
		t.Parallel()
		if a := newFixture(t).run("migrate", "--locks", "redis"); a.code != ExitUsage || !strings.Contains(a.err, "redis_url is empty") {
			t.Errorf("exit code %d, errors %q", a.code, a.err)
		}
	})
}
