// Command gtf schedules, runs, shows and cancels long tasks, and is the worker for those types that come with it. A
// program with types of its own gets the same commands from package cli.
package main

import (
	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/cli"
	"github.com/globaltask/gtf/internal/tasks"
	"github.com/spf13/cobra"
)

//go:generate sh -c "go run . settings --markdown > ../../docs/settings.md"

func main() { cli.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:     "gtf",
		Commands: func(c *cli.Console) []*cobra.Command { return []*cobra.Command{demoCommand(c)} },
		Settings: []cli.Setting{{
			Name: "allow_exec", Kind: cli.KindBool, Default: "false", Commands: []string{"serve", "worker", "run", "schedule", "types"},
			Usage: "offer exec.command, which runs any program with the rights of the worker.",
		}},
		Handlers: func(s *cli.Settings) ([]gtf.Handler, error) {
			return tasks.Handlers(tasks.Options{AllowExec: s.Bool("allow_exec")}), nil
		},
	}
}
