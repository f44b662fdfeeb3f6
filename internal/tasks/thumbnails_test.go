package tasks_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/tasks"
)

func TestThumbnails(t *testing.T) {
	t.Parallel()
	t.Run("scales images and counts bad ones", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := tree(t, map[string]string{
			"photo.jpg": string(photo(t, 300, 100)), "drawing.png": string(drawing(t, 100, 300)),
			"sub/moving.GIF": string(animation(t, 100, 50)), "small.png": string(drawing(t, 10, 5)),
			"text.jpg": "not a picture", "empty.png": "", "readme.txt": "no image", "huge.png": string(claimHuge(t)),
		})
		out := filepath.Join(dir, "thumbs")
		for range 2 { // the second time the thumbnails of the first lie below dir
			done, err := tasks.Thumbnails.Run(ctx, c, tasks.ThumbnailsInput{Dir: dir, Out: out, Width: 40}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if done.Thumbnails != 4 || done.Bad != 3 || strings.Join(done.BadNames, " ") != "empty.png huge.png text.jpg" {
				t.Errorf("output is %+v, want 4 thumbnails, 3 bad", done)
			}
		}
		wantFiles(t, out, "drawing.png", "photo.jpg", "small.png", "sub")
		wantImage(t, filepath.Join(out, "photo.jpg"), "jpeg", 40, 13)
		wantImage(t, filepath.Join(out, "drawing.png"), "png", 40, 120)
		wantImage(t, filepath.Join(out, "sub", "moving.GIF"), "gif", 40, 20)
		wantImage(t, filepath.Join(out, "small.png"), "png", 10, 5)
	})
	t.Run("refuses to replace the images", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir := t.TempDir()
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Skip(err)
		}
		_, err := tasks.Thumbnails.Run(ctx, c, tasks.ThumbnailsInput{Dir: dir, Out: link, Width: 40}, nil)
		if !errors.Is(err, gtf.ErrFailed) || !strings.Contains(err.Error(), "out:") {
			t.Errorf("error is %v, want a failure that names out", err)
		}
	})
	t.Run("aborts between two images and leaves whole ones", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir, out := tree(t, map[string]string{"photo.jpg": string(photo(t, 300, 100))}), t.TempDir()
		const many = 5000 // takes seconds
		for i := range many {
			if err := os.Link(filepath.Join(dir, "photo.jpg"), filepath.Join(dir, fmt.Sprintf("x%d.jpg", i))); err != nil {
				t.Skip(err)
			}
		}
		h := start(ctx, t, c, tasks.Thumbnails, tasks.ThumbnailsInput{Dir: dir, Out: out, Width: 40})
		await(ctx, t, h, "its second image", begun)
		abort(ctx, t, c, h)
		entries, err := os.ReadDir(out)
		if err != nil || len(entries) == 0 || len(entries) >= many {
			t.Fatalf("there are %d thumbnails (error %v), want some but not all", len(entries), err)
		}
		for _, e := range entries {
			wantImage(t, filepath.Join(out, e.Name()), "jpeg", 40, 13)
		}
	})
}

func wantImage(t *testing.T, path, format string, width, height int) {
	t.Helper()
	img, got, err := image.Decode(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Errorf("decode %s: %v", path, err)
		return
	}
	size := img.Bounds()
	if got != format || size.Dx() != width || size.Dy() != height {
		t.Errorf("%s is a %s of %d x %d, want a %s of %d x %d", path, got, size.Dx(), size.Dy(), format, width, height)
	}
}

func photo(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func drawing(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func animation(t *testing.T, width, height int) []byte {
	t.Helper()
	picture := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.White})
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{picture, picture}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// claimHuge is a small file that says it has 100,000 x 100,000 pixels.
func claimHuge(t *testing.T) []byte {
	t.Helper()
	b := drawing(t, 1, 1)
	ihdr := bytes.Index(b, []byte("IHDR"))
	copy(b[ihdr+4:], []byte{0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0})
	sum := crc32.ChecksumIEEE(b[ihdr : ihdr+17])
	binary.BigEndian.PutUint32(b[ihdr+17:], sum)
	return b
}
