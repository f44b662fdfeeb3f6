package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

func (c *Console) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what is configured, what is reachable, and what is wrong",
		Long: `Say what is configured, what is reachable, and what is wrong: settings that differ from the defaults, the database and its
schema, whether it can be written, the workers, pending tasks that no live worker would take, and the clocks.

The exit code is 1 if something is wrong, 4 if the database cannot be used.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd.Context()) },
	}
}

func (c *Console) doctor(ctx context.Context) error {
	var f findings
	cfg := c.examineSettings(&f)
	exit := ExitOK
	if err := c.examineStore(ctx, &f, cfg); err != nil {
		f.wrong("database", "%v", err)
		exit = ExitUnreachable
		if code(err) == ExitUsage {
			exit = ExitUsage
		}
	}
	for _, found := range f {
		if found.Level == levelProblem && exit == ExitOK {
			exit = ExitFailed
		}
	}
	if err := c.writeFindings(f); err != nil {
		return err
	}
	if exit != ExitOK {
		return quietError(exit)
	}
	return nil
}

func (c *Console) writeFindings(f findings) error {
	t := newTable("", "", "")
	looks := map[level]cell{levelOK: {"ok", term.Good}, levelWarning: {"note", term.Warning}, levelProblem: {"WRONG", term.Bad}}
	for _, found := range f {
		if c.json() {
			if err := writeJSON(c.Out, found); err != nil {
				return err
			}
			continue
		}
		t.add(looks[found.Level], found.About, found.Text)
	}
	if c.json() {
		return nil
	}
	return t.write(c.Out, term.PaletteOf(c.Out))
}

// examineSettings returns the settings to judge by, the defaults where those given contradict each other.
func (c *Console) examineSettings(f *findings) gtf.Config {
	f.ok("program", "%s %s", c.name, c.version())
	var given []string
	for i := range c.Settings.table {
		s := &c.Settings.table[i]
		if s.Name != "json" && c.Settings.Given(s.Name) {
			given = append(given, fmt.Sprintf("%s %s (%s)", s.Name, c.Settings.shown(s.Name), c.Settings.sources[s.Name]))
		}
	}
	if len(given) == 0 {
		f.ok("settings", "all defaults")
	} else {
		f.ok("settings", "%s", strings.Join(given, ", "))
	}
	for _, name := range c.Settings.strangers() {
		f.warn("settings", "the variable %s is no setting", name)
	}
	cfg, err := c.config(slog.LevelError)
	if err != nil {
		f.wrong("settings", "%v", err)
		cfg = &gtf.Config{}
	}
	client, err := gtf.New(noStore{}, cfg)
	if err != nil {
		return *gtf.DefaultConfig()
	}
	if !client.Enabled() {
		f.warn("settings", "switched off: this process would submit and claim nothing")
	}
	types := client.Types()
	if len(types) == 0 {
		f.warn("types", "this binary has no task types")
	} else {
		f.ok("types", "%s known to this binary", term.Plural(len(types), "type is", "types are"))
	}
	return client.Config()
}

// examineStore opens the store as it is, without bringing its schema up to date.
func (c *Console) examineStore(ctx context.Context, f *findings, cfg gtf.Config) (err error) {
	store, err := c.openStore(ctx, c.Settings.Text("database_url"), openAsIs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	info, err := store.Info(ctx)
	if err != nil {
		return &storeError{err}
	}
	f.ok("database", "%s %s at %s: schema %d, %s", info.Kind, info.Version, info.Where, info.Schema, term.Bytes(info.Bytes))
	const name = "gtf:doctor" // a lease is the smallest write there is
	token := gtf.NewID().String()
	if _, err := store.Acquire(ctx, name, token, time.Second); err != nil {
		f.wrong("database", "cannot be written: %v", err)
	} else if err := store.Release(ctx, name, token); err != nil {
		f.wrong("database", "cannot be written: %v", err)
	} else {
		f.ok("database", "can be read and written")
	}
	if err := c.examineSignals(ctx, f, store); err != nil {
		return err
	}
	more, err := examine(ctx, store, cfg)
	if err != nil {
		return &storeError{err}
	}
	*f = append(*f, more...)
	return examineClock(ctx, f, store)
}

// examineSignals listens until it is known whether signals of other processes arrive.
func (c *Console) examineSignals(ctx context.Context, f *findings, store gtf.Store) (err error) {
	beside, err := c.openTransport(ctx)
	if err != nil {
		f.wrong("signals", "%v", err)
		return nil
	}
	defer func() { err = errors.Join(err, beside.Close()) }()
	signals := beside.signals
	if source, ok := store.(gtf.SignalSource); ok && signals == nil {
		signals = source.Signals()
	}
	if signals == nil {
		signals = &gtf.LocalSignals{}
	}
	ctx, cancel := context.WithCancel(ctx)
	probe := linkProbe{known: make(chan error, 1)}
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		signals.Listen(ctx, probe)
	}()
	defer func() { cancel(); <-listening }()
	select {
	case link := <-probe.known:
		if link != nil {
			f.warn("signals", "do not arrive, so that processes poll: %v", link)
		} else {
			f.ok("signals", "of other processes arrive")
		}
	case <-time.After(probeTime):
		f.warn("signals", "nothing is heard of them in %v", probeTime)
	case <-ctx.Done():
	}
	return nil
}

// probeTime is when the doctor waits no longer for signals.
const probeTime = 15 * time.Second

// linkProbe is a listener that wants to know only whether it hears.
type linkProbe struct{ known chan error }

// Signal implements gtf.Listener.
func (linkProbe) Signal(gtf.Signal) {}

// Link implements gtf.Listener.
func (p linkProbe) Link(err error) {
	select {
	case p.known <- err:
	default:
	}
}

// skew is how far two clocks may be apart before it is worth a word: less than people notice, more than a query takes.
const skew = 2 * time.Second

// examineClock compares this machine's clock with the store's, as far as the store's shows in its rows.
func examineClock(ctx context.Context, f *findings, store gtf.Store) error {
	asked := time.Now()
	workers, err := store.Workers(ctx)
	if err != nil {
		return &storeError{err}
	}
	now := time.Now()
	page, err := store.List(ctx, &gtf.ListParams{Order: gtf.OrderCreated, Descending: true, PageSize: 1}, gtf.Viewer{All: true})
	if err != nil {
		return &storeError{err}
	}
	switch {
	case len(page.Tasks) > 0 && page.Tasks[0].CreatedAt.After(now.Add(skew)):
		f.wrong("clock", "the newest task was created %s: a clock is or was wrong", term.Ago(now, page.Tasks[0].CreatedAt))
	case len(workers) > 0:
		theirs := workers[0].BeatAt.Add(workers[0].Silence)
		if off := theirs.Sub(now); theirs.Before(asked.Add(-skew)) || theirs.After(now.Add(skew)) {
			f.wrong("clock", "this machine's clock and the store's are %s apart", term.Duration(off.Abs()))
			return nil
		}
		fallthrough
	default:
		f.ok("clock", "%s", now.Format(time.RFC3339))
	}
	return nil
}
