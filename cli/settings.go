package cli

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
)

// Setting is one thing that can be configured: by a flag, a GTF_… variable or a key of the configuration file.
type Setting struct {
	// Commands names those whose help shows the flag; every command takes it. Default: all.
	Commands []string
	// Default in the setting's own notation.
	Default string
	// Kind says what values look like. Default KindText.
	Kind Kind
	// Name is the key in the file; the flag has dashes, the variable is in capitals behind GTF_.
	Name string
	// None says that "none" is a value of a duration. Default false.
	None bool
	// OneOf lists the allowed values of a text. Default: any.
	OneOf []string
	// Secret values are never shown. Default false.
	Secret bool
	// Usage is a sentence for people.
	Usage string

	field func(*gtf.Config) any // where it goes; nil: not a field of gtf.Config
}

// Flag is the name of the setting's flag, without dashes.
func (s *Setting) Flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.Name) }

// Env is the setting's variable.
func (s *Setting) Env() string { return "GTF_" + strings.ToUpper(strings.ReplaceAll(s.Name, ".", "_")) }

const autoLevel = "auto"

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

var (
	executors = []string{"serve", "worker"}
	nowhere   = []string{"settings"} // tuning: listed by "settings" only
)

// ownSettings is the one table behind flags, variables, the file and docs/settings.md. Defaults of fields of gtf.Config
// are taken from there.
func ownSettings() []Setting {
	table := []Setting{
		{Name: "database_url", Kind: KindURL, Default: defaultDatabase(),
			Usage: "where the tasks are: sqlite://PATH, sqlite:///PATH for an absolute one, or postgres://USER:PASSWORD@HOST:PORT/DATABASE."},
		{Name: "redis_url", Kind: KindURL, Commands: executors,
			Usage: "a Redis or Valkey that carries signals, and locks if they are to be there: redis://HOST:PORT."},
		{Name: "signals", Default: autoLevel, OneOf: []string{autoLevel, byStore, byRedis, byNone}, Commands: nowhere,
			Usage: "how processes wake each other: auto is redis with a redis_url, else the store's way; with none they poll."},
		{Name: "locks", Default: byStore, OneOf: []string{byStore, byRedis}, Commands: nowhere,
			Usage: "where the locks that task code takes are kept; the same for all processes."},
		{Name: "channel_prefix", Default: "gtf:", Commands: nowhere,
			Usage: "begins the names of channels and keys in PostgreSQL and Redis: one for each installation that shares them."},
		{Name: "postgres.schema", Default: "gtf", Commands: nowhere,
			Usage: "the schema that holds the tables."},
		{Name: "postgres.listen_url", Kind: KindURL, Commands: nowhere,
			Usage: "where to LISTEN if database_url leads to a transaction pooler; default the same."},
		{Name: "config", Usage: "a YAML file with settings."},
		{Name: "log_level", Default: autoLevel, OneOf: []string{autoLevel, "debug", "info", "warn", "error"},
			Usage: "the least level of log lines on standard error; auto is info in serve and worker, else warn."},
		{Name: "json", Kind: KindBool, Default: "false", Usage: "write JSON, for programs."},
		{Name: "sqlite.synchronous", Default: "normal", OneOf: []string{"normal", "full"}, Commands: nowhere,
			Usage: "with full, SQLite syncs every commit; with normal, a power failure may lose the last ones."},
	}
	return slices.Concat(table, deskSettings(), serveSettings(), authSettings(), configSettings())
}

