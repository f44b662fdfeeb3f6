package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// Console is what a command works with: the streams, the settings, and through them the store.
type Console struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// Settings are in force once the command runs, not while it is made.
	Settings *Settings

	app         *App
	name, about string
	ready       bool // the settings are in force: what fails from here on is not the command line's fault
}

func newConsole(app *App, stdin io.Reader, stdout, stderr io.Writer) *Console {
	c := &Console{In: stdin, Out: stdout, Err: stderr, app: app, name: app.Name, about: app.About}
	if c.name == "" {
		c.name = "gtf"
	}
	if c.about == "" {
		c.about = "gtf runs long tasks that people can see: schedule them, join them, watch them, cancel them."
	}
	c.Settings = newSettings(app.Settings)
	return c
}

// prepare puts the settings in force.
func (c *Console) prepare() error {
	if err := c.Settings.load(); err != nil {
		return err
	}
	c.ready = true
	return nil
}

func (c *Console) json() bool { return c.Settings.Bool("json") }

// Note says something beside the answer, to people.
func (c *Console) Note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if c.json() {
		_ = writeJSON(c.Err, map[string]string{"note": text}) // who closed the stream does not want it
		return
	}
	fmt.Fprintf(c.Err, "%s\n", term.Printable(text))
}

// Logger is for what a long-running command reports: text, or JSON with --json, on standard error.
func (c *Console) Logger(usual slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: usual}
	if text := c.Settings.Text("log_level"); text != autoLevel {
		opts.Level = levels[text]
	}
	if c.json() {
		return slog.New(slog.NewJSONHandler(c.Err, opts))
	}
	return slog.New(slog.NewTextHandler(c.Err, opts))
}

func (c *Console) version() string {
	if c.app.Version != "" {
		return c.app.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// handlers makes the binary's task types.
func (c *Console) handlers() ([]gtf.Handler, error) {
	if c.app.Handlers == nil {
		return nil, nil
	}
	handlers, err := c.app.Handlers(c.Settings)
	if err != nil {
		return nil, &usageError{err}
	}
	return handlers, nil
}

// handler finds a type, and names those there are if it is none of them (S2.3).
func (c *Console) handler(client *gtf.Client, typ string) (gtf.Handler, error) {
	if h, ok := client.Handler(typ); ok {
		return h, nil
	}
	var known []string
	for _, info := range client.Types() {
		known = append(known, info.Type)
	}
	if len(known) == 0 {
		return gtf.Handler{}, usage("unknown type %q: this binary has no task types", typ)
	}
	return gtf.Handler{}, usage("unknown type %q; this binary knows %s", typ, strings.Join(known, ", "))
}

// signals takes the process's SIGINT and SIGTERM until stop is called. The end of ctx counts as one.
func signals(ctx context.Context) (got <-chan os.Signal, stop func()) {
	in := make(chan os.Signal, 2)
	signal.Notify(in, os.Interrupt, syscall.SIGTERM)
	unhook := context.AfterFunc(ctx, func() {
		select {
		case in <- syscall.SIGTERM:
		default:
		}
	})
	return in, func() { unhook(); signal.Stop(in) }
}

// untilSignal is a context that ends with the first signal, for commands that may just stop looking.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// Connection is a client of the configured store.
type Connection struct {
	Client *gtf.Client
	Store  gtf.Store

	beside  *transport
	tracing *tracing // nil: off
}

// ConnectOpts says what a command needs of the store.
type ConnectOpts struct {
	// Create makes the database if there is none; a PostgreSQL database or schema is made only with Migrate. Default false:
	// that it is missing is an error.
	Create bool
	// LogLevel is the least level of what the client logs, where --log-level does not say. Default info.
	LogLevel slog.Level
	// Migrate makes the database and brings its schema up to date, whatever it is. Default false: for SQLite only.
	Migrate bool
	// Observer is told what the client does. Default none.
	Observer gtf.Observer
	// URL of a database other than the configured one. Default database_url.
	URL string
}

// Connect opens the configured store and makes a client with the binary's task types. Close it.
func (c *Console) Connect(ctx context.Context, opts ConnectOpts) (*Connection, error) {
	if c.Settings.Text("server") != "" {
		return nil, usage("server is set (%s), but this command works on a database; %s ask a server", c.Settings.sources["server"], strings.Join(deskCommands, ", "))
	}
	cfg, err := c.config(opts.LogLevel)
	if err != nil {
		return nil, err
	}
	mode := openCurrent
	switch {
	case opts.Migrate:
		mode = openMigrate
	case opts.Create:
		mode = openCreate
	}
	store, err := c.openStore(ctx, firstOf(opts.URL, c.Settings.Text("database_url")), mode)
	if err != nil {
		return nil, err
	}
	beside, err := c.openTransport(ctx)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	tracing, err := c.openTracing(ctx)
	if err != nil {
		return nil, errors.Join(err, beside.Close(), store.Close())
	}
	cfg.Signals, cfg.Locker, cfg.Observer = beside.signals, beside.locks, opts.Observer
	if tracing != nil {
		cfg.Observer = gtf.Observers(opts.Observer, tracing.observer)
	}
	client, err := gtf.New(store, cfg)
	if err != nil {
		return nil, errors.Join(&usageError{err}, beside.Close(), store.Close())
	}
	return &Connection{Client: client, Store: store, beside: beside, tracing: tracing}, nil
}

// config is the client's, checked before anything is opened.
func (c *Console) config(level slog.Level) (*gtf.Config, error) {
	handlers, err := c.handlers()
	if err != nil {
		return nil, err
	}
	cfg := c.Settings.Config()
	cfg.Handlers, cfg.Logger, cfg.Version = handlers, c.Logger(level), c.version()
	if _, err := gtf.New(noStore{}, cfg); err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}

// noStore lets settings be checked without a store: New calls none of its methods.
type noStore struct{ gtf.Store }

// Close stops the client, which must have nothing left to run, and closes the store.
func (conn *Connection) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(conn.Client.Stop(ctx), conn.closeStore())
}

// closeStore closes what a stopped client leaves.
func (conn *Connection) closeStore() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn.tracing.close(ctx)
	return errors.Join(conn.beside.Close(), conn.Store.Close())
}

// typeNames lists the binary's types, sorted.
func typeNames(handlers []gtf.Handler) []string {
	names := make([]string, len(handlers))
	for i, h := range handlers {
		names[i] = h.Info().Type
	}
	slices.Sort(names)
	return names
}
