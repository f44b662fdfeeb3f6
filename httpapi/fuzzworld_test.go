package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/httpapi/internal/apitest"
)

// fuzzInput says what becomes of a task, and carries its mark.
type fuzzInput struct{ Mark, End string }

// The ends that a task of the fuzzed API can have. Those that wait are ended by the test or by a cancel.
const (
	endSuccess  = "success"
	endFailure  = "failure"
	endPanic    = "panic"
	endTimeout  = "timeout"
	endWait     = "wait"     // until it is aborted
	endStuck    = "stuck"    // until the test ends: it cannot be aborted
	endAborting = "aborting" // does not heed its abort
	endRetry    = "retry"    // pending again, after an attempt
	endPending  = "pending"  // nobody works on it
)

var fuzzEnds = []string{endSuccess, endFailure, endPanic, endTimeout, endWait, endStuck, endAborting, endRetry, endPending, endPending}

var perClientFuzz = gtf.Define[fuzzInput, string]("fuzz.per_client", &gtf.DefineOpts[fuzzInput]{Scope: gtf.ScopeShared, PerClient: true})

var fuzzTypes = []*gtf.Definition[fuzzInput, string]{
	gtf.Define[fuzzInput, string]("fuzz.private", nil),
	gtf.Define[fuzzInput, string]("fuzz.private_too", nil),
	gtf.Define[fuzzInput, string]("fuzz.shared", &gtf.DefineOpts[fuzzInput]{Scope: gtf.ScopeShared}),
	perClientFuzz,
	gtf.Define[fuzzInput, string]("fuzz.system", &gtf.DefineOpts[fuzzInput]{Scope: gtf.ScopeSystem}),
}

// fuzzWorld is an API in front of tasks of every scope, status and person, and what must not be seen by whom.
type fuzzWorld struct {
	t       *testing.T
	random  *rand.Rand
	client  *gtf.Client
	handler http.Handler
	release chan struct{} // closed when the test ends

	tokens map[string]auth.Identity // by token; the empty one is nobody
	names  []string                 // of the tokens
	tasks  []*fuzzTask
	busy   int // tasks that hold a slot until the test ends
}

// fuzzTask is a task as it was when it was last looked at. What it has to hide carries its mark.
type fuzzTask struct {
	*gtf.Task
	mark string
}

