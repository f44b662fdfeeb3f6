package storetest

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// lines reads as the host.
func (f *fixture) lines(id gtf.ID, after int64, limit int) []gtf.LogLine {
	f.Helper()
	lines, err := f.Logs(f.Context(), id, host, after, limit)
	f.must("Logs", err)
	return lines
}

// logged makes n lines that say their number, counted from first, padded to size bytes.
func logged(first, n, size int) []gtf.LogLine {
	lines := make([]gtf.LogLine, n)
	for i := range lines {
		text := fmt.Sprintf("line %d ", first+i)
		lines[i] = gtf.LogLine{At: time.Unix(1000, 0).UTC(), Text: text + strings.Repeat("x", max(0, size-len(text)))}
	}
	return lines
}

func logTests(s *suite) {
	s.test("numbers lines through updates, the finish and attempts", func(f *fixture) {
		worker := f.worker()
		at := time.Now().Add(-time.Hour).UTC() // the store keeps it by its own clock
		job := f.running(worker, attempts(2))
		written := []gtf.LogLine{
			{At: at, Level: slog.LevelDebug, Text: "one"},
			{At: at.Add(time.Second), Level: slog.LevelError, Text: "two\nwith a second line"},
			{At: at, Level: slog.LevelInfo + 1, Text: "three: Ünïcode %_'\""},
			{At: at, Text: ""},
			{At: at, Text: "five"},
		}
		f.update(gtf.Update{Ref: job.Ref, Logs: written[:2]})
		f.update(gtf.Update{Ref: job.Ref, Logs: written[2:3]})
		f.finishAs(gtf.Finish{Update: gtf.Update{Ref: job.Ref, Logs: written[3:4]}, Running: again(0)})
		job = f.reclaim(job.ID, worker)
		f.finishAs(gtf.Finish{Update: gtf.Update{Ref: job.Ref, Logs: written[4:]}, Running: succeeded(`1`)})
		for i := range written {
			written[i].Seq = int64(i + 1)
		}
		got := f.lines(job.ID, 0, 100)
		for i := range got {
			check(f, "time zone", got[i].At.Location(), time.UTC)
			f.near("how long ago", time.Since(got[i].At), time.Since(written[i].At))
			got[i].At = written[i].At
		}
		check(f, "lines", got, written)
		check(f, "lines after 2", numbers(f.lines(job.ID, 2, 2)), []int64{3, 4})
		check(f, "lines after the last", len(f.lines(job.ID, 5, 100)), 0)
		check(f, "counted", f.get(job.ID).Logged, gtf.LogStats{Lines: 5})
	})

	s.test("leaves gaps in the numbers where lines were dropped", func(f *fixture) {
		job := f.running(f.worker())
		f.update(gtf.Update{Ref: job.Ref, Logs: logged(4, 2, 0), LogsDropped: 3})
		f.update(gtf.Update{Ref: job.Ref, LogsDropped: 1})
		f.finishAs(gtf.Finish{Update: gtf.Update{Ref: job.Ref, Logs: logged(9, 1, 0), LogsDropped: 2}, Running: succeeded(`1`)})
		check(f, "numbers", numbers(f.lines(job.ID, 0, 100)), []int64{4, 5, 9})
		check(f, "counted", f.get(job.ID).Logged, gtf.LogStats{Lines: 3, Dropped: 6})
	})

	s.test("keeps the last MaxLogLines", func(f *fixture) {
		job := f.running(f.worker())
		f.update(gtf.Update{Ref: job.Ref, Logs: logged(1, gtf.MaxLogLines-1, 0)})
		f.update(gtf.Update{Ref: job.Ref, Logs: logged(gtf.MaxLogLines, 1, 0)})
		check(f, "counted at the limit", f.get(job.ID).Logged, gtf.LogStats{Lines: gtf.MaxLogLines})
		f.update(gtf.Update{Ref: job.Ref, Logs: logged(gtf.MaxLogLines+1, 3, 0)})
		check(f, "counted above the limit", f.get(job.ID).Logged, gtf.LogStats{Lines: gtf.MaxLogLines, Dropped: 3})
		first := f.lines(job.ID, 0, 1)
		check(f, "number of the first line", numbers(first), []int64{4})
		check(f, "first line", first[0].Text, "line 4 ")
		check(f, "lines read", len(f.lines(job.ID, 0, gtf.MaxLogLines)), gtf.MaxLogLines)
		f.finishAs(gtf.Finish{Update: gtf.Update{Ref: job.Ref, Logs: logged(gtf.MaxLogLines+4, 2, 0)}, Running: succeeded(`1`)})
		check(f, "counted after the finish", f.get(job.ID).Logged, gtf.LogStats{Lines: gtf.MaxLogLines, Dropped: 5})
	})

	s.test("keeps the last MaxLogBytes", func(f *fixture) {
		const size = 8 << 10
		const fit = gtf.MaxLogBytes / size
		job := f.running(f.worker())
		f.update(gtf.Update{Ref: job.Ref, Logs: logged(1, fit, size)})
		check(f, "counted at the limit", f.get(job.ID).Logged, gtf.LogStats{Lines: fit})
		f.update(gtf.Update{Ref: job.Ref, Logs: logged(fit+1, 1, 1)})
		check(f, "counted above the limit", f.get(job.ID).Logged, gtf.LogStats{Lines: fit, Dropped: 1})
		check(f, "number of the first line", numbers(f.lines(job.ID, 0, 1)), []int64{2})
	})

	s.test("shows lines only to those who see the task", func(f *fixture) {
		worker := f.worker()
		shared, system := f.running(worker), f.running(worker, inScope(gtf.ScopeSystem))
		for _, job := range []*gtf.Job{shared, system} {
			f.update(gtf.Update{Ref: job.Ref, Logs: logged(1, 2, 0)})
		}
		for _, tt := range []struct {
			name string
			id   gtf.ID
			v    gtf.Viewer
			want int // lines; 0: not found
		}{
			{"the host", system.ID, host, 2},
			{"a subscriber", shared.ID, viewer(ada), 2},
			{"a subscriber of a system task", system.ID, viewer(ada), 0},
			{"another user", shared.ID, viewer(bob), 0},
			{"a guest with the subscriber's id", shared.ID, viewer(guest), 0},
			{"nobody", shared.ID, gtf.Viewer{}, 0},
			{"the host, of a task that does not exist,", gtf.NewID(), host, 0},
		} {
			lines, err := f.Logs(f.Context(), tt.id, tt.v, 0, 10)
			check(f, tt.name+": lines", len(lines), tt.want)
			if found := err == nil; found != (tt.want > 0) || err != nil && !errors.Is(err, gtf.ErrNotFound) {
				f.Errorf("%s got the error %v, want found %v", tt.name, err, tt.want > 0)
			}
		}
		quiet := f.create()
		if _, err := f.Logs(f.Context(), quiet, viewer(ada), 0, 10); err != nil {
			f.Errorf("Logs of a task without lines: %v", err)
		}
	})
}

func numbers(lines []gtf.LogLine) []int64 {
	var list []int64
	for _, l := range lines {
		list = append(list, l.Seq)
	}
	return list
}
