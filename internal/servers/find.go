package servers

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrMissing is a server whose program is not on this machine.
var ErrMissing = errors.New("is not installed")

// find looks for the programs where the system has them: the newest of the directories first, then PATH. It returns
// their paths in the order of the names, of which the first is asked for in the error.
func find(dirs []string, names ...string) ([]string, error) {
	for _, dir := range dirs {
		var found []string
		for _, name := range names {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				found = append(found, path)
			}
		}
		if len(found) == len(names) {
			return found, nil
		}
	}
	var found []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("%s %w", names[0], ErrMissing)
		}
		found = append(found, path)
	}
	return found, nil
}

// debianDirs are where Debian keeps the programs of PostgreSQL, newest version first.
func debianDirs() []string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is a good one
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // 0: oldest
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	return dirs
}
