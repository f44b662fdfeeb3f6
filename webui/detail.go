package webui

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

// detail is the page of a task.
func (u *Handler) detail(w http.ResponseWriter, p *page) error {
	t, err := p.task()
	if err != nil {
		return err
	}
	lines, err := p.lastLines(t)
	if err != nil {
		return err
	}
	parts := g.Group{
		p.section("head", "", p.head(t)),
		p.section("error", "Error", p.errorPart(t)),
		h.Div(h.Class("columns"), p.section("facts", "Facts", p.facts(t)), h.Div(
			p.section("timeline", "Timeline", p.timeline(t)),
			p.section("people", "Subscribers", g.Iff(len(t.Subscribers) > 0, func() g.Node { return p.people(t, len(t.Subscribers)) })))),
		p.section("result", "Result", p.jsonPart("result", t.Result)),
		p.section("payload", "Payload", p.jsonPart("payload", t.Payload)),
		p.section("logs", "Log", p.logs(t, lines)),
	}
	article := h.Article(h.ID("detail"), h.Class("detail"), h.Data("task", t.ID.String()), g.If(t.Status.Active(), h.Data("active", "")), parts)
	content := g.Group{article, h.Div(h.ID("peeks"), p.peopleOf(t))}
	if isFragment(p.r) {
		return p.send(w, http.StatusOK, content)
	}
	crumb := h.Nav(h.Class("crumb"), h.Aria("label", "Breadcrumb"), h.A(h.Href(p.href(or(p.listBefore(), "/tasks"))), p.icon("back"), g.Text("Tasks")))
	return p.show(w, frame{title: title(t), lead: crumb, live: true}, content)
}

// listBefore is the list that led here, with its filters.
func (p *page) listBefore() string {
	if from := p.cameFrom(); strings.HasPrefix(from, "/tasks?") {
		return from
	}
	return ""
}

// section is a part that is replaced as a whole. One without content is there, too, so that content can come.
func (p *page) section(id, heading string, content g.Node) g.Node {
	if content == nil {
		return h.Section(h.ID(id), h.Data("part", ""), h.Hidden(""))
	}
	if heading == "" {
		return h.Section(h.ID(id), h.Data("part", ""), h.Class("head"), content)
	}
	return h.Section(h.ID(id), h.Data("part", ""), h.Class("card"), h.Aria("labelledby", "h-"+id), h.H2(h.ID("h-"+id), g.Text(heading)), content)
}

func (p *page) head(t *gtf.Task) g.Node {
	return g.Group{
		h.Div(h.Class("facts-line"), p.status(t), p.scope(t.Scope), h.Span(h.Class("type"), g.Text(t.Type)), p.faces(t), h.Span(h.Class("dim"), g.Text(ranWord(t)), p.duration(t))),
		h.Div(h.Class("facts-line wide"), p.progress(t)),
		g.Iff(unlimitedWarning(t) != "", func() g.Node { return h.P(h.Class("alert"), p.icon("warning"), h.Span(g.Text(unlimitedWarning(t)))) }),
		h.Div(h.Class("bar"), p.cancelButton(t),
			h.Button(h.Type("button"), h.Class("button"), h.Hidden(""), h.Data("copy", "link"), p.icon("link"), h.Span(g.Text("Copy link"))),
			h.A(h.Class("button"), h.Href(p.u.opts.API+"/"+t.ID.String()), p.icon("code"), g.Text("Raw JSON"))),
	}
}

