// Package docs_test compares the pages with the program: what they show exists, compiles, and does what they say.
package docs_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/globaltask/gtf/internal/dbtest"
)

// root is the top of the repository, from here.
const root = ".."

// binary is gtf, built for these tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		for _, pair := range os.Environ() {
			if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "GTF_") {
				_ = os.Unsetenv(name)
			}
		}
		dir, err := os.MkdirTemp("", "gtf-docs-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "gtf")
		build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "./cmd/gtf")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			panic("go build: " + err.Error() + "\n" + string(out))
		}
		return dbtest.Run(m)
	}())
}

// pages are the texts for users, by path from the root.
var pages = sync.OnceValues(func() (map[string]string, error) {
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/how-to/*.md", "docs/decisions/*.md", "deploy/*/*.md"} {
		names, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return nil, err
			}
			found[name] = string(text)
		}
	}
	return found, nil
})

// eachPage runs a subtest for every page that is for users.
func eachPage(t *testing.T, what string, test func(t *testing.T, name, text string)) {
	t.Helper()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 12 {
		t.Fatalf("there are only %d pages", len(all))
	}
	for name, text := range all {
		t.Run(name+" "+what, func(t *testing.T) {
			t.Parallel()
			test(t, name, text)
		})
	}
}

// block is a fenced part of a page.
type block struct {
	language string
	text     string
	before   string // the line above the fence
}

var fences = regexp.MustCompile("(?m)^(.*)\n```([a-z]+)\n((?s:.*?)\n)```$")

func blocks(text string, languages ...string) []block {
	var found []block
	for _, m := range fences.FindAllStringSubmatch(text, -1) {
		if len(languages) == 0 || slices.Contains(languages, m[2]) {
			found = append(found, block{m[2], m[3], m[1]})
		}
	}
	return found
}

func TestLinks(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	eachPage(t, "links only to what is there", func(t *testing.T, name, text string) {
		for _, m := range links.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := name
			if target != "" {
				to = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("links to %s: %v", m[1], err)
				continue
			}
			all, _ := pages()
			if anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
				t.Errorf("links to %s, but %s has the anchors %q", m[1], to, anchors(all[to]))
			}
		}
	})
}

// anchors are the names that a page's headings get.
func anchors(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := strings.ToLower(strings.TrimSpace(heading))
			name = regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(name, "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

func TestGoBlocks(t *testing.T) {
	t.Parallel()
	sources := goSources(t)
	eachPage(t, "shows Go code that stands in a file of the tree", func(t *testing.T, name, text string) {
		if strings.HasPrefix(name, "docs/decisions/") {
			return // they tell of their time
		}
		for _, b := range blocks(text, "go") {
			if !strings.Contains(sources, "\n"+flat(b.text)) {
				t.Errorf("shows code that no Go file has:\n%s", b.text)
			}
		}
	})
}

// goSources is every Go file of the tree, without indentation.
func goSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "bin"):
			return filepath.SkipDir
		case filepath.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(name)
		all.WriteString("\n" + flat(string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// flat is code without the indentation of its lines.
func flat(code string) string { return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(code, "") }

func TestCommands(t *testing.T) {
	t.Parallel()
	spans := regexp.MustCompile("`(gtf [a-z][^`]*)`")
	flags := regexp.MustCompile(`--[a-z][a-z-]*`)
	eachPage(t, "names only commands and flags that exist", func(t *testing.T, _, text string) {
		var commands []string
		for _, b := range blocks(text, "sh") {
			for line := range strings.Lines(b.text) {
				line = regexp.MustCompile(`^(id=\$\()?\./reports `).ReplaceAllString(line, "gtf ")
				if strings.HasPrefix(line, "gtf ") {
					commands = append(commands, line)
				}
			}
		}
		for _, m := range spans.FindAllStringSubmatch(text, -1) {
			commands = append(commands, m[1])
		}
		for _, line := range commands {
			name := strings.Trim(strings.Fields(line)[1], ")")
			help := run(t, name, "--help")
			if !strings.Contains(help, "Usage:\n  gtf "+name) {
				t.Errorf("names %q, and gtf has no command %s", line, name)
			}
			for _, flag := range flags.FindAllString(line, -1) {
				if !strings.Contains(help, flag+" ") && !strings.Contains(settings(t), "`"+flag+"`") {
					t.Errorf("names %q, and %s has no flag %s", line, name, flag)
				}
			}
		}
	})
}

// run is what a command line of the binary prints to standard output, whatever its exit code.
func run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out)
}

func settings(t *testing.T) string {
	t.Helper()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	return all["docs/settings.md"]
}

func TestSettings(t *testing.T) {
	t.Parallel()
	variables := regexp.MustCompile(`\bGTF_[A-Z_]+\b`)
	eachPage(t, "names only variables that are settings", func(t *testing.T, name, text string) {
		if name == "CONTRIBUTING.md" {
			return // has variables of the scripts
		}
		for _, variable := range variables.FindAllString(text, -1) {
			if !strings.Contains(settings(t), "`"+variable+"`") {
				t.Errorf("names %s, which docs/settings.md does not have", variable)
			}
		}
	})
	t.Run("the file that docs/operations.md shows is accepted", func(t *testing.T) {
		t.Parallel()
		all, err := pages()
		if err != nil {
			t.Fatal(err)
		}
		files := blocks(all["docs/operations.md"], "yaml")
		if len(files) != 1 {
			t.Fatalf("there are %d files", len(files))
		}
		file := filepath.Join(t.TempDir(), "gtf.yaml")
		if err := os.WriteFile(file, []byte(files[0].text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := run(t, "settings", "--config", file)
		for _, value := range []string{"sqlite:///var/lib/gtf/gtf.db", "default=20,exports=4", " 1m ", " full "} {
			if !strings.Contains(out, value) {
				t.Errorf("the settings in force are\n%s\nwant %q among them", out, value)
			}
		}
	})
}

func TestTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)")
	eachPage(t, "names only targets that the Makefile has", func(t *testing.T, _, text string) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("names make %s", m[1])
			}
		}
	})
}
