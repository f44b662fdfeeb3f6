package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/demodata"
	"github.com/globaltask/gtf/internal/tasks"
	"github.com/globaltask/gtf/internal/term"
)

// The people. That ada is an admin is said with each of her requests, as an application would from its session.
var (
	ada   = gtf.Principal{ID: "ada", Admin: true}
	grace = gtf.Principal{ID: "grace"}
	alan  = gtf.Principal{ID: "alan"}
)

// cast are the tasks, by what they are good for.
type cast struct {
	nightly, report, csv, jsonl, source, thumbs, repository, endless, mistyped *part
}

// perform plays the scenes in order, with a pause after each.
func (s *stage) perform(ctx context.Context) error {
	scenes := []func(context.Context) error{
		s.startNightly, s.startReport, s.exportTooSoon, s.sumTogether, s.deliverSales, s.mistype, s.shareThumbnails,
		s.sumRepository, s.cancelReport, s.askForever, s.exportAgain,
	}
	for _, scene := range scenes {
		if err := scene(ctx); err != nil {
			return err
		}
		if err := rest(ctx, s.beat); err != nil {
			return err
		}
	}
	s.board.say("", "now they wait for what is left")
	return nil
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// submit schedules a task as somebody, and shows it.
func submit[In, Out any](ctx context.Context, s *stage, by gtf.Principal, def *gtf.Definition[In, Out], in In, p *part, o *gtf.ScheduleOpts) (*part, error) {
	if o == nil {
		o = &gtf.ScheduleOpts{}
	}
	o.Name = p.title
	h, err := def.Schedule(gtf.WithPrincipal(ctx, by), s.client, in, o)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s schedules %q: %w", by.ID, p.title, err)
	case h.Joined:
		return nil, fmt.Errorf("%s schedules %q: joined another task", by.ID, p.title)
	}
	p.id = h.ID
	s.board.follow(ctx, s.client, p)
	return p, nil
}

// join submits the same work as somebody else.
func join[In, Out any](ctx context.Context, s *stage, by gtf.Principal, def *gtf.Definition[In, Out], in In, p *part) error {
	h, err := def.Schedule(gtf.WithPrincipal(ctx, by), s.client, in, nil)
	switch {
	case err != nil:
		return fmt.Errorf("%s joins %q: %w", by.ID, p.title, err)
	case !h.Joined || h.ID != p.id:
		return fmt.Errorf("%s asks for the same as %q and has started another task", by.ID, p.title)
	}
	return nil
}

// result describes the output of a success.
func result[Out any](describe func(Out) string) func(*gtf.Task) string {
	return func(t *gtf.Task) string {
		var out Out
		if err := json.Unmarshal(t.Result, &out); err != nil {
			return err.Error()
		}
		return describe(out)
	}
}

var (
	summed   = result(summary)
	exported = result(func(out tasks.ExportOutput) string {
		return term.Plural(out.Rows, "row", "rows") + ", " + term.Bytes(out.Bytes)
	})
	scaled  = result(func(out tasks.ThumbnailsOutput) string { return term.Plural(out.Thumbnails, "thumbnail", "thumbnails") })
	stepped = result(func(out tasks.StepsOutput) string { return term.Plural(out.Steps, "step", "steps") })
)

func summary(out tasks.ChecksumOutput) string {
	text := term.Plural(out.Files, "file", "files") + ", " + term.Bytes(out.Bytes)
	if out.Unreadable > 0 {
		text += ", " + term.Number(out.Unreadable) + " unreadable"
	}
	return text
}

func (s *stage) startNightly(ctx context.Context) (err error) {
	s.board.say("ada", "starts a nightly clean-up, a system task: only admins see it")
	s.nightly, err = submit(ctx, s, ada, tasks.StepsSystem, tasks.StepsInput{Steps: s.nightlySteps, StepMS: ms(s.nightlyStep)},
		&part{title: "Nightly clean-up", want: gtf.StatusSuccess, brought: stepped}, nil)
	return err
}

func (s *stage) startReport(ctx context.Context) (err error) {
	s.board.say("grace", "starts a long report, a private task: hers alone")
	s.board.say("", "these two only pretend to work, everything else is real")
	s.report, err = submit(ctx, s, grace, tasks.StepsPrivate, tasks.StepsInput{Steps: 300, StepMS: ms(s.reportStep), Abort: "handler"},
		&part{title: "Quarterly report", want: gtf.StatusAborted, audience: []string{"grace"}}, nil)
	return err
}

func (s *stage) export(query, format, out string) tasks.ExportInput {
	return tasks.ExportInput{DatabaseURL: "sqlite://" + s.path("sales.db"), Query: query, Format: format, Out: s.path(out)}
}

func (s *stage) exportTooSoon(ctx context.Context) (err error) {
	s.board.say("alan", "wants the sales as CSV, but their database is still being written: gtf will try again, up to 10 times")
	s.csv, err = submit(ctx, s, alan, tasks.Export, s.export(demodata.Sales, "csv", "sales.csv"),
		&part{title: "Sales as CSV", want: gtf.StatusSuccess, audience: []string{"alan"}, brought: exported}, &gtf.ScheduleOpts{MaxAttempts: 10})
	return err
}

func (s *stage) sumTogether(ctx context.Context) (err error) {
	where := s.goSource
	if where.dir == "" {
		s.board.say("", "no Go toolchain with its source here: what would be done with it is done with %s", s.repo.name)
		where = s.repo
	}
	s.board.say("grace", "wants the checksums of %s, in %s", where.name, term.Duration(s.delay))
	in := tasks.ChecksumInput{Dir: where.dir, Manifest: s.path("SHA256SUMS.shared")}
	s.source, err = submit(ctx, s, grace, tasks.Checksum, in,
		&part{title: "Checksums of " + where.name, want: gtf.StatusSuccess, audience: []string{"grace", "alan"}, brought: summed},
		&gtf.ScheduleOpts{Delay: s.delay})
	if err != nil {
		return err
	}
	if err := join(ctx, s, alan, tasks.Checksum, in, s.source); err != nil {
		return err
	}
	s.board.say("alan", "submits the same checksums: joined, nothing starts twice")
	return nil
}

