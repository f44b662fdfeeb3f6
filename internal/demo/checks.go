package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/tasks"
	"github.com/globaltask/gtf/internal/term"
)

// check looks whether everything is as it should be, shows what it has found, and returns what is wrong.
func (s *stage) check(ctx context.Context, lists []sight) error {
	screen := s.board.screen
	screen.say("", "")
	screen.say("", screen.Paint(term.Strong, "Checked"))
	var wrong []error
	for _, check := range []func(context.Context) (string, error){
		s.checkOutcomes,
		s.checkStory,
		func(context.Context) (string, error) { return checkSights(lists, s.board.parts) },
		func(ctx context.Context) (string, error) { return s.checkSums(ctx, s.source) },
		func(ctx context.Context) (string, error) { return s.checkSums(ctx, s.repository) },
		s.checkExports,
		s.checkThumbnails,
		s.checkRemains,
	} {
		text, err := check(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case err != nil:
			wrong = append(wrong, err)
			screen.say("", "  "+screen.Paint(term.Bad, "✗ "+term.OneLine(err.Error())))
		case text != "":
			screen.say("", "  "+screen.Paint(term.Good, "✓")+" "+text)
		}
	}
	return errors.Join(wrong...)
}

// checkOutcomes compares every status with the one that was expected.
func (s *stage) checkOutcomes(context.Context) (string, error) {
	var wrong []error
	counts := map[gtf.Status]int{}
	for _, p := range s.board.parts {
		counts[p.task.Status]++
		if p.task.Status != p.want {
			wrong = append(wrong, fmt.Errorf("%q ended as %s, expected %s", p.title, outcome(p.task), p.want))
		}
	}
	var said []string
	for _, status := range gtf.Statuses() {
		if n := counts[status]; n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, strings.ToLower(strings.Replace(term.LookOf(status).Word, "Success", "succeeded", 1))))
		}
	}
	return fmt.Sprintf("%d tasks ended as expected: %s", len(s.board.parts), term.List(said)), errors.Join(wrong...)
}

// checkStory looks at how the tasks came to their ends.
func (s *stage) checkStory(ctx context.Context) (string, error) {
	lines, err := s.client.Logs(ctx, s.report.id, 0, 0)
	if err != nil {
		return "", err
	}
	var wrong []error
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	source, csv, report := s.source.task, s.csv.task, s.report.task
	expect(source.Attempt == 1 && source.DedupeCount == 1, "%q ran %d times and was joined %d times, expected 1 and 1",
		s.source.title, source.Attempt, source.DedupeCount)
	expect(csv.Attempt > 1, "%q succeeded at its first attempt, expected a later one", s.csv.title)
	expect(report.AbortedBy.ID == grace.ID, "%q was aborted by %q, expected grace", s.report.title, report.AbortedBy.ID)
	expect(slices.ContainsFunc(lines, func(l gtf.LogLine) bool { return strings.Contains(l.Text, "abort handler") }),
		"the log of %q does not say that its abort handler ran", s.report.title)
	expect(strings.Contains(s.mistyped.task.Error, "custmer"), "the error of %q does not name the column: %s", s.mistyped.title, s.mistyped.task.Error)
	return "the joined checksums ran once, the CSV succeeded at attempt " + term.Number(csv.Attempt) + ", the report's abort handler ran", errors.Join(wrong...)
}

// checkSights compares what each person sees with what they should.
func checkSights(lists []sight, parts []*part) (string, error) {
	var wrong []error
	for _, saw := range lists {
		for _, p := range parts {
			should := saw.by.Admin || slices.Contains(p.audience, saw.by.ID)
			does := slices.ContainsFunc(saw.tasks, func(t *gtf.Task) bool { return t.ID == p.id })
			if should != does {
				wrong = append(wrong, fmt.Errorf("%s sees %q: %v, expected %v", saw.by.ID, p.title, does, should))
			}
		}
	}
	return "everybody sees what they should: alan no longer the thumbnails, which he started and left", errors.Join(wrong...)
}

// checkSums verifies the manifest that a task has written.
func (s *stage) checkSums(ctx context.Context, p *part) (string, error) {
	if p == nil || p.task.Status != gtf.StatusSuccess {
		return "", nil // its status has been checked
	}
	out, err := output[tasks.ChecksumOutput](p)
	if err != nil {
		return "", err
	}
	dir := s.repo.dir
	if p == s.source && s.goSource.dir != "" {
		dir = s.goSource.dir
	}
	found, err := verify(ctx, dir, out.Manifest, p.task.StartedAt)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.title, err)
	}
	if found.lines != out.Files {
		return "", fmt.Errorf("%s: the manifest has %d lines, the task says %d files", p.title, found.lines, out.Files)
	}
	text := fmt.Sprintf("%s agrees with %s", found.by, strings.ToLower(p.title[:1])+p.title[1:])
	text += fmt.Sprintf(": %s", term.Plural(found.lines, "file", "files"))
	if found.changed > 0 {
		text += fmt.Sprintf(" (%s changed since)", term.Number(found.changed))
	}
	return text, nil
}

// checkExports counts what was exported.
func (s *stage) checkExports(context.Context) (string, error) {
	var wrong []error
	for _, e := range []struct {
		part  *part
		count func(path string) (int, error)
	}{{s.csv, countCSV}, {s.jsonl, countJSONLines}} {
		if e.part.task.Status != gtf.StatusSuccess {
			continue
		}
		out, err := output[tasks.ExportOutput](e.part)
		if err == nil {
			var n int
			if n, err = e.count(out.Path); err == nil && (n != s.rows || out.Rows != s.rows) {
				err = fmt.Errorf("%s: %d rows in the file, %d according to the task, expected %d", e.part.title, n, out.Rows, s.rows)
			}
		}
		wrong = append(wrong, err)
	}
	return fmt.Sprintf("the CSV has %s rows, the JSON lines as many", term.Number(s.rows)), errors.Join(wrong...)
}

func (s *stage) checkThumbnails(context.Context) (string, error) {
	if s.thumbs.task.Status != gtf.StatusSuccess {
		return "", nil
	}
	n, err := countImages(s.path("thumbnails"), thumbnailWidth)
	if err == nil && n != s.pictures {
		err = fmt.Errorf("%d thumbnails for %d pictures", n, s.pictures)
	}
	return fmt.Sprintf("%d thumbnails for %d pictures, each %d pixels wide", n, s.pictures, thumbnailWidth), err
}

// checkRemains looks for what tasks that did not succeed may have left.
func (s *stage) checkRemains(context.Context) (string, error) {
	known := []string{"gtf.db", "gtf.db-shm", "gtf.db-wal", "worker.log", "pictures", "sales.db", "sales.csv", "sales.jsonl", "thumbnails",
		"SHA256SUMS.shared", "SHA256SUMS.repository"}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) {
			err = errors.Join(err, fmt.Errorf("%s was left behind", e.Name()))
		}
	}
	return "the tasks that did not succeed left nothing half-written", err
}
