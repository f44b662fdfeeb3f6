package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	start "github.com/globaltask/gtf/internal/servers"
)

func TestRun(t *testing.T) {
	opts, err := parse([]string{"-n", "50", "-rounds", "2", "-samples", "5", "-only", ""})
	if err != nil {
		t.Fatal(err)
	}
	at, err := open(t.Context(), opts)
	if errors.Is(err, start.ErrMissing) {
		t.Skip("SKIP nothing is compared: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := at.Close(); err != nil {
			t.Error(err)
		}
	}()
	b := &bench{options: opts, servers: at}
	if about, err := b.about(t.Context()); err != nil || !strings.Contains(about, "synchronous_commit on, fsync on") {
		t.Errorf("about is %q (%v)", about, err)
	}
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.figures) != 10 {
		t.Errorf("there are %d figures", len(b.figures))
	}
	lacks := map[string][]string{"submit many, 1000 a call": {"asynq", "dbos"}, "write-ahead log of submit and run": {"asynq"}}
	for _, f := range b.figures {
		for _, c := range opts.only {
			want := opts.rounds
			if slices.Contains(lacks[f.name], c.Key()) {
				want = 0
			}
			found := f.found[c.Key()]
			if len(found) != want || slices.ContainsFunc(found, func(value float64) bool { return value <= 0 }) {
				t.Errorf("%s of %s: measured %v, want %d figures", f.name, c.Key(), found, want)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		unit  unit
		value float64
		want  string
	}{
		{perSecond, 1_234_567, "1,230,000 /s"},
		{perSecond, 3_817, "3,820 /s"},
		{perSecond, 999, "999 /s"},
		{perSecond, 1_000, "1,000 /s"},
		{bytesPerTask, 2_996, "3,000 B"},
		{milliseconds, 12.34, "12.3 ms"},
		{milliseconds, 2.345, "2.35 ms"},
		{milliseconds, 0.1862, "0.186 ms"},
		{milliseconds, 0, "0.000 ms"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			if got := tt.unit.format(tt.value); got != tt.want {
				t.Errorf("format(%v) = %q, want %q", tt.value, got, tt.want)
			}
		})
	}
}

func TestQuotient(t *testing.T) {
	for value, want := range map[float64]string{23.4: "23", 9.87: "9.9", 1: "1.0", 0.42: "0.42", 0.0634: "0.063"} {
		if got := quotient(value); got != want {
			t.Errorf("quotient(%v) = %q, want %q", value, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median of 3, 1, 2 = %v", got)
	}
	if got := median([]float64{4, 1}); got != 2.5 {
		t.Errorf("median of 4, 1 = %v", got)
	}
}

func TestParse(t *testing.T) {
	t.Run("chooses in the order of the table", func(t *testing.T) {
		opts, err := parse([]string{"-only", "asynq,gtf", "-kinds", "latency,full", "-n", "7"})
		if err != nil {
			t.Fatal(err)
		}
		if got := names(opts.only, contender.Key) + "; " + names(opts.kinds, kind.key); got != "gtf, asynq; full, latency" || opts.tasks != 7 {
			t.Errorf("chose %s and %d tasks", got, opts.tasks)
		}
	})
	t.Run("knows what there is", func(t *testing.T) {
		for _, args := range [][]string{{"-only", "celery"}, {"-kinds", "full,empty"}, {"-n", "0"}, {"river"}} {
			if _, err := parse(args); err == nil {
				t.Errorf("%s is accepted", strings.Join(args, " "))
			}
		}
	})
}

func TestWrite(t *testing.T) {
	ours, peer := &subject{contender: &gtfTasks{key: "gtf", name: "gtf"}}, &subject{contender: &asynqTasks{}}
	b := &bench{subjects: []*subject{ours, peer}, figures: []*figure{
		{"run", perSecond, map[string][]float64{"gtf": {1000, 3000, 2000}, "asynq": {4000}}},
		{"log", bytesPerTask, map[string][]float64{"gtf": {500}}},
	}}
	var text strings.Builder
	if err := b.write(&text, "Two cores."); err != nil {
		t.Fatal(err)
	}
	got, want := text.String(), `Two cores.

| | gtf | asynq | gtf ÷ asynq |
| --- | ---: | ---: | ---: |
| run | 2,000 /s | 4,000 /s | 0.50 |
| log | 500 B | – | – |
`
	if got != want {
		t.Errorf("wrote\n%swant\n%s", got, want)
	}
}
