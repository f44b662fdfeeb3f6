package cli

import (
	"context"

	"github.com/globaltask/gtf"
	"github.com/spf13/cobra"
)

// who are the flags that say on whose behalf a command acts; without them it is the host, who sees everything.
type who struct {
	as           string
	admin, guest bool
}

func (w *who) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.as, "as", "", "act as this user (default: the host)")
	cmd.Flags().BoolVar(&w.admin, "admin", false, "with --as: an admin")
	cmd.Flags().BoolVar(&w.guest, "guest", false, "with --as: a guest, not a user")
}

func (w *who) given() bool { return w.as != "" || w.admin || w.guest }

func (w *who) principal() (gtf.Principal, error) {
	switch {
	case w.as == "" && (w.admin || w.guest):
		return gtf.Principal{}, usage("--admin and --guest say what --as USER is")
	case w.admin && w.guest:
		return gtf.Principal{}, usage("a guest is no admin")
	}
	p := gtf.Principal{Kind: gtf.KindUser, ID: w.as, Admin: w.admin}
	if w.guest {
		p.Kind = gtf.KindGuest
	}
	return p, nil
}

// in puts the principal into a context.
func (w *who) in(ctx context.Context) (context.Context, error) {
	p, err := w.principal()
	if err != nil || p.IsZero() {
		return ctx, err
	}
	return gtf.WithPrincipal(ctx, p), nil
}
