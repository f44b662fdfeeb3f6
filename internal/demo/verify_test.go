package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a file that is an hour old.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	const (
		ofA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
		ofB = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
	)
	tests := []struct {
		name     string
		manifest string
		program  bool // sha256sum may be there
		want     verified
		err      string
	}{
		{name: "agrees", manifest: ofA + "  sub/a\n" + `\` + ofB + `  b\nb` + "\n", want: verified{by: "a check of our own", lines: 2}},
		{name: "agrees with sha256sum", manifest: ofA + "  sub/a\n" + `\` + ofB + `  b\nb` + "\n", program: true, want: verified{by: "sha256sum -c", lines: 2}},
		{name: "forgives a file that has gone", manifest: ofA + "  sub/a\n" + ofA + "  gone\n", program: true,
			want: verified{by: "a check of our own", lines: 2, changed: 1}},
		{name: "forgives a file that was changed since", manifest: ofA + "  new\n", program: true, want: verified{by: "a check of our own", lines: 1, changed: 1}},
		{name: "finds a wrong sum", manifest: ofB + "  sub/a\n", program: true, err: "the sum of sub/a is wrong"},
		{name: "finds a line that is none", manifest: "nonsense\n", program: true, err: "line 1 is none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "sub", "a"), "a")
			write(t, dir+"/b\nb", "b")
			if err := os.WriteFile(filepath.Join(dir, "new"), []byte("b"), 0o600); err != nil {
				t.Fatal(err)
			}
			manifest := filepath.Join(t.TempDir(), "SHA256SUMS")
			write(t, manifest, tt.manifest)
			if !tt.program {
				t.Setenv("PATH", t.TempDir())
			}
			got, err := verify(t.Context(), dir, manifest, time.Now().Add(-time.Minute))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error is %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.want.by != got.by && tt.program { // not every machine has it
				t.Logf("checked by %s", got.by)
				got.by = tt.want.by
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	tests := []struct {
		name, text string
		count      func(string) (int, error)
		want       int // -1: an error
	}{
		{"the records of a CSV below its head", "a,b\n1,\"x\ny\"\n2,z\n", countCSV, 2},
		{"no records of a CSV", "a,b\n", countCSV, 0},
		{"a CSV that is none", "a,b\n1,2,3\n", countCSV, -1},
		{"the objects of JSON lines", "{\"a\":1}\n{}\n", countJSONLines, 2},
		{"JSON lines that are cut off", "{\"a\":1}\n{", countJSONLines, -1},
		{"lines", "a\nb\n", countLines, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, tt.text)
			got, err := tt.count(path)
			if err != nil {
				got = -1
			}
			if got != tt.want {
				t.Errorf("got %d (error %v), want %d", got, err, tt.want)
			}
		})
	}
	t.Run("only images of the right width", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "no image.png"), "nonsense")
		if n, err := countImages(dir, 160); err == nil {
			t.Errorf("counted %d images, want an error", n)
		}
	})
}
