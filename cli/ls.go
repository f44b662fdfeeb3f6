package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

// lsFlags are those of ls.
type lsFlags struct {
	who
	statuses, types, scopes, queues []string
	text, createdBy, sort           string
	since                           time.Duration
	mine, ascending                 bool
	limit                           int
}

func (c *Console) lsCommand() *cobra.Command {
	var f lsFlags
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"},
		Short: "List tasks, newest first",
		Long: `List the tasks that --as USER may see; without it, all of them, newest first. With --server, those that the token's owner
may see.

With --json, one object a task and line, in the shape of the HTTP API.`,
		Example: "  " + c.name + " ls --status pending,in_progress --type report.export\n  " + c.name + " ls --as ada --mine --since 7d",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.atDesk(cmd.Context(), &f.who, func(ctx context.Context, d desk) error { return c.ls(ctx, d, &f) })
		},
	}
	f.who.register(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&f.statuses, "status", nil, "with one of these statuses: "+join(gtf.Statuses()))
	fl.StringSliceVar(&f.types, "type", nil, "of one of these types")
	fl.StringSliceVar(&f.scopes, "scope", nil, "private, shared or system")
	fl.StringSliceVar(&f.queues, "queue", nil, "in one of these queues")
	fl.StringVar(&f.text, "text", "", "with this in the name or the key")
	fl.StringVar(&f.createdBy, "created-by", "", "that this user created")
	fl.BoolVar(&f.mine, "mine", false, "that you follow: --as USER, or who the token of --server names")
	fl.Var(&durationFlag{&f.since}, "since", "created in the last 24h, 7d, …")
	fl.StringVar(&f.sort, "sort", "", "by "+join(gtf.OrderColumns())+"; newest first where it is a time")
	fl.BoolVar(&f.ascending, "reverse", false, "turn the order round")
	fl.IntVar(&f.limit, "limit", 25, "at most so many")
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(split(join(gtf.Statuses())), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(split(join(gtf.OrderColumns())), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("type", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return c.completeTypes(nil, nil, "")
	})
	return cmd
}

func (c *Console) ls(ctx context.Context, d desk, f *lsFlags) error {
	params, err := f.params(ctx)
	if err != nil {
		return err
	}
	var tasks []*gtf.Task
	var page *gtf.TaskPage
	for len(tasks) < f.limit && (page == nil || page.Next != "") {
		params.PageSize = min(100, f.limit)
		if page != nil {
			params.Cursor = page.Next
		}
		if page, err = d.List(ctx, params); err != nil {
			return stored(err)
		}
		tasks = append(tasks, page.Tasks...)
	}
	tasks = tasks[:min(len(tasks), f.limit)]
	now := time.Now()
	if c.json() {
		for _, t := range tasks {
			if err := writeJSON(c.Out, httpapi.NewTask(t, gtf.ActorFrom(ctx), now)); err != nil {
				return err
			}
		}
		return nil
	}
	return c.list(tasks, page, now)
}

func (f *lsFlags) params(ctx context.Context) (*gtf.ListParams, error) {
	if f.limit < 1 {
		return nil, usage("--limit is %d, must be at least 1", f.limit)
	}
	p := &gtf.ListParams{Queues: f.queues, Text: f.text, Types: f.types, Order: gtf.OrderColumn(f.sort)}
	for _, s := range f.statuses {
		p.Statuses = append(p.Statuses, gtf.Status(s))
	}
	for _, s := range f.scopes {
		p.Scopes = append(p.Scopes, gtf.Scope(s))
	}
	if f.createdBy != "" {
		p.CreatedBy = gtf.Principal{ID: f.createdBy}
	}
	if f.mine {
		me, ok := gtf.PrincipalFrom(ctx)
		if !ok {
			return nil, usage("--mine needs --as USER")
		}
		p.Subscriber = me
	}
	if f.since > 0 {
		p.CreatedAfter = time.Now().Add(-f.since)
	}
	if p.Order == "" {
		p.Order = gtf.OrderCreated
	}
	times := []gtf.OrderColumn{gtf.OrderCreated, gtf.OrderChanged, gtf.OrderStarted, gtf.OrderEnded}
	p.Descending = slices.Contains(times, p.Order) != f.ascending
	return p, nil
}

func (c *Console) list(tasks []*gtf.Task, page *gtf.TaskPage, now time.Time) error {
	if len(tasks) == 0 {
		c.Note("no task matches")
		return nil
	}
	if err := c.WriteTasks(tasks, now); err != nil {
		return err
	}
	if page.Count > len(tasks) {
		of := term.Number(page.Count)
		if page.Capped {
			of += "+"
		}
		c.Note("%s of %s; --limit shows more", term.Number(len(tasks)), of)
	}
	return nil
}

// WriteTasks prints tasks as a table on standard output, like "gtf ls".
func (c *Console) WriteTasks(tasks []*gtf.Task, now time.Time) error {
	t := newTable("ID", "TYPE", "TASK", "STATUS", "PROGRESS", "SCOPE", "BY", "CREATED", "DURATION")
	t.right[8] = true
	for _, task := range tasks {
		by := term.None
		if !task.CreatedBy.IsZero() {
			by = task.CreatedBy.DisplayName()
		}
		if n := len(task.Subscribers); n > 1 {
			by += " +" + term.Number(n-1)
		}
		t.add(task.ID, task.Type, term.Cut(term.OneLine(title(task)), 40), statusCell(task.Status), progress(task, now), task.Scope,
			term.Cut(term.OneLine(by), 24), term.Ago(now, task.CreatedAt), term.Elapsed(task, now))
	}
	return t.write(c.Out, term.PaletteOf(c.Out))
}

// title is the name or the key; a random key says nothing.
func title(t *gtf.Task) string {
	if t.Name == "" && t.Key == t.ID.String() {
		return term.None
	}
	return t.Title()
}

func join[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

func split(text string) []string { return strings.Split(text, ", ") }
