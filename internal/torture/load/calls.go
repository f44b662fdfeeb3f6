package load

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// callTimeout bounds submits and cancels: the database may be away.
const callTimeout = 5 * time.Second

// drained tells the journal that waits may be given up from here on; the client is stopped next.
func (s *submitter) drained() { s.journal.Write(journal.Event{Kind: journal.Drain}) }

// ask writes a question down and returns the answer to be filled in.
func (s *submitter) ask(e journal.Event) (answer journal.Event) {
	e.Call = s.calls.Add(1)
	if e.Kind == journal.Submit && e.Key == "" {
		e.Key = s.uniqueKey(e.Call)
	}
	s.journal.Write(e)
	return journal.Event{Call: e.Call}
}

// call submits one task and tells its id if that is known.
func (s *submitter) call(ctx context.Context, p *plan) (gtf.ID, bool) {
	ctx = actor{by: p.by}.context(ctx)
	q := journal.Event{Kind: journal.Submit, Type: p.kind.def.Type(), Key: p.key, Scope: string(p.kind.scope), By: p.by, How: p.how}
	a := s.ask(q)
	a.Kind = journal.Submitted
	key := p.key
	if key == "" {
		key = s.uniqueKey(a.Call)
	}
	if p.how == howRun {
		return s.run(ctx, p, key, a)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var h *gtf.Handle[Output]
	var err error
	if p.how == howStart {
		h, err = p.kind.def.Start(ctx, s.client, p.in, &gtf.RunOpts{Key: key})
	} else {
		h, err = p.kind.def.Schedule(ctx, s.client, p.in, &gtf.ScheduleOpts{Key: key})
	}
	if err != nil {
		a.Error = err.Error()
		s.journal.Write(a)
		return gtf.ID{}, false
	}
	a.Task, a.Joined = h.ID.String(), h.Joined
	s.journal.Write(a)
	return h.ID, true
}

// run works inline and waits. Only the outcome tells the id.
func (s *submitter) run(ctx context.Context, p *plan, key string, a journal.Event) (gtf.ID, bool) {
	if p.short {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		ctx = short
	}
	out, err := p.kind.def.Run(ctx, s.client, p.in, &gtf.RunOpts{Key: key})
	failed, ok := errors.AsType[*gtf.TaskError](err)
	switch {
	case err == nil:
		a.Task = out.Task
	case ok:
		a.Task = failed.ID.String()
	default:
		a.Error = err.Error()
	}
	s.journal.Write(a)
	if a.Error != "" {
		return gtf.ID{}, false
	}
	w := s.ask(journal.Event{Kind: journal.Wait, Task: a.Task, How: howRun})
	w.Kind = journal.Waited
	outcome(&w, out, err)
	s.journal.Write(w)
	id, err := gtf.ParseID(a.Task)
	return id, err == nil
}

func (s *submitter) callMany(ctx context.Context, by string, items []gtf.Item[Input]) {
	ctx, cancel := context.WithTimeout(actor{by: by}.context(ctx), callTimeout)
	defer cancel()
	answers := make([]journal.Event, len(items))
	for i := range items {
		answers[i] = s.ask(journal.Event{Kind: journal.Submit, Type: quick.Type(), By: by, How: howMany})
		items[i].Opts = &gtf.ScheduleOpts{Key: s.uniqueKey(answers[i].Call)}
	}
	handles, err := quick.ScheduleMany(ctx, s.client, items)
	for i, a := range answers {
		a.Kind = journal.Submitted
		if err != nil {
			a.Error = err.Error()
		} else {
			a.Task, a.Joined = handles[i].ID.String(), handles[i].Joined
			s.remember(handles[i].ID, by)
		}
		s.journal.Write(a)
	}
}

func (s *submitter) cancel(ctx context.Context, id gtf.ID, by actor) {
	ctx, cancel := context.WithTimeout(by.context(ctx), callTimeout)
	defer cancel()
	force := by.admin || by.by == ""
	a := s.ask(journal.Event{Kind: journal.Cancel, Task: id.String(), By: by.by, Force: force})
	a.Kind = journal.Canceled
	a.Task = id.String()
	done, err := s.client.Cancel(ctx, id, &gtf.CancelOpts{Force: force})
	switch {
	case err == nil:
		a.Effect, a.Status = string(done.Effect), string(done.Task.Status)
	case errors.Is(err, gtf.ErrFinished):
		a.Refused = check.RefusedFinished
	case errors.Is(err, gtf.ErrNotAbortable):
		a.Refused = check.RefusedNotAbortable
	case errors.Is(err, gtf.ErrForbidden):
		a.Refused = check.RefusedForbidden
	case errors.Is(err, gtf.ErrNotFound):
		a.Refused = check.RefusedNotFound
	default:
		a.Error = err.Error()
	}
	s.journal.Write(a)
}

// follow waits or watches until there is an outcome. An error of the store ends a wait; then it waits again.
func (s *submitter) follow(ctx context.Context, id gtf.ID, how string, short bool) {
	const pause, moment = 200 * time.Millisecond, 100 * time.Millisecond
	if short {
		limited, cancel := context.WithTimeout(ctx, moment)
		defer cancel()
		ctx = limited
	}
	for {
		a := s.ask(journal.Event{Kind: journal.Wait, Task: id.String(), How: how})
		a.Kind = journal.Waited
		a.Task = id.String()
		if how == followWatch {
			watched(ctx, &a, quick.Attach(s.client, id))
		} else {
			out, err := quick.Attach(s.client, id).Wait(ctx)
			outcome(&a, out, err)
		}
		s.journal.Write(a)
		if a.Error == "" {
			return
		}
		sleep(ctx, pause)
	}
}

// outcome fills in what a wait came back with.
func outcome(a *journal.Event, out Output, err error) {
	if failed, ok := errors.AsType[*gtf.TaskError](err); ok {
		a.Status, a.Reason = string(failed.Status), failed.Reason
		return
	}
	if err != nil {
		refused(a, err)
		return
	}
	result, _ := json.Marshal(out) // strings and numbers always encode
	a.Status, a.Result = string(gtf.StatusSuccess), string(result)
}

// watched follows the changes, which must be in order, to the end.
func watched(ctx context.Context, a *journal.Event, h *gtf.Handle[Output]) {
	var last *gtf.Task
	for task, err := range h.Watch(ctx) {
		if err != nil {
			refused(a, err)
			return
		}
		if last != nil && (task.Version < last.Version || task.Attempt < last.Attempt || last.Status.Terminal()) {
			a.Refused = "a watch that went back"
			return
		}
		last = task
	}
	if last == nil || !last.Status.Terminal() {
		a.Refused = "a watch that ended too early"
		return
	}
	a.Status, a.Reason, a.Result = string(last.Status), last.Error, string(last.Result)
}

func refused(a *journal.Event, err error) {
	_, gaveUp := errors.AsType[*gtf.WaitError](err)
	switch {
	case gaveUp:
		a.Refused = check.RefusedDeadline
	case errors.Is(err, gtf.ErrStopped):
		a.Refused = check.RefusedStopped
	case errors.Is(err, gtf.ErrNotFound):
		a.Refused = check.RefusedNotFound
	default:
		a.Error = err.Error()
	}
}
