package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestSettings(t *testing.T) {
	t.Run("cover every field of gtf.Config", func(t *testing.T) {
		cfg := &gtf.Config{}
		covered := map[uintptr]bool{}
		for _, s := range ownSettings() {
			if s.field != nil {
				covered[reflect.ValueOf(s.field(cfg)).Pointer()] = true
			}
		}
		v := reflect.ValueOf(cfg).Elem()
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if !covered[v.Field(i).Addr().Pointer()] && !slices.Contains(notSettings, name) {
				t.Errorf("gtf.Config.%s is neither a setting nor among those that only Go code can give", name)
			}
		}
	})

	t.Run("are the client's defaults if nobody sets them", func(t *testing.T) {
		got, want := newSettings(nil).Config(), gtf.DefaultConfig()
		want.Logger = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})

	t.Run("have a flag and a variable each, named alike", func(t *testing.T) {
		s := Setting{Name: "backoff.base"}
		if s.Flag() != "backoff-base" || s.Env() != "GTF_BACKOFF_BASE" {
			t.Errorf("got %s and %s", s.Flag(), s.Env())
		}
	})
}

// inForce is the value of a setting after a command line, and where it came from.
func inForce(t *testing.T, name string, args ...string) (value, source string) {
	t.Helper()
	a := runApp(t.Context(), testApp(), "", append([]string{"settings", "--json"}, args...)...)
	if a.code != ExitOK {
		t.Fatalf("%q: exit code %d: %s", args, a.code, a.err)
	}
	for _, o := range decodeLines(t, a.out) {
		if o["setting"] == name {
			return o.text("value"), o.text("from")
		}
	}
	t.Fatalf("no setting %q", name)
	return "", ""
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	t.Run("puts flag before variable before file before default", func(t *testing.T) {
		path := writeFile(t, "heartbeat: 3s\nqueues:\n  default: 7\n  exports: 2\nbackoff:\n  base: 2s\nenabled: false\nmax_attempts: 4\n")
		check := func(name, value, source string, args ...string) {
			t.Helper()
			if v, s := inForce(t, name, args...); v != value || s != source {
				t.Errorf("%s is %s from %s, want %s from %s", name, v, s, value, source)
			}
		}
		check("heartbeat", "5s", "default")
		check("heartbeat", "3s", "file", "--config", path)
		check("queues", "default=7,exports=2", "file", "--config", path)
		check("backoff.base", "2s", "file", "--config", path)
		check("enabled", "false", "file", "--config", path)
		check("max_attempts", "4", "file", "--config", path)
		t.Setenv("GTF_CONFIG", path)
		check("heartbeat", "3s", "file")
		t.Setenv("GTF_HEARTBEAT", "4s")
		t.Setenv("GTF_QUEUES", "other=1")
		t.Setenv("GTF_BACKOFF_BASE", "3s")
		check("heartbeat", "4s", "environment")
		check("queues", "other=1", "environment")
		check("backoff.base", "3s", "environment")
		check("heartbeat", "6s", "flag", "--heartbeat", "6s")
		check("enabled", "true", "flag", "--enabled")
	})

	refused := []struct {
		name, file string
		env        [2]string
		args       []string
		says       []string
	}{
		{name: "a key of the file that is no setting", file: "hartbeat: 3s\n", says: []string{`"hartbeat" is not a setting`}},
		{name: "a nested key that is no setting", file: "backoff:\n  bass: 3s\n", says: []string{`"backoff.bass" is not a setting`}},
		{name: "a file that is no YAML", file: "a: b: c\n", says: []string{"configuration file"}},
		{name: "a file that is not there", args: []string{"--config", "/does/not/exist.yaml"}, says: []string{"/does/not/exist.yaml"}},
		{name: "bad values in the file, all of them", file: "heartbeat: soon\ngrace: -1s\n", says: []string{"heartbeat", `"soon"`, "grace", `"-1s"`}},
		{name: "a bad variable", env: [2]string{"GTF_QUEUES", "x"}, says: []string{"GTF_QUEUES", "NAME=SLOTS"}},
		{name: "a bad flag", args: []string{"--queues", "x"}, says: []string{"--queues", "NAME=SLOTS"}},
		{name: "a limit that cannot be none", args: []string{"--heartbeat", "none"}, says: []string{"--heartbeat", "positive"}},
		{name: "an unknown level", args: []string{"--log-level", "loud"}, says: []string{"--log-level", "debug"}},
	}
	for _, tt := range refused {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			args := append([]string{"settings"}, tt.args...)
			if tt.file != "" {
				args = append(args, "--config", writeFile(t, tt.file))
			}
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			a := runApp(t.Context(), testApp(), "", args...)
			if a.code != ExitUsage {
				t.Errorf("exit code %d, want 2", a.code)
			}
			for _, text := range tt.says {
				if !strings.Contains(a.err, text) {
					t.Errorf("says %q, which lacks %q", a.err, text)
				}
			}
		})
	}

	t.Run("never shows a secret", func(t *testing.T) {
		t.Setenv("GTF_TOKEN", "geheim")
		for _, args := range [][]string{
			{"settings"}, {"settings", "--json"}, {"settings", "--markdown"}, {"settings", "--help"},
			{"doctor", "--database-url", "postgres://ada:geheim@db/gtf"}, {"doctor", "--json", "--token", "geheim"},
			{"ls", "--database-url", "postgres://ada:geheim@db/gtf"}, {"ls", "--database-url", "postgres://ada:geh%eim@db/gtf"},
		} {
			a := runApp(t.Context(), testApp(), "", args...)
			if strings.Contains(a.out+a.err, "geheim") || strings.Contains(a.out+a.err, "eim@") {
				t.Errorf("%q shows a secret: %s%s", args, a.out, a.err)
			}
		}
		if v, _ := inForce(t, "token"); v != "(set)" {
			t.Errorf("the token is shown as %q, want (set)", v)
		}
	})

	t.Run("takes days and none for durations", func(t *testing.T) {
		a := newSettings(nil)
		root := newConsole(testApp(), nil, nil, nil).root()
		a.flags = root.PersistentFlags()
		for _, pair := range [][2]string{{"retention", "30d"}, {"throttle", "0"}} {
			if err := a.flags.Set(pair[0], pair[1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.load(); err != nil {
			t.Fatal(err)
		}
		if cfg := a.Config(); cfg.Retention != 30*24*time.Hour || cfg.Throttle != gtf.None {
			t.Errorf("retention is %v and throttle %v, want 720h and none", cfg.Retention, cfg.Throttle)
		}
	})
}

func TestDefaultDatabase(t *testing.T) {
	t.Run("is a file in the user's data directory", func(t *testing.T) {
		t.Setenv("XDG_DATA_HOME", "/data")
		if got := defaultDatabase(); got != "sqlite:///data/gtf/gtf.db" {
			t.Errorf("got %s", got)
		}
		t.Setenv("XDG_DATA_HOME", "relative")
		t.Setenv("HOME", "/home/ada")
		if got := defaultDatabase(); got != "sqlite:///home/ada/.local/share/gtf/gtf.db" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("is made with its directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "not yet")
		t.Setenv("XDG_DATA_HOME", dir)
		if a := runApp(t.Context(), testApp(), "", "ls"); a.code != ExitUnreachable {
			t.Errorf("ls without a database exits with %d, want 4", a.code)
		}
		if a := runApp(t.Context(), testApp(), "", "migrate"); a.code != ExitOK {
			t.Errorf("migrate exits with %d: %s", a.code, a.err)
		}
		if _, err := os.Stat(filepath.Join(dir, "gtf", "gtf.db")); err != nil {
			t.Error(err)
		}
	})
}
