package docs_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/parsers/yaml"

	"github.com/globaltask/gtf"
)

// afterGrace is what the binary takes beyond the grace (S12.5).
const afterGrace = 10 * time.Second

func TestTheStopTakesAsLongAsItSays(t *testing.T) {
	t.Parallel()
	help := strings.Join(strings.Fields(run(t, "worker", "--help")), " ")
	if want := "after --grace the rest is interrupted, and 10 seconds later"; !strings.Contains(help, want) {
		t.Errorf("the help of worker does not say %q", want)
	}
}

// deployed is what a file of deploy, or a part of a page, has gtf do.
type deployed struct {
	args     []string
	settings map[string]string // GTF_…
	patience time.Duration     // from the first signal to the kill; 0 if it says nothing
}

// check finds commands and settings that do not exist, and too little patience.
func (d *deployed) check(t *testing.T) {
	t.Helper()
	if len(d.args) == 0 {
		t.Fatal("it runs nothing")
	}
	if help := run(t, d.args[0], "--help"); !strings.Contains(help, "Usage:\n  gtf "+d.args[0]) {
		t.Errorf("it runs %q, and gtf has no such command", d.args)
	}
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"settings"}, d.args[1:]...)...)
	for name, value := range d.settings {
		if !strings.Contains(settings(t), "`"+name+"`") {
			t.Errorf("it sets %s, which docs/settings.md does not have", name)
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("its settings are refused: %s", out)
	}
	if !slices.Contains([]string{"worker", "serve"}, d.args[0]) {
		return
	}
	grace := gtf.DefaultConfig().Grace
	if own := d.settings["GTF_GRACE"]; own != "" {
		var err error
		if grace, err = time.ParseDuration(own); err != nil {
			t.Fatal(err)
		}
	}
	if d.patience < grace+afterGrace+time.Second {
		t.Errorf("it is killed after %v, want more than the grace of %v and %v", d.patience, grace, afterGrace)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	text := map[string]string{}
	for _, name := range deployFiles(t, "*/*.service") {
		text[name] = read(t, name)
	}
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range all {
		for _, b := range blocks(page, "ini") {
			if strings.Contains(b.text, "ExecStart=") { // else a part of a unit
				text[name] = b.text
			}
		}
	}
	if len(text) < 3 {
		t.Fatalf("there are only %d units", len(text))
	}
	for name, unit := range text {
		t.Run(name+" runs what there is and waits for its end", func(t *testing.T) {
			t.Parallel()
			d := deployed{settings: map[string]string{}}
			for line := range strings.Lines(unit) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				switch key {
				case "ExecStart":
					d.args = strings.Fields(value)[1:]
				case "Environment":
					setting, value, _ := strings.Cut(value, "=")
					d.settings[setting] = value
				case "EnvironmentFile":
					if value != "/etc/gtf/gtf.env" {
						t.Errorf("it reads %s", value)
					}
					d.settings = variables(read(t, "deploy/systemd/gtf.env"))
				case "TimeoutStopSec":
					seconds, err := strconv.Atoi(value)
					if err != nil {
						t.Fatal(err)
					}
					d.patience = time.Duration(seconds) * time.Second
				case "KillMode":
					if value != "mixed" {
						t.Errorf("the mode is %s: programs that tasks have started get the signal, too", value)
					}
				case "KillSignal":
					if value != "SIGTERM" {
						t.Errorf("the signal is %s", value)
					}
				}
			}
			d.check(t)
		})
	}
}

// variables are those of gtf in an environment file.
func variables(text string) map[string]string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(GTF_[A-Z_]+)=(.*)$`).FindAllStringSubmatch(text, -1) {
		found[m[1]] = m[2]
	}
	return found
}

func TestManifests(t *testing.T) {
	t.Parallel()
	for _, name := range deployFiles(t, "kubernetes/*.yaml") {
		t.Run(name+" runs what there is and waits for its end", func(t *testing.T) {
			t.Parallel()
			manifest := parseYAML(t, read(t, name))
			pod, ok := at[map[string]any](manifest, "spec", "template", "spec")
			if !ok {
				t.Fatal("it has no pod")
			}
			seconds, _ := at[int](pod, "terminationGracePeriodSeconds")
			containers, _ := at[[]any](pod, "containers")
			if len(containers) == 0 {
				t.Fatal("it has no container")
			}
			for _, c := range containers {
				container, _ := c.(map[string]any)
				d := deployed{settings: map[string]string{}, patience: time.Duration(seconds) * time.Second}
				args, _ := at[[]any](container, "args")
				for _, arg := range args {
					d.args = append(d.args, arg.(string)) //nolint:errcheck // a test may panic
				}
				env, _ := at[[]any](container, "env")
				for _, e := range env {
					entry, _ := e.(map[string]any)
					setting, _ := at[string](entry, "name")
					value, plain := at[string](entry, "value")
					if !strings.HasPrefix(setting, "GTF_") {
						continue
					}
					if !plain { // a secret
						value = "postgres://db.example.com/tasks"
					}
					d.settings[setting] = value
				}
				d.check(t)
			}
		})
	}
	t.Run("docs/how-to/deploy.md shows YAML", func(t *testing.T) {
		t.Parallel()
		all, err := pages()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks(all["docs/how-to/deploy.md"], "yaml") {
			parseYAML(t, b.text)
		}
	})
}

func parseYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	m, err := yaml.Parser().Unmarshal([]byte(text))
	if err != nil {
		t.Fatalf("not YAML: %v", err)
	}
	return m
}

// at walks down a manifest.
func at[T any](from map[string]any, keys ...string) (T, bool) {
	for _, key := range keys[:len(keys)-1] {
		from, _ = from[key].(map[string]any)
	}
	v, ok := from[keys[len(keys)-1]].(T)
	return v, ok
}

// deployFiles lists files of deploy, by path from the root.
func deployFiles(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := fs.Glob(os.DirFS(filepath.Join(root, "deploy")), pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("deploy has no %s", pattern)
	}
	for i, name := range found {
		found[i] = path.Join("deploy", name)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