func newFuzzWorld(t *testing.T, random *rand.Rand) *fuzzWorld {
	w := &fuzzWorld{t: t, random: random, release: make(chan struct{}), tokens: map[string]auth.Identity{}}
	maps.Copy(w.tokens, everybody())
	w.tokens["viewer"] = auth.Identity{Principal: grace, Read: true, Method: "test"}
	w.tokens["blind"] = auth.Identity{Principal: alan, Write: true, Method: "test"}
	w.tokens["limited"] = auth.Identity{Principal: guest, Read: true, Write: true, Types: []string{"fuzz.shared"}, Method: "test"}
	w.tokens["nothing"] = auth.Identity{Principal: ada, Read: true, Write: true, Types: []string{}, Method: "test"}
	cfg := &gtf.Config{Queues: map[string]int{runningQueue: 300}, Logger: slog.New(slog.DiscardHandler)}
	for _, def := range fuzzTypes {
		cfg.Handlers = append(cfg.Handlers, def.Handler(w.work))
	}
	w.client = gtftest.Start(t, cfg)
	known := tokens{}
	for name, who := range w.tokens {
		known[name] = who
		w.names = append(w.names, name)
	}
	w.names = append(w.names, "", "unknown")
	slices.Sort(w.names)
	api, err := httpapi.New(w.client, &httpapi.Options{Authenticator: known, CancelRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = apitest.Check(t, api)
	t.Cleanup(func() {
		close(w.release)
		api.Close()
	})
	return w
}

func (w *fuzzWorld) work(ctx context.Context, in fuzzInput) (string, error) {
	x := gtf.FromContext(ctx)
	x.Logger().Info("began", "mark", "log-"+in.Mark)
	x.Progress(3, 7)
	if err := x.Payload(map[string]any{"note": "payload-" + in.Mark}); err != nil {
		return "", err
	}
	switch in.End {
	case endFailure:
		return "", errors.New("error-" + in.Mark)
	case endPanic:
		panic("error-" + in.Mark)
	case endRetry:
		return "", errors.New("error-" + in.Mark)
	case endTimeout, endWait:
		x.OnAbort(func(context.Context) error { return nil })
		<-ctx.Done()
		return "", context.Cause(ctx)
	case endAborting:
		x.OnAbort(func(context.Context) error { return nil })
		<-w.release
	case endStuck:
		<-w.release
	}
	return "result-" + in.Mark, nil
}

// add schedules a task of a random kind. It does not wait for it.
func (w *fuzzWorld) add() {
	w.t.Helper()
	def := fuzzTypes[w.random.IntN(len(fuzzTypes))]
	end := fuzzEnds[w.random.IntN(len(fuzzEnds))]
	if end == endStuck || end == endAborting || end == endWait {
		if w.busy++; w.busy > 250 {
			end = endPending
		}
	}
	mark := fmt.Sprintf("%08x", w.random.Uint32())
	opts := &gtf.ScheduleOpts{Key: "key-" + mark, Name: "name-" + mark, Queue: runningQueue}
	switch end {
	case endPending:
		opts.Queue, opts.Priority = "nobody", 1+w.random.IntN(9)
	case endTimeout:
		opts.Timeout = time.Millisecond
	case endRetry:
		opts.MaxAttempts = 3
	}
	if def == perClientFuzz {
		opts.Client = "tab-1"
	}
	people := []gtf.Principal{ada, grace, alan, guest, root}
	w.random.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	if strings.HasPrefix(def.Type(), "fuzz.private") { // another's would be another task
		people = people[:1]
	}
	var id gtf.ID
	for _, p := range people[:1+w.random.IntN(len(people))] {
		h, err := def.Schedule(gtf.WithPrincipal(w.t.Context(), p), w.client, fuzzInput{mark, end}, opts)
		if err != nil {
			w.t.Fatal(err)
		}
		if !id.IsZero() && h.ID != id { // the first had ended when the next one came
			w.note(id, mark)
		}
		id = h.ID
	}
	w.note(id, mark)
}

// note remembers a task as it is.
func (w *fuzzWorld) note(id gtf.ID, mark string) {
	t, err := w.client.Get(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.tasks = append(w.tasks, &fuzzTask{t, mark})
}

// again looks again at who follows a task.
func (w *fuzzWorld) again(id string) {
	for _, t := range w.tasks {
		if t.ID.String() == id {
			now, err := w.client.Get(context.Background(), t.ID)
			if err != nil {
				w.t.Fatal(err)
			}
			t.Task = now
		}
	}
}

// settle waits until nothing but what waits for the test goes on.
func (w *fuzzWorld) settle() {
	for _, t := range w.tasks {
		for now, err := range fuzzTypes[0].Attach(w.client, t.ID).Watch(w.t.Context()) {
			if err != nil {
				w.t.Fatal(err)
			}
			if now.Status != gtf.StatusPending || now.Queue == "nobody" || now.Attempt > 0 {
				break
			}
		}
	}
}

// viewer is what the owner of a token sees; nil if it is everything or nobody.
func (w *fuzzWorld) viewer(token string) *gtf.Viewer {
	who, known := w.tokens[token]
	if !known || who.Principal.Admin {
		return nil
	}
	return &gtf.Viewer{Kind: who.Principal.Kind, ID: who.Principal.ID, Types: who.Types}
}

var fuzzTypeNames = regexp.MustCompile(`fuzz\.[a-z_]+`)

// leaks finds what an answer shows that the owner of a token may not see. What the request itself has said is no news.
func (w *fuzzWorld) leaks(token, asked, answered string) (found []string) {
	v := w.viewer(token)
	if v == nil {
		return nil
	}
	seen := map[string]bool{} // ids, marks, types and names that may be shown
	for _, t := range w.tasks {
		if v.Sees(t.Task) {
			seen[t.mark], seen[t.ID.String()], seen[t.Type] = true, true, true
			seen[t.CreatedBy.Name] = true
			for _, s := range t.Subscribers {
				seen[s.Name] = true
			}
		}
	}
	known := func(what string) bool { return seen[what] || strings.Contains(asked, what) }
	for _, t := range w.tasks {
		for _, secret := range []string{t.mark, t.ID.String()} {
			if strings.Contains(answered, secret) && !known(secret) {
				found = append(found, secret)
			}
		}
	}
	for _, typ := range fuzzTypeNames.FindAllString(answered, -1) {
		if !known(typ) {
			found = append(found, typ)
		}
	}
	for _, p := range []gtf.Principal{ada, grace, alan, guest} { // root's name stays on what it has aborted
		if strings.Contains(answered, p.Name) && !known(p.Name) && (p.Kind != v.Kind || p.ID != v.ID) {
			found = append(found, p.Name)
		}
	}
	return found
}

// visible counts what the owner of a token sees; all for an admin.
func (w *fuzzWorld) visible(token string) int {
	v := w.viewer(token)
	n := 0
	for _, t := range w.tasks {
		if v == nil || v.Sees(t.Task) {
			n++
		}
	}
	return n
}
