package term

import "os"

// Style is a meaning that has a colour.
type Style string

// The styles, as the terminal knows them.
const (
	Plain   Style = ""
	Strong  Style = "1"
	Dim     Style = "2"
	Accent  Style = "34"
	Good    Style = "32"
	Bad     Style = "31"
	Warning Style = "33"
)

// Palette paints, or does not.
type Palette struct {
	// Colour is whether it does. Default false.
	Colour bool
}

// PaletteOf has colours where lines can be redrawn, unless NO_COLOR is set (no-color.org).
func PaletteOf(stream any) Palette {
	return Palette{Colour: Redraws(stream) && os.Getenv("NO_COLOR") == ""}
}

// Paint wraps a text in the codes of a style. Measure before: the codes count as columns.
func (p Palette) Paint(s Style, text string) string {
	if !p.Colour || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}
