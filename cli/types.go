package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

func (c *Console) typesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "types [TYPE]",
		Short: "List the task types of this binary, or describe one",
		Args:  cobra.MaximumNArgs(1), ValidArgsFunction: c.completeTypes,
		RunE: func(_ *cobra.Command, args []string) error { return c.types(args) },
	}
}

func (c *Console) types(args []string) error {
	handlers, err := c.handlers()
	if err != nil {
		return err
	}
	infos := make([]gtf.TypeInfo, len(handlers))
	for i, h := range handlers {
		infos[i] = h.Info()
	}
	slices.SortFunc(infos, func(a, b gtf.TypeInfo) int { return strings.Compare(a.Type, b.Type) })
	if len(args) == 1 {
		at := slices.IndexFunc(infos, func(i gtf.TypeInfo) bool { return i.Type == args[0] })
		if at < 0 {
			return usage("unknown type %q; this binary knows %s", args[0], strings.Join(typeNames(handlers), ", "))
		}
		infos = infos[at : at+1]
	}
	if c.json() {
		for _, i := range infos {
			if err := writeJSON(c.Out, typeObject(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(args) == 1 {
		return c.describeType(c.Out, infos[0])
	}
	t := newTable("TYPE", "SCOPE", "QUEUE", "DESCRIPTION")
	for _, i := range infos {
		t.add(i.Type, i.Scope, i.Queue, i.Description)
	}
	return t.write(c.Out, term.PaletteOf(c.Out))
}

func (c *Console) describeType(w io.Writer, i gtf.TypeInfo) error {
	t := newTable("", "")
	row := func(name string, value any) { t.add(cell{name, term.Dim}, value) }
	row("Type", i.Type)
	row("Description", firstOf(i.Description, term.None))
	row("Scope", i.Scope)
	row("Key", choose(i.Keyed, "from the input", "random, unless --key is given"))
	row("Abortable", choose(i.Abortable, "from the start", "once it has registered an abort handler"))
	row("Queue", fmt.Sprintf("%s, priority %d", i.Queue, i.Priority))
	row("Attempts", i.MaxAttempts)
	row("Time limit", limit(i.Timeout))
	if err := t.write(w, term.PaletteOf(w)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nInput, with every field empty:\n%s\n", indented(i.Input))
	return err
}

func limit(d time.Duration) string {
	if d <= 0 {
		return "none of its own"
	}
	return term.Duration(d)
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func typeObject(i gtf.TypeInfo) map[string]any {
	return map[string]any{
		"task_type": i.Type, "description": i.Description, "scope": i.Scope, "queue": i.Queue, "priority": i.Priority,
		"is_abortable": i.Abortable, "keyed": i.Keyed, "max_attempts": i.MaxAttempts, "timeout": max(0, i.Timeout).Seconds(),
		"input": i.Input,
	}
}
