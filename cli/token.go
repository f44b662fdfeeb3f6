package cli

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/spf13/cobra"
)

func (c *Console) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make tokens for the HTTP API",
		Long: `Make tokens for the HTTP API.

create prints a new token, once, and what to put into the configuration, which holds only its hash. hash does the same for
a token that exists, read from standard input. guest prints a token for somebody without an account, which sees the tasks
of the guest with that id, of some types, for a time. It is signed with auth.guest.key.`,
		Example: fmt.Sprintf(`  %[1]s token create --id ada --name "Ada Lovelace" --email ada@example.com --role admin
  %[1]s token hash --id ada --role admin < token.txt
  %[1]s token guest --id visitor --types report.export --write --for 2d`, c.name),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.tokenCreateCommand(), c.tokenHashCommand(), c.tokenGuestCommand())
	return cmd
}

// tokenFlags say whom a token stands for.
type tokenFlags struct{ id, name, email, role string }

func (f *tokenFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.id, "id", "", "whom the token stands for")
	cmd.Flags().StringVar(&f.name, "name", "", "their name, for people (default: the id)")
	cmd.Flags().StringVar(&f.email, "email", "", "their e-mail address (default: none)")
	cmd.Flags().StringVar(&f.role, "role", string(auth.RoleUser), "admin, user or viewer")
}

func (c *Console) tokenCreateCommand() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a token, and what the configuration needs to know it",
		Long: `Make a token and print it to standard output, once; print what the configuration needs to standard error. That is its
SHA-256. A plain hash is enough, because the token is 256 random bits, which nobody can guess from it.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			token := auth.NewToken()
			entry, err := f.entry(token)
			if err != nil {
				return err
			}
			if c.json() {
				return c.writeToken(token, entry)
			}
			if _, err := fmt.Fprintln(c.Out, token); err != nil {
				return err
			}
			c.Note("This is the token of %s. It is not shown again. The configuration file wants", f.id)
			_, err = fmt.Fprintf(c.Err, "\n%s\nand GTF_AUTH_TOKENS wants, behind a comma if there are others,\n\n%s\n", yamlToken(entry), entry)
			return err
		},
	}
	f.register(cmd)
	return cmd
}

func (c *Console) tokenHashCommand() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "hash",
		Short: "Read a token from standard input, and print what the configuration needs to know it",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			raw, err := io.ReadAll(io.LimitReader(c.In, 64<<10))
			if err != nil {
				return fmt.Errorf("read the token: %w", err)
			}
			entry, err := f.entry(strings.TrimSpace(string(raw)))
			if err != nil {
				return err
			}
			if c.json() {
				return c.writeToken("", entry)
			}
			_, err = fmt.Fprint(c.Out, yamlToken(entry))
			return err
		},
	}
	f.register(cmd)
	return cmd
}

// entry is what the configuration holds of a token.
func (f *tokenFlags) entry(token string) (auth.Token, error) {
	if f.id == "" {
		return auth.Token{}, usage("--id is missing: whom does the token stand for?")
	}
	hash, err := auth.HashToken(token)
	if err != nil {
		return auth.Token{}, usage("%w", err)
	}
	entry := auth.Token{ID: f.id, Name: f.name, Email: f.email, Role: auth.Role(f.role), Hash: hash}
	if _, err := auth.Tokens([]auth.Token{entry}); err != nil {
		return auth.Token{}, usage("%w", err)
	}
	return entry, nil
}

func (c *Console) writeToken(token string, entry auth.Token) error {
	o := map[string]string{"id": entry.ID, "role": string(entry.Role), "sha256": hex.EncodeToString(entry.Hash[:]), "setting": entry.String()}
	if token != "" {
		o["token"] = token
	}
	return writeJSON(c.Out, o)
}

// yamlToken is an entry as the file has it.
func yamlToken(t auth.Token) string {
	var b strings.Builder
	fmt.Fprintf(&b, "auth:\n  tokens:\n    - id: %s\n", strconv.Quote(t.ID))
	if t.Name != "" {
		fmt.Fprintf(&b, "      name: %s\n", strconv.Quote(t.Name))
	}
	if t.Email != "" {
		fmt.Fprintf(&b, "      email: %s\n", strconv.Quote(t.Email))
	}
	fmt.Fprintf(&b, "      role: %s\n      sha256: %s\n", t.Role, strconv.Quote(hex.EncodeToString(t.Hash[:])))
	return b.String()
}

func (c *Console) tokenGuestCommand() *cobra.Command {
	var (
		g        auth.Guest
		lifetime = 24 * time.Hour
	)
	cmd := &cobra.Command{
		Use:   "guest",
		Short: "Make a token for a guest",
		Long: `Make a token for somebody without an account and print it. It is good for tasks of the given types that a guest of this id
follows. It cannot be taken back, except by changing auth.guest.key, which ends those of all guests.`,
		Example: "  " + c.name + " token guest --id visitor --types report.export,report.mail --for 2d",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			key, err := c.secret("auth.guest.key")
			if err != nil {
				return err
			}
			if key == "" {
				return usage("guests need auth.guest.key, the same as the server's: 32 bytes or more that nobody can guess")
			}
			token, err := auth.MintGuest([]byte(key), g, lifetime)
			if err != nil {
				return usage("%w", err)
			}
			if c.json() {
				return writeJSON(c.Out, map[string]any{"token": token, "id": g.ID, "types": g.Types, "expires_in": lifetime.Seconds()})
			}
			_, err = fmt.Fprintln(c.Out, token)
			return err
		},
	}
	cmd.Flags().StringVar(&g.ID, "id", "", "the id of the guest")
	cmd.Flags().StringVar(&g.Name, "name", "", "their name, for people (default: the id)")
	cmd.Flags().StringSliceVar(&g.Types, "types", nil, "the types of tasks it is good for, separated by commas")
	cmd.Flags().Var(&durationFlag{&lifetime}, "for", "how long it is good")
	cmd.Flags().BoolVar(&g.Write, "write", false, "the guest may cancel (default: only see)")
	return cmd
}
