package tasks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/globaltask/gtf"
)

// maxLine is what is kept of a line: with the note that it was cut it just fits into a log line of 8 KiB.
const maxLine = 8000

// lineSink turns the output of a program into log lines and progress of a task. Each of its two streams is used by one
// goroutine, and the rest after both have ended.
type lineSink struct {
	x                      *gtf.Execution
	stdoutLines            int
	stderrLines            int
	lastStdout, lastStderr []string
}

func (s *lineSink) stdout(line string) {
	s.stdoutLines++
	s.lastStdout = keepLast(s.lastStdout, line, 1)
	s.x.Logger().Info(line) //nolint:sloglint // the line is the program's
}

func (s *lineSink) stderr(line string) {
	s.stderrLines++
	s.lastStderr = keepLast(s.lastStderr, line[:min(len(line), 500)], 5)
	s.x.Logger().Warn(line) //nolint:sloglint // the line is the program's
}

func keepLast(lines []string, line string, most int) []string {
	if len(lines) == most {
		lines = append(lines[:0], lines[1:]...)
	}
	return append(lines, line)
}

// read takes a stream to its end and closes it.
func (s *lineSink) read(f *os.File, line func(string)) {
	defer f.Close()
	err := eachLine(f, func(text string) {
		if report, ok := parseProgress(text); ok {
			report.to(s.x)
		} else {
			line(text)
		}
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.x.Logger().Warn("output not read to its end: a process outside the program's group holds it open")
	} else if err != nil {
		s.x.Logger().Warn("output not read to its end", "error", err)
	}
}

func (s *lineSink) output() CommandOutput {
	out := CommandOutput{StdoutLines: s.stdoutLines, StderrLines: s.stderrLines}
	if len(s.lastStdout) > 0 {
		out.LastLine = printable(s.lastStdout[0])
	}
	return out
}

// failure names the exit code, or the signal that killed the program, and what it said last.
func (s *lineSink) failure(program string, state *os.ProcessState) error {
	text := state.String() // "signal: killed"
	if code := state.ExitCode(); code >= 0 {
		text = fmt.Sprintf("exit code %d", code)
	}
	if len(s.lastStderr) > 0 {
		text += ": " + strings.Join(s.lastStderr, "\n")
	}
	return fmt.Errorf("%s: %s", program, text)
}

// eachLine calls line for every line without its end, the last one even if it has none. Of a very long line it keeps the
// beginning and says how much is missing; in memory is never more than that.
func eachLine(r io.Reader, line func(string)) error {
	buf := bufio.NewReaderSize(r, maxLine)
	var kept []byte
	missing, open := 0, false
	for {
		part, err := buf.ReadSlice('\n')
		open = open || len(part) > 0
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		room := min(len(part), maxLine-len(kept))
		kept = append(kept, part[:room]...)
		missing += len(part) - room
		if ended || !errors.Is(err, bufio.ErrBufferFull) && open {
			line(lineText(kept, missing))
			kept, missing, open = kept[:0], 0, false
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

func lineText(kept []byte, missing int) string {
	if missing == 0 {
		return strings.TrimSuffix(string(kept), "\r")
	}
	return fmt.Sprintf("%s … (%d more bytes)", kept, missing)
}

// progressLine is a line by which a program says how far it is.
type progressLine struct {
	form    gtf.ProgressForm
	done    int
	total   int
	percent float64
}

func (p progressLine) to(x *gtf.Execution) {
	switch p.form {
	case gtf.FormTotal:
		x.Progress(p.done, p.total)
	case gtf.FormFraction:
		x.Fraction(p.percent / 100)
	default:
		x.Count(p.done)
	}
}

// parseProgress understands PROGRESS 3/10, PROGRESS 42% (also 42.5%) and PROGRESS 42. What only looks like it is an
// ordinary line.
func parseProgress(line string) (p progressLine, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimRight(line, " \t"), "PROGRESS ")
	if !ok {
		return progressLine{}, false
	}
	if done, total, ok := strings.Cut(rest, "/"); ok {
		p.form = gtf.FormTotal
		var a, b bool
		p.done, a = parseCount(done)
		p.total, b = parseCount(total)
		return p, a && b
	}
	if percent, ok := strings.CutSuffix(rest, "%"); ok {
		p.form = gtf.FormFraction
		p.percent, ok = parsePercent(percent)
		return p, ok
	}
	p.form = gtf.FormCount
	p.done, ok = parseCount(rest)
	return p, ok
}

func parseCount(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && s[0] != '+' && s[0] != '-'
}

func parsePercent(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && f >= 0 && f <= 100 && !math.IsNaN(f) && strings.Trim(s, "0123456789.") == ""
}
