package cli

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"
)

type rawJSON = json.RawMessage

// durationFlag is a flag of a command that takes the durations people write; gtf.None for none and zero.
type durationFlag struct{ to *time.Duration }

// String implements pflag.Value.
func (f *durationFlag) String() string {
	if f.to == nil || *f.to == 0 {
		return ""
	}
	return formatDuration(*f.to)
}

// Set implements pflag.Value.
func (f *durationFlag) Set(text string) error {
	d, err := ParseDuration(text)
	*f.to = d
	return err
}

// Type implements pflag.Value.
func (f *durationFlag) Type() string { return "duration" }

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("unexpected argument %q", args[0])
	}
	return nil
}

func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usage("%s is missing", what)
		case 1:
			return nil
		}
		return usage("unexpected argument %q", args[1])
	}
}

func someArgs(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("%s is missing", what)
		}
		return nil
	}
}

// completeTypes offers the binary's types to the shell.
func (c *Console) completeTypes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || c.Settings.load() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	handlers, err := c.handlers()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return typeNames(handlers), cobra.ShellCompDirectiveNoFileComp
}
