package servers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// dir is the temporary directory of a server. The lock in it tells that the program that made it still runs.
type dir struct {
	path string
	lock *os.File
}

const dirPrefix = "gtf-servers-"

// makeDir makes a directory that belongs to the account, and removes those that killed programs have left.
func makeDir(name string, owner account) (*dir, error) {
	removeAbandoned()
	path, err := os.MkdirTemp("", dirPrefix+name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for %s: %w", name, err)
	}
	d := &dir{path: path}
	if err := errors.Join(d.claim(), owner.give(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("make a directory for %s: %w", name, err), d.remove())
	}
	return d, nil
}

func (d *dir) file(name string) string { return filepath.Join(d.path, name) }

func (d *dir) remove() error {
	err := os.RemoveAll(d.path)
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// claim makes the lock and gives it its name when it is held: a lock with that name that is free is of nobody.
func (d *dir) claim() (err error) {
	if d.lock, err = os.Create(d.file("new")); err != nil {
		return err
	}
	if err := lockFile(d.lock); err != nil {
		return err
	}
	return os.Rename(d.file("new"), d.file("lock"))
}

// removeAbandoned removes what it can; the rest may belong to another user.
func removeAbandoned() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*", "lock")) // the pattern is a good one
	for _, name := range locks {
		lock, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if lockFile(lock) == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		_ = lock.Close()
	}
}
