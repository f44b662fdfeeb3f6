package conduct

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/globaltask/gtf/internal/torture/audit"
	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/journal"
	"github.com/globaltask/gtf/internal/torture/load"
)

// verdict is what a test has shown.
type verdict struct {
	record     *check.Record
	violations []check.Violation
	figures    *check.Figures
}

// judge reads the record and has it checked.
func (s *stage) judge(ctx context.Context) (*verdict, error) {
	events, err := journal.Read(s.dir)
	if err != nil {
		return nil, err
	}
	clock := clockOf(events)
	r := &check.Record{Events: events, Limits: s.limits()}
	if r.Changes, err = s.db.Changes(ctx, clock); err != nil {
		return nil, err
	}
	if r.Leases, err = s.db.Leases(ctx, clock); err != nil {
		return nil, err
	}
	store, err := load.OpenStore(ctx, s.store, false)
	if err != nil {
		return nil, err
	}
	r.Tasks, err = audit.Tasks(ctx, store)
	if err = errors.Join(err, store.Close()); err != nil {
		return nil, fmt.Errorf("read the tasks: %w", err)
	}
	v := &verdict{record: r}
	v.violations, v.figures = check.Check(r)
	return v, nil
}

func (s *stage) limits() check.Limits {
	return check.Limits{
		Heartbeat: s.o.Timing.Heartbeat, Fence: s.o.Timing.Fence, WorkerTimeout: s.o.Timing.WorkerTimeout,
		Told: 16 * s.o.Timing.Heartbeat, Resumed: time.Second, Idle: load.StatementTimeout + time.Second, Slack: time.Second, Skew: 50 * time.Millisecond,
	}
}

// broken are signs of a broken program at the beginning of a line of its log.
var broken = []string{"panic:", "fatal error:", "WARNING: DATA RACE", "unexpected fault"}

// readLogs adds what went wrong in processes without being noticed otherwise.
func (s *stage) readLogs() error {
	names, err := filepath.Glob(load.LogFile(s.dir, "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.readLog(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) readLog(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		for _, sign := range broken {
			if strings.HasPrefix(lines.Text(), sign) {
				s.problem(fmt.Errorf("%s says: %s", name, lines.Text()))
			}
		}
	}
	return lines.Err()
}

// shownOf is how many violations of one rule are printed; a file has them all.
const shownOf = 3

// print writes the report and tells whether anything was violated.
func (v *verdict) print(s *stage) bool {
	s.check(s.readLogs())
	for _, err := range s.problems {
		v.violations = append(v.violations, check.Violation{Rule: "every process does as it is told", Text: err.Error()})
	}
	v.figures.Print(s.o.Out)
	if len(v.violations) == 0 {
		fmt.Fprintln(s.o.Out, "violations none")
		return false
	}
	byRule := map[string]int{}
	for _, each := range v.violations {
		if byRule[each.Rule]++; byRule[each.Rule] <= shownOf {
			show(s.o.Out, each)
		}
	}
	fmt.Fprintf(s.o.Out, "\n%d VIOLATIONS (seed %d)\n", len(v.violations), s.o.Seed)
	for rule, n := range byRule {
		fmt.Fprintf(s.o.Out, "%6d: %s\n", n, rule)
	}
	var all strings.Builder
	for _, each := range v.violations {
		show(&all, each)
	}
	s.keepText("violations.txt", all.String())
	s.keepText("timeline.txt", strings.Join(check.Timeline(v.record), "\n"))
	return true
}

// keepText leaves evidence beside the journals: that of a server's database is gone with it.
func (s *stage) keepText(name, text string) {
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		fmt.Fprintln(s.o.Out, err)
	}
}

func show(w io.Writer, v check.Violation) {
	fmt.Fprintf(w, "\nVIOLATION of %q: %s\n", v.Rule, v.Text)
	for _, line := range v.Lines {
		fmt.Fprintf(w, "    %s\n", line)
	}
}
