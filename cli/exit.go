package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

// The exit codes of every command.
const (
	ExitOK          = 0
	ExitFailed      = 1   // the task did not succeed, or what was asked for could not be done
	ExitUsage       = 2   // flags, settings, input, an unknown type
	ExitNotFound    = 3   // or not allowed: the two are not told apart for tasks one may not see
	ExitUnreachable = 4   // the store
	ExitInterrupted = 130 // by a signal, before there was an answer; as shells say it
)

// usageError is the caller's mistake.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// storeError is the store's failure, as opposed to an answer of it.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// stored marks what a call of the client returned: whatever is not one of its answers is the store's failure.
func stored(err error) error {
	if err == nil || code(err) != ExitFailed || refused(err) {
		return err
	}
	return &storeError{err}
}

// refused are answers of the store: the task is not in a state to do that.
func refused(err error) bool {
	answers := []error{gtf.ErrFinished, gtf.ErrNotAbortable, gtf.ErrConflict, gtf.ErrDisabled, gtf.ErrStopped,
		gtf.ErrLockHeld, gtf.ErrSelfJoin}
	var failed *gtf.TaskError
	return errors.As(err, &failed) || slices.ContainsFunc(answers, func(a error) bool { return errors.Is(err, a) })
}

// errInterrupted ends a command that a signal has ended.
var errInterrupted = errors.New("interrupted")

// quietError has an exit code but nothing to say: everything was said before.
type quietError int

func (e quietError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// code is the exit code of an error.
func code(err error) int {
	var (
		wrong   *usageError
		invalid *gtf.ValidationError
		broken  *storeError
		quiet   quietError
		failed  *gtf.TaskError
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &quiet):
		return int(quiet)
	case errors.As(err, &wrong), errors.As(err, &invalid):
		return ExitUsage
	case errors.As(err, &failed):
		return ExitFailed
	case errors.Is(err, gtf.ErrNotFound), errors.Is(err, gtf.ErrForbidden), errors.Is(err, httpapi.ErrUnauthorized):
		return ExitNotFound
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &broken), errors.Is(err, gtf.ErrReadOnly), errors.Is(err, gtf.ErrSchema):
		return ExitUnreachable
	}
	return ExitFailed
}

// conclude says what went wrong, for people or as one JSON object, and returns the exit code.
func (c *Console) conclude(cmd *cobra.Command, err error) int {
	exit := code(err)
	var quiet quietError
	if exit == ExitOK || errors.As(err, &quiet) {
		return exit
	}
	text := explain(err)
	if c.ready && c.json() {
		raw, _ := json.Marshal(map[string]any{"error": text, "exit_code": exit})
		fmt.Fprintf(c.Err, "%s\n", raw)
		return exit
	}
	fmt.Fprintf(c.Err, "%s: %s\n", c.name, term.Printable(text))
	var wrong *usageError
	if errors.As(err, &wrong) && cmd != nil {
		fmt.Fprintf(c.Err, "See '%s --help'.\n", cmd.CommandPath())
	}
	return exit
}

// explain adds what to do about an error, in the words of the command line.
func explain(err error) string {
	text := err.Error()
	var invalid *gtf.ValidationError
	if errors.As(err, &invalid) && slices.ContainsFunc(invalid.Problems, func(p gtf.Problem) bool { return p.Field == "principal" }) {
		text = strings.ReplaceAll(text, "gtf.WithPrincipal", "--as USER")
	}
	if errors.Is(err, gtf.ErrForbidden) && !errors.Is(err, gtf.ErrNotFound) {
		text += " (--force; and beside --as, --admin)"
	}
	return text
}

// writeJSON writes one value on a line of its own.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
