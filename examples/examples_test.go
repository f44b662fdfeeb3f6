// Package examples_test builds every example, runs it, and compares what it prints with what it promises.
package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/dbtest"
)

// programs is the folder with the built examples.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gtf-examples-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		programs = dir
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", dir, "./...").CombinedOutput(); err != nil {
			panic("go build: " + err.Error() + "\n" + string(out))
		}
		return dbtest.Run(m)
	}())
}

// Examples that go on until they are stopped, or want to be told what to do, have tests of their own.
var special = map[string]string{
	"owncli":              "docs/quickstart_test.go",
	"twoprocesses/web":    "TestTwoProcesses",
	"twoprocesses/worker": "TestTwoProcesses",
}

// Examples that want a PostgreSQL database.
var onPostgres = []string{"transaction", "twomachines"}

func TestExamples(t *testing.T) {
	t.Parallel()
	for _, name := range mains(t) {
		t.Run(name+" prints what its last comment says", func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(name + "/main.go")
			if err != nil {
				t.Fatal(err)
			}
			if name == "quickstart" {
				compare(t, run(t, name, ""), readmeBlock(t, "text"))
				return
			}
			want, promised := output(string(source))
			if tested, ok := special[name]; ok {
				if promised {
					t.Errorf("has an output comment, but is run by %s", tested)
				}
				return
			}
			if !promised {
				t.Fatal("ends without an output comment")
			}
			compare(t, run(t, name, database(t, name)), want)
		})
	}
}

func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	for _, name := range onPostgres {
		t.Run(name+" says how to get one", func(t *testing.T) {
			t.Parallel()
			out, errs, err := try(t.Context(), t.TempDir(), name, "")
			if err == nil || out != "" || !strings.Contains(errs, "make services") {
				t.Errorf("it ends with %v, prints %q and says %q, want an error that names make services", err, out, errs)
			}
		})
	}
}

func TestTwoMachines(t *testing.T) {
	t.Parallel()
	t.Run("share the work", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		var outs [2]string
		var errs [2]error
		var both sync.WaitGroup
		for i := range outs {
			dir := t.TempDir()
			both.Go(func() { outs[i], _, errs[i] = try(t.Context(), dir, "twomachines", url) })
		}
		both.Wait()
		drawn := 0
		for i, out := range outs {
			var all, here int
			if _, err := fmt.Sscanf(out, "%d tiles are there, %d of them drawn here", &all, &here); err != nil || errs[i] != nil {
				t.Fatalf("one of two ends with %v and prints %q", errs[i], out)
			}
			drawn += here
		}
		if drawn < 40 { // more, if one was so late that the other had ended
			t.Errorf("together they have drawn %d tiles, want 40", drawn)
		}
	})
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, name := range mains(t) {
		t.Run(name+" is explained in a few sentences", func(t *testing.T) {
			t.Parallel()
			file, err := parser.ParseFile(token.NewFileSet(), name+"/main.go", nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			comment := file.Doc.Text()
			if want := "Command " + filepath.Base(name) + " "; !strings.HasPrefix(comment, want) {
				t.Errorf("the package comment begins with %.40q, want %q", comment, want)
			}
			if n := len(sentences.FindAllString(comment, -1)); n < 2 || n > 3 {
				t.Errorf("the package comment has %d sentences, want two or three: %q", n, comment)
			}
		})
	}
}

var sentences = regexp.MustCompile(`\.(\s|$)`)

// mains lists the folders with a program.
func mains(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*/main.go", "*/*/main.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			names = append(names, filepath.ToSlash(filepath.Dir(name)))
		}
	}
	if len(names) < 10 {
		t.Fatalf("found only %q", names)
	}
	return names
}

// output is what the comment at the end of a program promises.
func output(source string) (text string, ok bool) {
	_, comment, ok := strings.Cut(source, "\n// Output:\n")
	var b strings.Builder
	for line := range strings.Lines(comment) {
		b.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "//"), " "))
	}
	return b.String(), ok
}

// database is the URL of an empty one for an example that wants it.
func database(t *testing.T, name string) string {
	t.Helper()
	if !slices.Contains(onPostgres, name) {
		return ""
	}
	return dbtest.Postgres(t)
}

// run runs a program in a folder of its own and returns what it printed. It must end by itself, and well.
func run(t *testing.T, name, databaseURL string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, errs, err := try(ctx, t.TempDir(), name, databaseURL)
	if err != nil {
		t.Fatalf("%v; it printed %s and said %s", errors.Join(err, ctx.Err()), out, errs)
	}
	return out
}

func try(ctx context.Context, dir, name, databaseURL string) (printed, said string, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(programs, filepath.Base(name)))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(os.Environ(), "GTF_DATABASE_URL="+databaseURL)
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	if !matches(got, want) {
		t.Errorf("it printed\n%s\nwant\n%s", got, want)
	}
}

// matches compares lines. In what is wanted, … is any text within a line, and alone any number of lines.
func matches(got, want string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(pattern, `(?:.*\n)*`)
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(got)
}

func TestMatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		got, want string
		matches   bool
	}{
		{"equal lines match", "a\nb\n", "a\nb\n", true},
		{"a mark stands for text within a line", "a 1 (b)\n", "a … (b)\n", true},
		{"a mark does not stand for lines", "a\nb\n", "a…\n", false},
		{"a line with a mark stands for lines", "a\nb\nc\n", "a\n…\nc\n", true},
		{"a line with a mark stands for no lines, too", "a\nc\n", "a\n…\nc\n", true},
		{"more than wanted does not match", "a\nb\n", "a\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := matches(tt.got, tt.want); got != tt.matches {
				t.Errorf("matches(%q, %q) = %t, want %t", tt.got, tt.want, got, tt.matches)
			}
		})
	}
}

func TestReadme(t *testing.T) {
	t.Parallel()
	t.Run("shows the quickstart as it is", func(t *testing.T) {
		t.Parallel()
		source, err := os.ReadFile("quickstart/main.go")
		if err != nil {
			t.Fatal(err)
		}
		if got := readmeBlock(t, "go"); got != string(source) {
			t.Errorf("README.md shows\n%s\nwant examples/quickstart/main.go", got)
		}
	})
}

// readmeBlock is the first block of a language behind the heading of the quickstart.
func readmeBlock(t *testing.T, language string) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## A whole program\n")
	_, block, ok := strings.Cut(section, "\n```"+language+"\n")
	block, _, ended := strings.Cut(block, "\n```\n")
	if !ok || !ended {
		t.Fatalf("README.md has no %s block below its heading", language)
	}
	return block + "\n"
}
