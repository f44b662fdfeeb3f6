package tasks

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"

	"github.com/globaltask/gtf"
)

// ThumbnailsInput says what to scale.
type ThumbnailsInput struct {
	Dir   string `json:"dir"`
	Out   string `json:"out"`   // made if it is missing; may lie below Dir, and is then left out
	Width int    `json:"width"` // in pixels; smaller images keep theirs
}

// ThumbnailsOutput says what was scaled. An image that cannot be read is counted and named in the log; the task still
// succeeds.
type ThumbnailsOutput struct {
	Thumbnails int    `json:"thumbnails"`
	Bad        int    `json:"bad"`
	BadNames   sample `json:"bad_names,omitempty"`
}

const maxThumbnail = 4096

// Thumbnails scales every .jpg, .jpeg, .png and .gif below a directory (of an animation the first picture) and writes it
// under the same relative name into another one. It is shared by directories and width.
var Thumbnails = gtf.Define[ThumbnailsInput, ThumbnailsOutput]("image.thumbnails", &gtf.DefineOpts[ThumbnailsInput]{
	Abortable:   true,
	Check:       ThumbnailsInput.check,
	Description: "scales the JPEG, PNG and GIF images below a directory to a width, into another directory",
	Key: func(in ThumbnailsInput) string {
		return keyOf(filepath.Clean(in.Dir), filepath.Clean(in.Out), in.Width)
	},
	Name:  func(in ThumbnailsInput) string { return nameOf("Thumbnails of", filepath.Clean(in.Dir)) },
	Scope: gtf.ScopeShared,
})

func thumbnails(ctx context.Context, in ThumbnailsInput) (ThumbnailsOutput, error) {
	dir, out, err := in.dirs()
	if err != nil {
		return ThumbnailsOutput{}, err
	}
	x := gtf.FromContext(ctx)
	var done ThumbnailsOutput
	bad := func(name string, err error) {
		done.Bad++
		done.BadNames.add(name)
		x.Logger().Warn("no thumbnail", "name", name, "error", reason(err))
	}
	names, err := regularFiles(ctx, dir, out, isImage, bad)
	if err != nil {
		return ThumbnailsOutput{}, err
	}
	for i, name := range names {
		if ctx.Err() != nil {
			return ThumbnailsOutput{}, context.Cause(ctx)
		}
		small, err := thumbnail(filepath.Join(dir, name), in.Width)
		if err != nil {
			bad(name, err)
		} else if err := writeFile(filepath.Join(out, name), small); err != nil {
			return ThumbnailsOutput{}, err // the next one cannot be written either
		} else {
			done.Thumbnails++
		}
		x.Progress(i+1, len(names))
	}
	x.Logger().Info("scaled", "thumbnails", done.Thumbnails, "bad", done.Bad)
	return done, nil
}

func (in ThumbnailsInput) check() error {
	var bad problems
	bad.absolute("dir", in.Dir)
	bad.absolute("out", in.Out)
	bad.between(1, maxThumbnail, "width", in.Width)
	return bad.err()
}

// dirs returns both without symbolic links on the way, so that it is seen when they are the same.
func (in ThumbnailsInput) dirs() (dir, out string, err error) {
	if dir, err = existingDir(in.Dir); err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(in.Out, 0o777); err != nil {
		return "", "", fmt.Errorf("make the directory for the thumbnails: %w", err)
	}
	if out, err = existingDir(in.Out); err != nil {
		return "", "", err
	}
	if out == dir {
		return "", "", gtf.NoRetry(fmt.Errorf("out: %s is the same as dir: the thumbnails would replace the images", in.Out))
	}
	return dir, out, nil
}

func isImage(name string) bool { return encoders[extension(name)] != nil }

// maxPixels keeps a small file that claims to be a huge picture from taking all memory.
const maxPixels = 100 << 20

// thumbnail returns the scaled image as a file of the kind that its name says.
func thumbnail(path string, width int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	header, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, err
	}
	if header.Width < 1 || header.Height < 1 || header.Width > maxPixels/header.Height {
		return nil, fmt.Errorf("has %d x %d pixels, at most %d are scaled", header.Width, header.Height, maxPixels)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	big, _, err := image.Decode(f)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	err = encoders[extension(path)](&file, scale(big, width))
	return file.Bytes(), err
}

// scale keeps the proportions, and the image itself if it is not wider.
func scale(big image.Image, width int) image.Image {
	from := big.Bounds()
	if from.Dx() <= width {
		return big
	}
	height := max(1, (from.Dy()*width+from.Dx()/2)/from.Dx())
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(small, small.Bounds(), big, from, draw.Src, nil)
	return small
}

var encoders = map[string]func(io.Writer, image.Image) error{
	".gif":  func(w io.Writer, img image.Image) error { return gif.Encode(w, img, nil) },
	".jpg":  func(w io.Writer, img image.Image) error { return jpeg.Encode(w, img, nil) },
	".jpeg": func(w io.Writer, img image.Image) error { return jpeg.Encode(w, img, nil) },
	".png":  png.Encode,
}

func extension(name string) string { return strings.ToLower(filepath.Ext(name)) }
