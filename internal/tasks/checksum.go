package tasks

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/globaltask/gtf"
)

// ChecksumInput says what to sum.
type ChecksumInput struct {
	Dir      string `json:"dir"`
	Manifest string `json:"manifest"` // absolute, or below Dir; default SHA256SUMS in Dir
}

// ChecksumOutput says what was summed. A file that vanished meanwhile or cannot be read is counted, named in the log, and
// missing in the manifest; the task still succeeds.
type ChecksumOutput struct {
	Manifest        string `json:"manifest"`
	Files           int    `json:"files"` // in the manifest
	Bytes           int64  `json:"bytes"`
	Unreadable      int    `json:"unreadable"` // files and directories
	UnreadableNames sample `json:"unreadable_names,omitempty"`
}

// Checksum writes the SHA-256 of every regular file below a directory into a manifest for "cd DIR && sha256sum -c". Symbolic
// links are not followed. It is shared: who asks for a directory that is being summed joins, and finds in the output where
// the manifest is.
var Checksum = gtf.Define[ChecksumInput, ChecksumOutput]("files.checksum", &gtf.DefineOpts[ChecksumInput]{
	Abortable:   true, // a read ends soon, and nothing runs elsewhere: the end of the context is enough
	Check:       ChecksumInput.check,
	Description: "writes the SHA-256 of every file below a directory into a manifest for sha256sum -c",
	Key:         func(in ChecksumInput) string { return keyOf(filepath.Clean(in.Dir)) },
	Name:        func(in ChecksumInput) string { return nameOf("Checksums of", filepath.Clean(in.Dir)) },
	Scope:       gtf.ScopeShared,
})

func checksum(ctx context.Context, in ChecksumInput) (ChecksumOutput, error) {
	dir, manifest, err := in.paths()
	if err != nil {
		return ChecksumOutput{}, err
	}
	x := gtf.FromContext(ctx)
	done := ChecksumOutput{Manifest: printable(manifest)}
	skip := func(name string, err error) {
		done.Unreadable++
		done.UnreadableNames.add(name)
		x.Logger().Warn("not in the manifest: cannot be read", "name", name, "error", reason(err))
	}
	names, err := regularFiles(ctx, dir, manifest, everyName, skip)
	if err != nil {
		return ChecksumOutput{}, err
	}
	out, err := createOutput(manifest)
	if err != nil {
		return ChecksumOutput{}, err
	}
	x.OnCleanup(func(context.Context) error { return out.discard() })
	w := bufio.NewWriter(out)
	buf := make([]byte, 256<<10)
	for i, name := range names {
		sum, n, err := sumFile(ctx, filepath.Join(dir, name), buf)
		if ctx.Err() != nil {
			return ChecksumOutput{}, context.Cause(ctx) // the file is not to blame
		}
		if err != nil {
			skip(name, err)
		} else if _, err := w.WriteString(manifestLine(sum, filepath.ToSlash(name))); err != nil {
			return ChecksumOutput{}, fmt.Errorf("write %s: %w", manifest, err)
		} else {
			done.Files++
			done.Bytes += n
		}
		x.Progress(i+1, len(names))
	}
	if err := w.Flush(); err != nil {
		return ChecksumOutput{}, fmt.Errorf("write %s: %w", manifest, err)
	}
	x.Logger().Info("summed", "files", done.Files, "bytes", done.Bytes, "unreadable", done.Unreadable)
	return done, out.keep()
}

func (in ChecksumInput) check() error {
	var bad problems
	bad.absolute("dir", in.Dir)
	return bad.err()
}

// paths returns the directory and the manifest without symbolic links on the way, so that the walk knows the manifest
// when it meets it.
func (in ChecksumInput) paths() (dir, manifest string, err error) {
	if dir, err = existingDir(in.Dir); err != nil {
		return "", "", err
	}
	manifest = in.Manifest
	if manifest == "" {
		manifest = "SHA256SUMS"
	}
	if !filepath.IsAbs(manifest) {
		manifest = filepath.Join(dir, manifest)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(manifest))
	if err != nil {
		return "", "", fmt.Errorf("find a place for the manifest: %w", err)
	}
	return dir, filepath.Join(parent, filepath.Base(manifest)), nil
}

func sumFile(ctx context.Context, path string, buf []byte) (sum []byte, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err = io.CopyBuffer(h, readerFunc(func(p []byte) (int, error) {
		if ctx.Err() != nil { // asked once per buffer: a big file is left early, too
			return 0, context.Cause(ctx)
		}
		return f.Read(p)
	}), buf)
	return h.Sum(nil), n, err
}

type readerFunc func(p []byte) (int, error)

func (read readerFunc) Read(p []byte) (int, error) { return read(p) }

// manifestLine is a line as GNU sha256sum writes it: a backslash before it says that the name is escaped.
func manifestLine(sum []byte, name string) string {
	if name == "-" {
		name = "./-" // a bare one would be standard input
	}
	mark := ""
	if strings.ContainsAny(name, "\\\n\r") {
		mark = `\`
		name = manifestEscapes.Replace(name)
	}
	return fmt.Sprintf("%s%x  %s\n", mark, sum, name)
}

var manifestEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