// configSettings are the fields of gtf.Config that can be configured.
func configSettings() []Setting {
	d := func(name string, cmds []string, none bool, field func(*gtf.Config) any, usage string) Setting {
		return Setting{Name: name, Kind: KindDuration, Commands: cmds, None: none, Usage: usage, field: field}
	}
	table := []Setting{
		d("backoff.base", nowhere, false, func(c *gtf.Config) any { return &c.Backoff.Base },
			"the pause before the second attempt of a task; it doubles with each one."),
		d("backoff.max", nowhere, false, func(c *gtf.Config) any { return &c.Backoff.Max },
			"the longest pause between attempts."),
		d("claim_interval", nowhere, false, func(c *gtf.Config) any { return &c.ClaimInterval },
			"how often a worker looks for work without a signal, while signals arrive."),
		d("claim_polling", nowhere, false, func(c *gtf.Config) any { return &c.ClaimPolling },
			"the same without signals from other processes."),
		{Name: "enabled", Kind: KindBool, Commands: nowhere, field: func(c *gtf.Config) any { return (*inverted)(&c.Disabled) },
			Usage: "switched off, nothing is submitted or claimed by this process."},
		d("fence_after", nowhere, false, func(c *gtf.Config) any { return &c.FenceAfter },
			"how long a process works on without a successful heartbeat: at least three times heartbeat, less than worker_timeout."),
		d("grace", executors, true, func(c *gtf.Config) any { return &c.Grace },
			"how long running tasks may go on when the worker is asked to stop."),
		d("handler_timeout", nowhere, false, func(c *gtf.Config) any { return &c.HandlerTimeout },
			"the time of a task's abort handlers together, and of its cleanup handlers together."),
		d("heartbeat", nowhere, false, func(c *gtf.Config) any { return &c.Heartbeat },
			"the interval between heartbeats."),
		d("lock_ttl", nowhere, false, func(c *gtf.Config) any { return &c.LockTTL },
			"the lease of a lock that names none."),
		d("look_interval", nowhere, false, func(c *gtf.Config) any { return &c.LookInterval },
			"how often waits look without a signal, while signals arrive."),
		d("look_polling", nowhere, false, func(c *gtf.Config) any { return &c.LookPolling },
			"the same without signals from other processes."),
		{Name: "max_attempts", Kind: KindInt, Commands: nowhere, field: func(c *gtf.Config) any { return &c.MaxAttempts },
			Usage: "attempts of tasks that do not say otherwise, 1 to 100."},
		{Name: "max_input", Kind: KindSize, Commands: nowhere, field: func(c *gtf.Config) any { return &c.MaxInput },
			Usage: "the largest input of a task, as JSON."},
		{Name: "max_payload", Kind: KindSize, Commands: nowhere, field: func(c *gtf.Config) any { return &c.MaxPayload },
			Usage: "the largest payload of a task, as JSON."},
		{Name: "max_result", Kind: KindSize, Commands: nowhere, field: func(c *gtf.Config) any { return &c.MaxResult },
			Usage: "the largest result of a task, as JSON."},
		{Name: "queues", Kind: KindQueues, Commands: executors, field: func(c *gtf.Config) any { return &c.Queues },
			Usage: "the queues to work on and how many tasks of each to run at once: default=20,exports=4."},
		d("retention", append([]string{"prune"}, executors...), true, func(c *gtf.Config) any { return &c.Retention },
			"how long ended tasks are kept."),
		{Name: "show_stack_trace", Kind: KindBool, Commands: nowhere, field: func(c *gtf.Config) any { return &c.ShowStackTrace },
			Usage: "show stack traces to everybody who sees the task, not only to admins."},
		d("stuck_after", nowhere, false, func(c *gtf.Config) any { return &c.StuckAfter },
			"how long a function may ignore that it should stop before that is logged."),
		d("throttle", nowhere, true, func(c *gtf.Config) any { return &c.Throttle },
			"the least time between two writes of a task's progress; none writes every report."),
		d("timeout", nowhere, true, func(c *gtf.Config) any { return &c.Timeout },
			"the time limit of tasks that do not say otherwise."),
		d("worker_timeout", nowhere, false, func(c *gtf.Config) any { return &c.WorkerTimeout },
			"how long a process may be silent before its tasks are taken from it."),
	}
	defaults := gtf.DefaultConfig()
	for i := range table {
		table[i].Default = format(table[i].field(defaults))
	}
	return table
}

// inverted is a bool field that is stored as its opposite.
type inverted bool

// notSettings are the fields of gtf.Config that only Go code can give.
var notSettings = []string{"Engine", "Handlers", "Locker", "Logger", "Observer", "Signals", "Version"}

// shown reports whether the help of a command lists the setting.
func (s *Setting) shown(command string) bool {
	return s.Commands == nil || slices.Contains(s.Commands, command)
}
