package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/bench"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

func (c *Console) benchCommand() *cobra.Command {
	var opts bench.Options
	var apart bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what the database and this machine can do",
		Long: `Measure with tasks that do nothing: how many a second can be submitted and run, how long one takes to start and to be
cancelled, and what an idle worker costs. Callers and worker are this one process.

Without --database-url it uses a SQLite file in a temporary directory. In a given database it leaves its ended tasks, in
queues of its own. With --apart the latencies are those between two clients with connections of their own, as between two
processes.`,
		Example: "  " + c.name + " bench -n 20000 -c 8,100",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.bench(cmd.Context(), &opts, apart) },
	}
	cmd.Flags().IntVarP(&opts.Tasks, "tasks", "n", 10_000, "tasks of each measurement")
	cmd.Flags().IntSliceVarP(&opts.Callers, "concurrency", "c", []int{8, 100}, "callers at once, each measured by itself")
	cmd.Flags().BoolVar(&apart, "apart", false, "submit and cancel from another client than that which works, where latencies are measured")
	cmd.Flags().IntVar(&opts.Slots, "slots", 100, "tasks that the worker runs at once")
	cmd.Flags().Var(&durationFlag{&opts.Idle}, "idle", "how long to count the statements of an idle worker; none skips it (default 10s)")
	return cmd
}

func (c *Console) bench(ctx context.Context, opts *bench.Options, apart bool) (err error) {
	for _, n := range append([]int{opts.Tasks, opts.Slots}, opts.Callers...) {
		if n < 1 {
			return usage("--tasks, --concurrency and --slots must be at least 1")
		}
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	store, clean, err := c.benchStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clean()) }()
	beside, err := c.openTransport(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, beside.Close()) }()
	opts.Signals = beside.signals
	if apart {
		if !c.Settings.Given("database_url") {
			return usage("--apart needs a database_url: the temporary database is this client's alone")
		}
		peer, err := c.Connect(ctx, ConnectOpts{LogLevel: slog.LevelError})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, peer.Close()) }()
		opts.Apart = &bench.Peer{Store: peer.Store, Signals: peer.beside.signals}
	}
	info, err := store.Info(ctx)
	if err != nil {
		return stored(err)
	}
	where := info.Where
	if !c.Settings.Given("database_url") {
		where = "a temporary file"
	}
	c.Note("%s %s, %s", info.Kind, info.Version, where)
	live := term.Area{Out: c.Err}
	if term.Redraws(c.Err) {
		opts.Say = func(text string) { live.Draw("measuring: " + text) }
	}
	report, err := bench.Run(ctx, store, opts)
	if opts.Say != nil {
		live.Draw() // before the report, which may go to the same terminal
	}
	if err != nil {
		return stored(err)
	}
	if c.json() {
		return writeJSON(c.Out, report)
	}
	return c.writeReport(report)
}

// benchStore opens the given database, or a temporary one.
func (c *Console) benchStore(ctx context.Context) (gtf.Store, func() error, error) {
	if c.Settings.Given("database_url") {
		store, err := c.openStore(ctx, c.Settings.Text("database_url"), openMigrate)
		if err != nil {
			return nil, nil, err
		}
		return store, store.Close, nil
	}
	dir, err := os.MkdirTemp("", "gtf-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	store, err := c.openSQLite(ctx, filepath.Join(dir, "bench.db"), openCreate)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return store, func() error { return errors.Join(store.Close(), os.RemoveAll(dir)) }, nil
}

func (c *Console) writeReport(r *bench.Report) error {
	t := newTable("MEASURED", "TASKS/S", "TASKS", "TOOK")
	t.right[1], t.right[2], t.right[3] = true, true, true
	row := func(name string, rate bench.Rate) {
		took := time.Duration(rate.Seconds * float64(time.Second)).Round(time.Millisecond)
		t.add(name, term.Number(int(rate.PerSecond)), term.Number(rate.Tasks), took)
	}
	for _, rate := range r.Submit {
		row(fmt.Sprintf("submit one by one, %s", term.Plural(rate.Callers, "caller", "callers")), rate)
	}
	row("submit many", r.SubmitMany)
	row(fmt.Sprintf("run from a full queue, %s", term.Plural(r.Slots, "slot", "slots")), r.FullQueue)
	for _, rate := range r.Mixed {
		row(fmt.Sprintf("submit and run at once, %s", term.Plural(rate.Callers, "caller", "callers")), rate)
	}
	if err := t.write(c.Out, term.PaletteOf(c.Out)); err != nil {
		return err
	}
	t = newTable("LATENCY", "P50", "P95", "P99", "SAMPLES")
	for i := 1; i < 5; i++ {
		t.right[i] = true
	}
	for _, s := range []struct {
		name string
		bench.Spread
	}{{"submit to start", r.SubmitToStart}, {"cancel to abort handler", r.CancelToAbort}} {
		t.add(s.name, fmt.Sprintf("%.2f ms", s.P50), fmt.Sprintf("%.2f ms", s.P95), fmt.Sprintf("%.2f ms", s.P99), term.Number(s.Samples))
	}
	fmt.Fprintln(c.Out)
	if err := t.write(c.Out, term.PaletteOf(c.Out)); err != nil {
		return err
	}
	fmt.Fprintln(c.Out)
	t = newTable("", "")
	if r.IdleStatements != nil {
		t.add("statements of an idle worker", fmt.Sprintf("%.2f/s", *r.IdleStatements))
	}
	if r.PeakMemory > 0 {
		t.add("peak memory of this process", term.Bytes(r.PeakMemory))
	}
	return t.write(c.Out, term.PaletteOf(c.Out))
}
