package tasks

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/globaltask/gtf"
)

func TestEachLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want []string
	}{
		{"nothing is no line", "", nil},
		{"an empty line is a line", "\n", []string{""}},
		{"the last line needs no end", "a\nb", []string{"a", "b"}},
		{"carriage returns at the end are dropped", "a\r\nb\r\n", []string{"a", "b"}},
		{"a line as long as is kept is whole", strings.Repeat("x", maxLine) + "\ny", []string{strings.Repeat("x", maxLine), "y"}},
		{"a longer line is cut and says so", strings.Repeat("x", 3*maxLine) + "\ny\n",
			[]string{strings.Repeat("x", maxLine) + " … (16000 more bytes)", "y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
				var got []string
				if err := eachLine(r, func(line string) { got = append(got, line) }); err != nil {
					t.Fatalf("eachLine: %v", err)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("lines are %.100q, want %.100q", got, tt.want)
				}
			}
		})
	}
	t.Run("an error comes after what was read before it", func(t *testing.T) {
		broken := errors.New("broken")
		var got []string
		err := eachLine(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), func(line string) { got = append(got, line) })
		if !errors.Is(err, broken) || !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("lines are %q, error %v", got, err)
		}
	})
}

func FuzzEachLine(f *testing.F) {
	f.Add("a\n\nb\r\nc", 3)
	f.Add(strings.Repeat("x", 2*maxLine)+"\n", 1)
	f.Fuzz(func(t *testing.T, text string, repeat int) {
		text = strings.Repeat(text, 1+repeat&7)
		n := 0
		err := eachLine(strings.NewReader(text), func(line string) {
			n++
			if len(line) > maxLine+40 {
				t.Errorf("a line has %d bytes", len(line))
			}
		})
		want := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			want++
		}
		if err != nil || n != want {
			t.Errorf("got %d lines and error %v, want %d lines", n, err, want)
		}
	})
}

func TestParseProgress(t *testing.T) {
	t.Parallel()
	total := func(done, of int) *progressLine { return &progressLine{form: gtf.FormTotal, done: done, total: of} }
	percent := func(p float64) *progressLine { return &progressLine{form: gtf.FormFraction, percent: p} }
	tests := []struct {
		line string
		want *progressLine
	}{
		{"PROGRESS 3/10", total(3, 10)},
		{"PROGRESS 3/10 ", total(3, 10)},
		{"PROGRESS 0/0", total(0, 0)},
		{"PROGRESS 42%", percent(42)},
		{"PROGRESS 42.5%", percent(42.5)},
		{"PROGRESS 42", &progressLine{form: gtf.FormCount, done: 42}},
		{"PROGRESS", nil},
		{"PROGRESS ", nil},
		{"PROGRESS report", nil},
		{"PROGRESS 3/ten", nil},
		{"PROGRESS 3/10/2", nil},
		{"PROGRESS -3/10", nil},
		{"PROGRESS +3", nil},
		{"PROGRESS -0", nil},
		{"PROGRESS 101%", nil},
		{"PROGRESS NaN%", nil},
		{"PROGRESS 1e1%", nil},
		{"PROGRESS 0x10%", nil},
		{"PROGRESS %", nil},
		{"PROGRESS 99999999999999999999", nil},
		{" PROGRESS 3/10", nil},
		{"progress 3/10", nil},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got, ok := parseProgress(tt.line)
			if ok != (tt.want != nil) || ok && got != *tt.want {
				t.Errorf("parseProgress is %+v, %v; want %+v", got, ok, tt.want)
			}
		})
	}
}

func FuzzParseProgress(f *testing.F) {
	for _, line := range []string{"PROGRESS 3/10", "PROGRESS 42%", "PROGRESS 42", "PROGRESS .%", "PROGRESS /"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, ok := parseProgress(line)
		if !ok {
			return
		}
		if !strings.HasPrefix(line, "PROGRESS ") {
			t.Errorf("%q moves the bar", line)
		}
		if p.done < 0 || p.total < 0 || !(p.percent >= 0 && p.percent <= 100) {
			t.Errorf("%q is %+v: out of range", line, p)
		}
	})
}
