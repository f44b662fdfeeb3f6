package tasks

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// existingDir returns a directory without symbolic links on the way: a walk does not follow the one it begins with.
func existingDir(path string) (string, error) {
	dir, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("read the directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is a file", path)
	}
	if err != nil {
		return "", fmt.Errorf("read the directory: %w", err)
	}
	return dir, nil
}

// reason is an error without the path, where the path is told beside it.
func reason(err error) error {
	if onPath, ok := errors.AsType[*fs.PathError](err); ok {
		return onPath.Err
	}
	return err
}

// output is a file that appears at its path whole or not at all: it is written beside it, then renamed.
type output struct {
	*os.File
	path string
	kept bool
}

// createOutput begins a file for path, which may exist and then stays as it is until keep.
func createOutput(path string) (*output, error) {
	name := filepath.Join(filepath.Dir(path), ".gtf-"+rand.Text()+".tmp")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // not os.CreateTemp: the umask decides who may read it
	if err != nil {
		return nil, fmt.Errorf("create a file for %s: %w", path, err)
	}
	return &output{File: f, path: path}, nil
}

// keep gives the finished file its name.
func (o *output) keep() error {
	if err := o.Sync(); err != nil { // otherwise a power failure may leave the name without the bytes
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	if err := o.Close(); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	if err := os.Rename(o.Name(), o.path); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	o.kept = true
	return nil
}

// discard removes what was not kept; after keep it does nothing.
func (o *output) discard() error {
	if o.kept {
		return nil
	}
	_ = o.Close() // closed already if keep came so far; what matters is the removal
	if err := os.Remove(o.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the unfinished %s: %w", o.path, err)
	}
	return nil
}

// writeFile writes a file whole or not at all, with the directories above it.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("make the directory for %s: %w", path, err)
	}
	f, err := createOutput(path)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err != nil {
		err = fmt.Errorf("write %s: %w", path, err)
	} else {
		err = f.keep()
	}
	return errors.Join(err, f.discard())
}

// regularFiles lists the files below dir that are wanted, relative to it and in order. It is known before the first one is
// read: progress needs the number, and what the task itself writes, the file or directory except, is not among them. Only
// an unreadable dir itself is an error; the rest is told to skip.
func regularFiles(ctx context.Context, dir, except string, wanted func(name string) bool, skip func(string, error)) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name, relErr := filepath.Rel(dir, path)
		switch {
		case relErr != nil:
			return relErr
		case err != nil && path == dir:
			return fmt.Errorf("read the directory: %w", err)
		case err != nil:
			skip(name, err)
		case path == except && d.IsDir():
			return filepath.SkipDir
		case path != except && d.Type().IsRegular() && wanted(name):
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

func everyName(string) bool { return true }
