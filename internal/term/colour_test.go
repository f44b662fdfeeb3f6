package term

import (
	"io"
	"testing"
)

func TestPalette(t *testing.T) {
	t.Run("paints what has a text and a style", func(t *testing.T) {
		p := Palette{Colour: true}
		for got, want := range map[string]string{p.Paint(Bad, "no"): "\x1b[31mno\x1b[0m", p.Paint(Plain, "so"): "so", p.Paint(Bad, ""): ""} {
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
	t.Run("leaves texts alone without colours", func(t *testing.T) {
		if got := (Palette{}).Paint(Bad, "no"); got != "no" {
			t.Errorf("got %q, want no codes", got)
		}
	})
	t.Run("has none elsewhere than on a terminal", func(t *testing.T) {
		if PaletteOf(io.Discard).Colour {
			t.Error("a stream that is no terminal has colours")
		}
	})
}
