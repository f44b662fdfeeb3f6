package demo

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the pictures are of these kinds
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// output decodes what a task has returned.
func output[Out any](p *part) (out Out, err error) {
	if err := json.Unmarshal(p.task.Result, &out); err != nil {
		return out, fmt.Errorf("%s: decode the result: %w", p.title, err)
	}
	return out, nil
}

// verified is what came of a manifest.
type verified struct {
	by      string
	lines   int
	changed int // files that are no longer what they were when the task began
}

// verify checks a manifest with sha256sum, and by itself where there is none or where it disagrees: files may have changed
// since the task began, and that is nobody's fault.
func verify(ctx context.Context, dir, manifest string, since time.Time) (verified, error) {
	found := verified{by: "a check of our own"}
	sha256sum := exec.CommandContext(ctx, "sha256sum", "-c", "--quiet", manifest)
	sha256sum.Dir = dir
	if sha256sum.Run() == nil {
		n, err := countLines(manifest)
		return verified{by: "sha256sum -c", lines: n}, err
	}
	f, err := os.Open(manifest)
	if err != nil {
		return found, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() && ctx.Err() == nil {
		found.lines++
		sum, name, ok := manifestLine(lines.Text())
		if !ok {
			return found, fmt.Errorf("%s: line %d is none of a manifest", manifest, found.lines)
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if now, err := sumOf(path); err == nil && now == sum {
			continue
		}
		if !changed(path, since) {
			return found, fmt.Errorf("%s: the sum of %s is wrong", manifest, name)
		}
		found.changed++
	}
	return found, errors.Join(lines.Err(), ctx.Err())
}

// changed reports whether a file is gone or was written to since.
func changed(path string, since time.Time) bool {
	info, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().After(since.Add(-coarse))
}

// coarse is the granularity of file times, at the worst.
const coarse = 2 * time.Second

var manifestEscapes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")

// manifestLine reads a line as sha256sum has it: a backslash before it says that the name is escaped.
func manifestLine(line string) (sum, name string, ok bool) {
	line, escaped := strings.CutPrefix(line, `\`)
	sum, name, ok = strings.Cut(line, "  ")
	if escaped {
		name = manifestEscapes.Replace(name)
	}
	return sum, name, ok && len(sum) == hex.EncodedLen(sha256.Size)
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// countCSV counts the records below the head.
func countCSV(path string) (n int, err error) {
	err = reading(path, func(f io.Reader) error {
		r := csv.NewReader(f)
		r.ReuseRecord = true
		for n = -1; err == nil; n++ {
			_, err = r.Read()
		}
		n--
		return err
	})
	return n, err
}

// countJSONLines counts objects.
func countJSONLines(path string) (n int, err error) {
	err = reading(path, func(f io.Reader) error {
		d := json.NewDecoder(f)
		for {
			var row map[string]any
			if err := d.Decode(&row); err != nil {
				return err
			}
			n++
		}
	})
	return n, err
}

func countLines(path string) (n int, err error) {
	err = reading(path, func(f io.Reader) error {
		r := bufio.NewReader(f)
		for {
			if _, err := r.ReadString('\n'); err != nil {
				return err
			}
			n++
		}
	})
	return n, err
}

// reading opens a file for a function that reads to its end.
func reading(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(f); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// countImages decodes every file below a directory; each must be an image of that width.
func countImages(dir string, width int) (n int, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		img, _, err := image.Decode(f)
		if err != nil {
			return fmt.Errorf("decode %s: %w", path, err)
		}
		if got := img.Bounds().Dx(); got != width {
			return fmt.Errorf("%s is %d pixels wide, expected %d", path, got, width)
		}
		n++
		return nil
	})
	return n, err
}
