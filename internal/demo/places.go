package demo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// place is a directory with files to sum.
type place struct{ dir, name string }

// findRepository is where the demo was called, if that is a repository; anybody's other directory may be endless.
func findRepository(o Options) place {
	for _, mark := range []string{".git", "go.mod"} { // .git is a file in a worktree
		if exists(filepath.Join(o.Dir, mark)) {
			return place{o.Dir, "this repository"}
		}
	}
	return place{filepath.Dir(o.Binary), "the program's directory"}
}

// findGoSource asks the Go toolchain, if there is one. Some systems install it without its source.
func findGoSource(ctx context.Context) place {
	ask := exec.CommandContext(ctx, "go", "env", "GOROOT")
	ask.Env = append(os.Environ(), "GOTOOLCHAIN=local") // a go.mod must not make it download another
	root, err := ask.Output()
	if err != nil {
		return place{}
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "src")
	if !filepath.IsAbs(dir) || !exists(dir) {
		return place{}
	}
	return place{dir, "the Go source"}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
