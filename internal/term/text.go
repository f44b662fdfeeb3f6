package term

import (
	"strings"
	"unicode"
)

// wide are the blocks whose characters take two columns, roughly.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0xa4cf, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff00, Hi: 0xff60, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Width is how many columns a text takes: wide characters two, combining ones none.
func Width(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// Cut shortens a text to at most so many columns; an ellipsis shows that it did.
func Cut(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	if columns < 1 {
		return ""
	}
	n := 1 // the ellipsis
	for i, r := range text {
		if n += runeWidth(r); n > columns {
			return text[:i] + "…"
		}
	}
	return text
}

// Pad makes a text exactly so many columns wide: it cuts, or adds spaces behind.
func Pad(text string, columns int) string {
	text = Cut(text, columns)
	return text + blank(columns-Width(text))
}

// PadLeft makes a text at least so many columns wide, with spaces before it.
func PadLeft(text string, columns int) string { return blank(columns-Width(text)) + text }

func blank(columns int) string { return strings.Repeat(" ", max(0, columns)) }

// Wrap breaks a text between words into lines of at most so many columns; a longer word gets a line of its own.
func Wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && Width(line)+1+Width(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Printable makes any text safe for a terminal: what would move the cursor, change colours or reorder the line is shown
// as U+FFFD. Line breaks and tabs stay.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

var spaces = strings.NewReplacer("\n", " ", "\t", " ")

// OneLine is [Printable] with spaces for line breaks and tabs.
func OneLine(text string) string { return spaces.Replace(Printable(text)) }
