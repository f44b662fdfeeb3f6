package demodata

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// DrawImages draws n colourful images of different sizes into dir, which it makes: for every PNG two JPEGs.
func DrawImages(ctx context.Context, dir string, n int) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("make the directory for the images: %w", err)
	}
	for i := range n {
		if ctx.Err() != nil {
			return fmt.Errorf("draw image %d of %d: %w", i+1, n, ctx.Err())
		}
		name, encode := fmt.Sprintf("picture-%03d.jpg", i+1), encodeJPEG
		if i%3 == 2 {
			name, encode = fmt.Sprintf("picture-%03d.png", i+1), png.Encode
		}
		if err := writeImage(filepath.Join(dir, name), picture(rand.New(rand.NewPCG(1, uint64(i)))), encode); err != nil {
			return err
		}
	}
	return nil
}

func encodeJPEG(w io.Writer, img image.Image) error { return jpeg.Encode(w, img, nil) }

func writeImage(path string, img image.Image, encode func(io.Writer, image.Image) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("draw an image: %w", err)
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			err = fmt.Errorf("draw %s: %w", path, closed)
		}
	}()
	if err := encode(f, img); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	return nil
}

// picture is a blend of two colours, bent by a wave, with a few discs on it.
func picture(r *rand.Rand) image.Image {
	width, height := 640+r.IntN(640), 480+r.IntN(480)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	from, to := colour(r), colour(r)
	wave := 1 + 5*r.Float64()
	for y := range height {
		bend := 0.15 * math.Sin(wave*float64(y)/float64(height)*2*math.Pi)
		for x := range width {
			img.SetRGBA(x, y, blend(from, to, float64(x)/float64(width)+bend))
		}
	}
	for range 4 + r.IntN(8) {
		disc(img, r.IntN(width), r.IntN(height), 10+r.IntN(height/5), colour(r))
	}
	return img
}

func disc(img *image.RGBA, cx, cy, radius int, c color.RGBA) {
	for y := -radius; y <= radius; y++ {
		half := int(math.Sqrt(float64(radius*radius - y*y)))
		for x := -half; x <= half; x++ {
			if at := image.Pt(cx+x, cy+y); at.In(img.Rect) {
				img.SetRGBA(at.X, at.Y, blend(img.RGBAAt(at.X, at.Y), c, 0.7))
			}
		}
	}
}

func colour(r *rand.Rand) color.RGBA {
	return color.RGBA{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256)), 255}
}

func blend(a, b color.RGBA, part float64) color.RGBA {
	part = min(max(part, 0), 1)
	mix := func(x, y uint8) uint8 { return uint8(float64(x) + part*(float64(y)-float64(x))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}