// facts are what else is known. What is empty is left out.
func (p *page) facts(t *gtf.Task) g.Node {
	type fact struct {
		name  string
		value g.Node
	}
	text := func(s string) g.Node {
		if s == "" {
			return nil
		}
		return h.Span(h.Dir("auto"), g.Text(plain(s)))
	}
	code := func(s string) g.Node {
		if s == "" {
			return nil
		}
		return h.Code(g.Text(plain(s)))
	}
	at := func(t time.Time) g.Node {
		if t.IsZero() {
			return nil
		}
		return g.Group{p.ago(t, ""), h.Small(g.Text(" " + instant(t)))}
	}
	limit, waited := "", ""
	if t.Timeout > 0 {
		limit = web.Duration(t.Timeout)
	}
	if !t.StartedAt.IsZero() && t.Attempt <= 1 {
		waited = web.Duration(t.StartedAt.Sub(t.CreatedAt))
	}
	due := t.DueAt
	if due.Sub(t.CreatedAt) < time.Second {
		due = time.Time{} // it was due at once
	}
	note := ""
	if t.Error == "" && t.Status != gtf.StatusInProgress { // else it is said above
		note = statusNote(t, p.now)
	}
	abortable := "No: it has no abort handler"
	if t.Abortable {
		abortable = "Yes"
	}
	if t.Status != gtf.StatusInProgress {
		abortable = ""
	}
	all := []fact{
		{"Note", text(note)}, {"Id", code(t.ID.String())}, {"Key", code(t.Key)}, {"Type", code(t.Type)},
		{"Queue", text(t.Queue)}, {"Priority", text(fmt.Sprint(t.Priority))}, {"Runs", text(modeText(t.Mode))},
		{"Created by", text(t.CreatedBy.DisplayName())}, {"Created", at(t.CreatedAt)}, {"Due", at(due)}, {"Started", at(t.StartedAt)},
		{"Finished", at(t.EndedAt)}, {"Waited", text(waited)}, {"Attempt", text(attemptText(t))}, {"Time limit", text(limit)},
		{"Can be stopped", text(abortable)}, {"Joined by", text(joinedText(t))}, {"Worker", code(t.Worker)}, {"Dedup key", code(t.DedupKey)},
	}
	list := g.Group{}
	for _, f := range all {
		if f.value != nil {
			list = append(list, h.Div(h.Dt(g.Text(f.name)), h.Dd(f.value)))
		}
	}
	return h.Dl(h.Class("facts"), list)
}

// ranWord stands before a duration.
func ranWord(t *gtf.Task) string {
	switch {
	case t.StartedAt.IsZero():
		return "Not started "
	case t.Status.Terminal():
		return "Ran for "
	}
	return "Running for "
}

func modeText(m gtf.Mode) string {
	if m == gtf.ModeSync {
		return "In the process that submitted it"
	}
	return "On any worker"
}

func attemptText(t *gtf.Task) string {
	if t.Attempt == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", t.Attempt, t.MaxAttempts)
}

func joinedText(t *gtf.Task) string {
	if t.DedupeCount == 0 {
		return ""
	}
	return counted(t.DedupeCount, "other submission", "other submissions")
}

func (p *page) errorPart(t *gtf.Task) g.Node {
	if t.Error == "" {
		return nil
	}
	return g.Group{
		h.P(h.Class("error-text"), h.Dir("auto"), g.If(t.ErrorType != "", h.Code(g.Text(t.ErrorType+": "))), g.Text(plain(t.Error))),
		g.Iff(t.Stack != "", func() g.Node { return p.code("stack", "Stack trace", plain(t.Stack)) }),
	}
}

// code is a long text to read and copy.
func (p *page) code(id, label, text string) g.Node {
	return g.Group{
		h.P(h.Class("bar"), p.copyButton("#t-"+id)),
		h.Pre(h.ID("t-"+id), h.Class("code"), h.TabIndex("0"), h.Dir("ltr"), h.Role("region"), h.Aria("label", "Text of "+strings.ToLower(label)), g.Text(text)),
	}
}

func (p *page) jsonPart(id string, raw []byte) g.Node {
	if len(raw) == 0 {
		return nil
	}
	return p.code(id, strings.ToUpper(id[:1])+id[1:], indented(raw))
}

// step is one of a task's life.
type step struct {
	at    time.Time
	label string
	note  string
	class string
}

