package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

func (c *Console) showCommand() *cobra.Command {
	var w who
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show everything about a task",
		Args:  oneArg("ID"),
		RunE:  func(cmd *cobra.Command, args []string) error { return c.show(cmd.Context(), args[0], &w) },
	}
	w.register(cmd)
	return cmd
}

func (c *Console) show(ctx context.Context, text string, w *who) error {
	id, err := taskID(text)
	if err != nil {
		return err
	}
	return c.atDesk(ctx, w, func(ctx context.Context, d desk) error {
		t, err := d.Get(ctx, id)
		if err != nil {
			return stored(err)
		}
		if c.json() {
			return writeJSON(c.Out, httpapi.NewTask(t, gtf.ActorFrom(ctx), time.Now()))
		}
		return writeTask(c.Out, term.PaletteOf(c.Out), t, gtf.ActorFrom(ctx), time.Now())
	})
}

// writeTask prints a task: what it is, how it stands, who is concerned, and what it left behind.
func writeTask(w io.Writer, p term.Palette, t *gtf.Task, actor gtf.Actor, now time.Time) error {
	tab := newTable("", "")
	row := func(name string, value any) {
		if value != "" && value != term.None {
			tab.add(cell{name, term.Dim}, value)
		}
	}
	status := statusCell(t.Status)
	if more := state(t, now); more != "" {
		status.text += ": " + term.OneLine(more)
	}
	row("Task", title(t))
	row("ID", t.ID)
	row("Type", t.Type)
	row("Scope", t.Scope)
	row("Status", status)
	if key := t.Key; key != t.ID.String() && key != title(t) {
		row("Key", key)
	}
	row("Queue", fmt.Sprintf("%s, priority %d", t.Queue, t.Priority))
	row("Created", when(now, t.CreatedAt)+by(t.CreatedBy))
	if t.DueAt.Sub(t.CreatedAt) > time.Second {
		row("Due", when(now, t.DueAt))
	}
	row("Started", when(now, t.StartedAt))
	row("Ended", when(now, t.EndedAt))
	row("Duration", term.Elapsed(t, now))
	if t.Timeout > 0 {
		row("Time limit", term.Duration(t.Timeout))
	}
	if t.MaxAttempts > 1 {
		row("Attempt", fmt.Sprintf("%d of %d", t.Attempt, t.MaxAttempts))
	}
	for i, a := range t.Attempts {
		row(fmt.Sprintf("Attempt %d", i+1), fmt.Sprintf("%s, %s: %s", when(now, a.StartedAt), term.Duration(a.EndedAt.Sub(a.StartedAt)), a.Error))
	}
	row("Subscribers", subscribers(t))
	if t.DedupeCount > 0 {
		row("Joined", fmt.Sprintf("by %s", term.Plural(t.DedupeCount, "other submission", "other submissions")))
	}
	if !t.AbortedAt.IsZero() {
		row("Abort asked", when(now, t.AbortedAt)+by(t.AbortedBy))
	}
	row("Worker", t.Worker)
	if n := t.Logged.Lines; n > 0 {
		row("Log", term.Plural(n, "line", "lines"))
	}
	row("Cancel", cancelText(gtf.DecideCancel(t, actor, gtf.CancelOpts{})))
	if err := tab.write(w, p); err != nil {
		return err
	}
	return writeParts(w, p, t)
}

// writeParts prints what is longer than a line.
func writeParts(w io.Writer, p term.Palette, t *gtf.Task) error {
	var b strings.Builder
	part := func(name, text string, s term.Style) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s\n%s\n", p.Paint(term.Dim, name), p.Paint(s, term.Printable(strings.TrimRight(text, "\n"))))
		}
	}
	part("Payload", indented(t.Payload), term.Plain)
	part("Result", indented(t.Result), term.Plain)
	kind := "Error"
	if t.ErrorType != "" {
		kind += " (" + term.OneLine(t.ErrorType) + ")"
	}
	part(kind, t.Error, term.Bad)
	part("Stack trace", t.Stack, term.Plain)
	_, err := io.WriteString(w, b.String())
	return err
}

func when(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return term.Moment(t) + " (" + term.Ago(now, t) + ")"
}

func by(p gtf.Principal) string {
	if p.IsZero() {
		return ""
	}
	return " by " + p.DisplayName()
}

func subscribers(t *gtf.Task) string {
	var names []string
	for _, s := range t.Subscribers {
		name := s.DisplayName()
		if s.Kind == gtf.KindGuest {
			name += " (guest)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// cancelText says what a cancel would do; nothing for a task that has ended.
func cancelText(d gtf.CancelDecision) string {
	switch {
	case d.State == gtf.CancelHidden:
		return ""
	case d.State == gtf.CancelDisabled:
		return "not possible: " + d.Reason
	case d.Force == gtf.ForceRequired:
		return "stops it for everyone, with --force"
	case d.Effect == gtf.EffectUnsubscribe && d.Force == gtf.ForceOptional:
		return "you leave, it goes on for others; with --force it stops for everyone"
	case d.Effect == gtf.EffectUnsubscribe:
		return "you leave, it goes on for others"
	case d.Effect == gtf.EffectDetach:
		return "this client leaves"
	}
	return "stops it"
}

func indented(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}
