package tasks_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/tasks"
)

func TestChecksum(t *testing.T) {
	t.Parallel()
	t.Run("writes a manifest that sha256sum accepts", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("such names cannot be made on windows")
		}
		ctx, c := newClient(t)
		dir := tree(t, map[string]string{
			"plain": "a", "sub/dir/deep": "b", "sub/empty": "", "-": "minus", " space ": "c", //nolint:gocritic // the spaces are part of the name
			"*star": "d", "#hash": "e",
			`back\slash`: "f", "new\nline": "g", "return\r": "h", "both\\\n\r": "i", "latin\xe9": "j", "-c": "k", "\\": "l",
		})
		if err := os.Symlink("plain", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		out, err := tasks.Checksum.Run(ctx, c, tasks.ChecksumInput{Dir: dir}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out.Files != 14 || out.Bytes != 17 || out.Unreadable != 0 || out.Manifest != filepath.Join(dir, "SHA256SUMS") {
			t.Errorf("output is %+v, want 14 files with 17 bytes", out)
		}
		verify(t, dir, out.Manifest, 14)

		again, err := tasks.Checksum.Run(ctx, c, tasks.ChecksumInput{Dir: dir}, nil)
		if err != nil || again.Files != 14 {
			t.Errorf("the second time there are %d files (error %v), want 14: the manifest is not one of them", again.Files, err)
		}
		if strings.Contains(string(read(t, out.Manifest)), "SHA256SUMS") {
			t.Error("the manifest lists itself")
		}
	})
	t.Run("lists what cannot be read and goes on", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS != "linux" {
			t.Skip("needs paths that are too long to open")
		}
		ctx, c := newClient(t)
		dir := tree(t, map[string]string{"a": "1", "z": "2"})
		buryTooDeep(t, dir)
		out, err := tasks.Checksum.Run(ctx, c, tasks.ChecksumInput{Dir: dir, Manifest: "sums"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out.Files != 2 || out.Unreadable != 2 || len(out.UnreadableNames) != 2 {
			t.Errorf("output has %d files, %d unreadable, %d names; want 2 of each", out.Files, out.Unreadable, len(out.UnreadableNames))
		}
		verify(t, dir, out.Manifest, 2)
		page, err := c.List(ctx, nil)
		if err != nil || len(page.Tasks) != 1 {
			t.Fatalf("list: %v, %v", page, err)
		}
		if log := logOf(ctx, t, c, page.Tasks[0].ID); strings.Count(log, "WARN not in the manifest") != 2 {
			t.Errorf("the log does not name both:\n%s", log)
		}
	})
	t.Run("fails if there is no such directory", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		missing := filepath.Join(t.TempDir(), "missing")
		_, err := tasks.Checksum.Run(ctx, c, tasks.ChecksumInput{Dir: missing}, nil)
		if !errors.Is(err, gtf.ErrFailed) || !strings.Contains(err.Error(), missing) {
			t.Errorf("error is %v, want a failure that names the directory", err)
		}
	})
	t.Run("fails if the directory is a file", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		file := filepath.Join(tree(t, map[string]string{"f": ""}), "f")
		if _, err := tasks.Checksum.Run(ctx, c, tasks.ChecksumInput{Dir: file}, nil); !errors.Is(err, gtf.ErrFailed) {
			t.Errorf("error is %v, want a failure", err)
		}
	})
	t.Run("follows a directory that is a link, and keeps its manifest out", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := tree(t, map[string]string{"a": "1"})
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Skip(err)
		}
		in := tasks.ChecksumInput{Dir: link, Manifest: filepath.Join(link, "sums")}
		for range 2 {
			if out, err := tasks.Checksum.Run(ctx, c, in, nil); err != nil || out.Files != 1 {
				t.Errorf("%d files and error %v, want 1", out.Files, err)
			}
		}
	})
	t.Run("aborts within a big file and leaves the old manifest", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := tree(t, map[string]string{"a": "1", "big": "", "SHA256SUMS": "old"})
		if err := os.Truncate(filepath.Join(dir, "big"), 1<<40); err != nil {
			t.Skip(err)
		}
		h := start(ctx, t, c, tasks.Checksum, tasks.ChecksumInput{Dir: dir})
		await(ctx, t, h, "its second file", begun)
		abort(ctx, t, c, h)
		wantFiles(t, dir, "SHA256SUMS", "a", "big")
		if got := string(read(t, filepath.Join(dir, "SHA256SUMS"))); got != "old" {
			t.Errorf("the manifest is %q, want the old one", got)
		}
	})
	t.Run("is joined by whoever asks for the same directory", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := tree(t, map[string]string{"a": "1", "big": ""})
		if err := os.Truncate(filepath.Join(dir, "big"), 1<<40); err != nil {
			t.Skip(err)
		}
		h := start(ctx, t, c, tasks.Checksum, tasks.ChecksumInput{Dir: dir})
		other := start(ctx, t, c, tasks.Checksum, tasks.ChecksumInput{Dir: dir + "/./", Manifest: "other"})
		if !other.Joined || other.ID != h.ID {
			t.Errorf("the second is %s, joined %v; want to join %s", other.ID, other.Joined, h.ID)
		}
		abort(ctx, t, c, h)
	})
}

// verify has sha256sum itself check a manifest.
func verify(t *testing.T, dir, manifest string, files int) {
	t.Helper()
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("sha256sum is not installed: the manifest stays unchecked")
	}
	cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", manifest)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), ": OK\n") != files {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

// buryTooDeep makes a file and a directory whose paths are longer than the system opens, which stops even root.
func buryTooDeep(t *testing.T, dir string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 200)
	for length := len(dir); length+len(name) < 3840; { // so that what follows is below 4096 with one name, above with two
		if err := root.Mkdir(name, 0o777); err != nil {
			t.Fatal(err)
		}
		deeper, err := root.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		_ = root.Close()
		root = deeper
		length += 1 + len(name)
	}
	defer root.Close()
	far := strings.Repeat("f", 250)
	if err := root.Mkdir(far[:248], 0o777); err != nil {
		t.Fatal(err)
	}
	if err := root.Mkdir(filepath.Join(far[:248], far[:248]), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := root.Create(filepath.Join(far[:248], far))
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
