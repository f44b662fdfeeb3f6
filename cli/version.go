package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (c *Console) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(c.Out, "%s %s %s %s/%s\n", c.name, c.version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
