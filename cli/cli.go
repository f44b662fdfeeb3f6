// Package cli gives a program with task types of its own the commands of the gtf binary: worker, serve, run, schedule, ls,
// show, watch, cancel, logs, prune, migrate, doctor and the rest.
//
//	func main() {
//		cli.Main(&cli.App{Name: "reports", Handlers: func(*cli.Settings) ([]gtf.Handler, error) { return reports.Handlers(), nil }})
//	}
//
// What a person reads goes to standard output where it is the answer (a table, a result, an id) and to standard error
// where it accompanies one (progress, notes, log lines), so that output can be piped. Settings come from flags, GTF_…
// variables and a file, all from the one table in settings.go.
package cli

import (
	"context"
	"io"
	"os"

	"github.com/globaltask/gtf"
	"github.com/spf13/cobra"
)

// App is a binary with task types.
type App struct {
	// About is a line of help that says what the binary is. Default: what gtf is.
	About string
	// Commands adds commands of the binary's own. Default none.
	Commands func(*Console) []*cobra.Command
	// Handlers makes what this binary can execute, from the settings in force. An error is a usage error. Default none.
	Handlers func(*Settings) ([]gtf.Handler, error)
	// Name of the binary in help and messages. Default "gtf".
	Name string
	// Settings adds settings of the binary's own: each has a flag, a GTF_… variable and a key in the file, like those of
	// gtf. Default none.
	Settings []Setting
	// Version is shown by "version" and in the list of workers. Default: what the Go toolchain recorded.
	Version string
}

// Main runs the command line of this process and exits.
func Main(app *App) {
	os.Exit(app.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Run executes one command line and returns its exit code. It reads the process's environment and, in commands that wait,
// takes its signals; the end of ctx counts as the first signal.
func (a *App) Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := newConsole(a, stdin, stdout, stderr)
	root := c.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !c.ready {
		err = &usageError{err: err} // cobra's own errors: unknown command, missing argument
	}
	return c.conclude(cmd, err)
}

func (c *Console) root() *cobra.Command {
	root := &cobra.Command{
		Use:           c.name,
		Short:         c.about,
		Long:          c.about + "\n\n" + rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if needsNoSettings(cmd) {
				return nil
			}
			return c.prepare()
		},
	}
	c.Settings.register(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err: err} })
	root.AddCommand(
		c.serveCommand(), c.workerCommand(), c.runCommand(), c.scheduleCommand(), c.lsCommand(), c.showCommand(),
		c.watchCommand(), c.cancelCommand(), c.logsCommand(), c.pruneCommand(), c.migrateCommand(), c.doctorCommand(),
		c.workersCommand(), c.benchCommand(), c.typesCommand(), c.settingsCommand(), c.tokenCommand(), c.versionCommand(),
	)
	if c.app.Commands != nil {
		root.AddCommand(c.app.Commands(c)...)
	}
	return root
}

const rootHelp = `Every setting is a flag, a GTF_… variable and a key of the file named by --config, in this order of precedence.
"settings" lists them all, with the values in force.

Exit codes:
  0    success
  1    the task did not succeed, what was asked for could not be done, or the doctor found something wrong
  2    usage: flags, settings, input, an unknown type
  3    not found, or not allowed
  4    the store cannot be reached or used
  130  interrupted before there was an answer`

// needsNoSettings are the commands that work however broken the settings are.
func needsNoSettings(cmd *cobra.Command) bool {
	for ; cmd != nil; cmd = cmd.Parent() {
		switch cmd.Name() {
		case "completion", "help", "version", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return true
		}
	}
	return false
}