func (s *stage) deliverSales(ctx context.Context) error {
	if err := s.board.until(ctx, s.csv, "its first attempt failed", func(t *gtf.Task) bool { return len(t.Attempts) > 0 }); err != nil {
		return err
	}
	if err := await(ctx, s.material.filled); err != nil {
		return err
	}
	if err := os.Rename(s.path("sales.filling"), s.path("sales.db")); err != nil {
		return fmt.Errorf("deliver the sales: %w", err)
	}
	s.board.say("", "the sales database is complete, %s rows: alan's next attempt will find it", term.Number(s.rows))
	return nil
}

func (s *stage) mistype(ctx context.Context) (err error) {
	s.board.say("grace", "mistypes the name of a column: that fails, and says why")
	s.mistyped, err = submit(ctx, s, grace, tasks.Export, s.export("SELECT customer, sum(cents) FROM sales GROUP BY custmer", "csv", "customers.csv"),
		&part{title: "Sales by customer", want: gtf.StatusFailure, audience: []string{"grace"}}, nil)
	return err
}

func (s *stage) thumbnails() tasks.ThumbnailsInput {
	return tasks.ThumbnailsInput{Dir: s.path("pictures"), Out: s.path("thumbnails"), Width: thumbnailWidth}
}

const thumbnailWidth = 160

func (s *stage) shareThumbnails(ctx context.Context) (err error) {
	if err := await(ctx, s.material.drawn); err != nil {
		return err
	}
	s.board.say("alan", "wants thumbnails of %d pictures that were drawn meanwhile", s.pictures)
	s.thumbs, err = submit(ctx, s, alan, tasks.Thumbnails, s.thumbnails(),
		&part{title: fmt.Sprintf("Thumbnails of %d pictures", s.pictures), want: gtf.StatusSuccess, audience: []string{"grace"}, brought: scaled}, nil)
	if err != nil {
		return err
	}
	if err := join(ctx, s, grace, tasks.Thumbnails, s.thumbnails(), s.thumbs); err != nil {
		return err
	}
	s.board.say("grace", "wants the same: joined")
	return s.leaveThumbnails(ctx)
}

// leaveThumbnails comes without a pause before it: a fast machine is soon done.
func (s *stage) leaveThumbnails(ctx context.Context) error {
	err := s.board.until(ctx, s.thumbs, "somebody could leave it", func(t *gtf.Task) bool { return t.Status == gtf.StatusInProgress })
	if err != nil {
		return err
	}
	s.board.say("alan", "leaves the thumbnails he has started: grace is still there, so they go on")
	return s.cancel(ctx, alan, s.thumbs, gtf.EffectUnsubscribe)
}

func (s *stage) sumRepository(ctx context.Context) (err error) {
	if s.goSource.dir == "" {
		return nil // played already, by the others
	}
	s.board.say("ada", "wants the checksums of %s: no more than %d tasks run at a time, so it may have to wait", s.repo.name, slots)
	s.repository, err = submit(ctx, s, ada, tasks.Checksum, tasks.ChecksumInput{Dir: s.repo.dir, Manifest: s.path("SHA256SUMS.repository")},
		&part{title: "Checksums of " + s.repo.name, want: gtf.StatusSuccess, brought: summed}, nil)
	return err
}

func (s *stage) cancelReport(ctx context.Context) error {
	err := s.board.until(ctx, s.report, "it could be cancelled", func(t *gtf.Task) bool {
		f, ok := t.Progress.Fraction()
		return t.Status == gtf.StatusInProgress && ok && f >= 0.02
	})
	if err != nil {
		return err
	}
	s.board.say("grace", "cancels her report: nobody else follows it, so its abort handler stops the work")
	return s.cancel(ctx, grace, s.report, gtf.EffectAbort)
}

// cancel expects what the table of cancelling should make of it; otherwise nothing is done.
func (s *stage) cancel(ctx context.Context, by gtf.Principal, p *part, effect gtf.CancelEffect) error {
	if _, err := s.client.Cancel(gtf.WithPrincipal(ctx, by), p.id, &gtf.CancelOpts{Expect: effect}); err != nil {
		return fmt.Errorf("%s cancels %q: %w", by.ID, p.title, err)
	}
	return nil
}

func (s *stage) askForever(ctx context.Context) (err error) {
	const pairs = "SELECT count(*) AS pairs FROM sales a, sales b WHERE a.cents < b.cents"
	s.board.say("alan", "compares every sale with every other, with a limit of %s: then the query itself is interrupted", term.Duration(s.queryLimit))
	s.endless, err = submit(ctx, s, alan, tasks.Export, s.export(pairs, "csv", "pairs.csv"),
		&part{title: "Every sale with every other", want: gtf.StatusTimedOut, audience: []string{"alan"}},
		&gtf.ScheduleOpts{Timeout: s.queryLimit})
	return err
}

func (s *stage) exportAgain(ctx context.Context) (err error) {
	s.board.say("ada", "wants the sales as JSON lines")
	s.jsonl, err = submit(ctx, s, ada, tasks.Export, s.export(demodata.Sales, "jsonl", "sales.jsonl"),
		&part{title: "Sales as JSON lines", want: gtf.StatusSuccess, brought: exported}, nil)
	return err
}

func ms(d time.Duration) int { return int(d / time.Millisecond) }
