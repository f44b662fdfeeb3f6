package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// unit says how a figure is written.
type unit string

const (
	perSecond    unit = "/s"
	milliseconds unit = "ms"
	bytesPerTask unit = "B"
)

// format writes three digits: the fourth is noise.
func (u unit) format(value float64) string {
	if value >= 1000 {
		step := math.Pow(10, math.Floor(math.Log10(value))-2)
		whole := strconv.FormatFloat(math.Round(value/step)*step, 'f', 0, 64)
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
		return whole + " " + string(u)
	}
	return strconv.FormatFloat(value, 'f', max(0, 2-int(math.Floor(math.Log10(max(value, 0.1))))), 64) + " " + string(u)
}

// median is the middle one, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// write writes the table: medians, and beside each peer the first contender's figure divided by the peer's.
func (b *bench) write(to io.Writer, about string) error {
	ours, peers := b.subjects[0], b.subjects[1:]
	head, rule := []string{"", ours.Name()}, []string{"---", "---:"}
	for _, peer := range peers {
		head = append(head, peer.Name(), ours.Key()+" ÷ "+peer.Key())
		rule = append(rule, "---:", "---:")
	}
	rows := [][]string{head, rule}
	for _, f := range b.figures {
		row := []string{f.name, f.cell(ours)}
		for _, peer := range peers {
			row = append(row, f.cell(peer), f.ratio(ours, peer))
		}
		rows = append(rows, row)
	}
	var text strings.Builder
	text.WriteString(about + "\n\n")
	for _, row := range rows {
		text.WriteString(strings.Replace("| "+strings.Join(row, " | ")+" |\n", "|  |", "| |", 1))
	}
	_, err := io.WriteString(to, text.String())
	return err
}

const nothing = "–"

func (f *figure) cell(s *subject) string {
	if found := f.found[s.Key()]; len(found) > 0 {
		return f.unit.format(median(found))
	}
	return nothing
}

func (f *figure) ratio(ours, peer *subject) string {
	mine, theirs := f.found[ours.Key()], f.found[peer.Key()]
	if len(mine) == 0 || len(theirs) == 0 {
		return nothing
	}
	return quotient(median(mine) / median(theirs))
}

// quotient writes two digits.
func quotient(q float64) string {
	digits := 0
	if q < 10 {
		digits = 1 - int(math.Floor(math.Log10(max(q, 0.001))))
	}
	return strconv.FormatFloat(q, 'f', digits, 64)
}

// modules are those whose versions are told.
var modules = map[string]string{
	"github.com/dbos-inc/dbos-transact-golang": "DBOS",
	"github.com/hibiken/asynq":                 "asynq",
	"github.com/jackc/pgx/v5":                  "pgx",
	"github.com/redis/go-redis/v9":             "go-redis",
	"github.com/riverqueue/river":              "River",
}

// about says on what was measured.
func (b *bench) about(ctx context.Context) (string, error) {
	parts := []string{
		fmt.Sprintf("%d cores (%s/%s)", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		strings.Replace(runtime.Version(), "go", "Go ", 1),
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil { // where there is none, nobody learns of others
		parts[0] += fmt.Sprintf(" with a load of %s before", strings.Fields(string(load))[0])
	}
	servers, err := b.servers.about(ctx)
	if err != nil {
		return "", err
	}
	parts = append(parts, servers...)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if name, ok := modules[module.Path]; ok {
				parts = append(parts, name+" "+module.Version)
			}
		}
	}
	return fmt.Sprintf("%s. %d tasks of each measurement, median of %d.", strings.Join(parts, ", "), b.tasks, b.rounds), nil
}

// about asks the servers what they are.
func (s *servers) about(ctx context.Context) (parts []string, err error) {
	if s.admin != nil {
		show := map[string]string{"server_version": "", "synchronous_commit": "", "fsync": ""}
		for name := range show {
			var value string
			if err := s.admin.QueryRow(ctx, "SHOW "+name).Scan(&value); err != nil { // a name of ours, and SHOW takes no parameters
				return nil, fmt.Errorf("show %s: %w", name, err)
			}
			show[name] = value
		}
		commit, err := s.commit(ctx)
		if err != nil {
			return nil, err
		}
		version, _, _ := strings.Cut(show["server_version"], " ")
		parts = append(parts, fmt.Sprintf("PostgreSQL %s (synchronous_commit %s, fsync %s, a one-row commit takes %s)",
			version, show["synchronous_commit"], show["fsync"], milliseconds.format(commit.Seconds()*1e3)))
	}
	if s.redis != nil {
		info, err := s.redis.Info(ctx, "server").Result()
		if err != nil {
			return nil, fmt.Errorf("ask Redis what it is: %w", err)
		}
		for line := range strings.Lines(info) {
			if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
				parts = append(parts, "Redis "+strings.TrimSpace(version))
			}
		}
	}
	return parts, nil
}