// timeline is what has happened, with the time between, and what is still to come.
func (p *page) timeline(t *gtf.Task) g.Node {
	steps := timelineOf(t)
	items := g.Group{}
	for i, s := range steps {
		between := ""
		if i > 0 && !s.at.IsZero() {
			between = "after " + web.Duration(s.at.Sub(steps[i-1].at))
		}
		if s.at.IsZero() {
			items = append(items, h.Li(h.Class("future"), h.Span(h.Class("status"), p.icon("pending"), g.Text(s.label))))
			continue
		}
		items = append(items, h.Li(h.Span(h.Class("status s-"+s.class), p.icon(s.class), g.Text(s.label)),
			h.Small(p.ago(s.at, ""), g.Text(commaed(nonEmpty(between)))),
			g.Iff(s.note != "", func() g.Node { return h.P(h.Dir("auto"), g.Text(s.note)) })))
	}
	return h.Ol(h.Class("timeline"), items)
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func timelineOf(t *gtf.Task) []step {
	submitted := "Submitted"
	if !t.CreatedBy.IsZero() {
		submitted += " by " + t.CreatedBy.DisplayName()
	}
	steps := []step{{t.CreatedAt, submitted, "", "pending"}}
	for i, a := range t.Attempts {
		name := fmt.Sprintf("Attempt %d", i+1)
		steps = append(steps, step{a.StartedAt, name + " started", workerNote(a.Worker), "in_progress"},
			step{a.EndedAt, name + " ended", cut(oneLine(a.Error), 300), "failure"})
	}
	if !t.StartedAt.IsZero() {
		label := "Started"
		if len(t.Attempts) > 0 {
			label = fmt.Sprintf("Attempt %d started", t.Attempt)
		}
		steps = append(steps, step{t.StartedAt, label, workerNote(t.Worker), "in_progress"})
	}
	if !t.AbortedAt.IsZero() {
		steps = append(steps, step{t.AbortedAt, abortLabel(t), "", "aborting"})
	}
	switch {
	case t.Status.Terminal():
		steps = append(steps, step{t.EndedAt, statusWord(t.Status), "", string(t.Status)})
	case t.StartedAt.IsZero():
		steps = append(steps, step{label: "Start"}, step{label: "End"})
	default:
		steps = append(steps, step{label: "End"})
	}
	return steps
}

func workerNote(worker string) string {
	if worker == "" {
		return ""
	}
	return "by worker " + worker
}

func abortLabel(t *gtf.Task) string {
	switch {
	case t.AbortReason == gtf.AbortByTimeout:
		return "Time limit passed"
	case t.AbortedBy.IsZero() || t.AbortedBy.ID == gtf.HostName:
		return "Stop asked by the system"
	}
	return "Stop asked by " + t.AbortedBy.DisplayName()
}

// shownLines is how many log lines a page has, the last ones; all with ?logs=all.
const shownLines = 500

func (p *page) lastLines(t *gtf.Task) ([]gtf.LogLine, error) {
	if t.Logged.Lines == 0 {
		return nil, nil
	}
	if p.r.URL.Query().Get("logs") == "all" {
		return p.u.client.Logs(p.r.Context(), t.ID, 0, gtf.MaxLogLines)
	}
	after := max(0, int64(t.Logged.Lines)+t.Logged.Dropped-shownLines) // numbers count those that were dropped, too
	return p.u.client.Logs(p.r.Context(), t.ID, after, shownLines)
}

func (p *page) logs(t *gtf.Task, lines []gtf.LogLine) g.Node {
	if len(lines) == 0 {
		return nil
	}
	rows := g.Group{}
	var before int64
	for _, line := range lines {
		if missing := line.Seq - before - 1; before > 0 && missing > 0 {
			rows = append(rows, h.Li(h.Class("gap"), g.Text(counted(int(missing), "line", "lines")+" dropped")))
		}
		before = line.Seq
		level := line.Level.String()
		rows = append(rows, h.Li(h.Time(h.DateTime(line.At.UTC().Format(time.RFC3339Nano)), g.Text(line.At.UTC().Format("15:04:05"))),
			h.Span(h.Class("level l-"+strings.ToLower(level[:1])), g.Text(level)), h.Span(h.Dir("auto"), g.Text(plain(line.Text)))))
	}
	hidden := t.Logged.Lines - len(lines)
	return g.Group{
		h.P(h.Class("bar"), h.Small(g.Text("Times are UTC.")), p.copyButton("#t-logs"),
			g.Iff(hidden > 0, func() g.Node {
				return h.A(h.Href(p.href("/tasks/"+t.ID.String()+"?logs=all#logs")), g.Text("Show "+counted(hidden, "earlier line", "earlier lines")))
			}),
			h.A(h.Href(p.u.opts.API+"/"+t.ID.String()+"/logs"), g.Text("JSON"))),
		h.Ol(h.ID("t-logs"), h.Class("code log"), h.TabIndex("0"), h.Aria("label", "Log"), rows),
	}
}
