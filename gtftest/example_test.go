package gtftest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
)

// What the application has: a definition, and a handler with its dependencies.
var greeting = gtf.Define[string, string]("example.greeting", &gtf.DefineOpts[string]{
	Abortable: true,
	Scope:     gtf.ScopeSystem,
	Timeout:   10 * time.Minute,
})

type greeter struct{ salute string }

func (g *greeter) greet(ctx context.Context, name string) (string, error) {
	if name == "" {
		<-ctx.Done() // nobody to greet: waits for its time limit
		return "", context.Cause(ctx)
	}
	return g.salute + ", " + name, nil
}

// A test of the handler as a worker runs it.
func TestExample(t *testing.T) {
	t.Parallel()
	g := &greeter{salute: "Hello"}
	client := gtftest.New(t, greeting.Handler(g.greet))
	h, err := greeting.Schedule(t.Context(), client, "Ada", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := gtftest.Wait(t, h), "Hello, Ada"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A test of what takes ten minutes, by the clock of a bubble.
func TestExampleInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &greeter{salute: "Hello"}
		rec := &gtftest.Recorder{}
		client := gtftest.Start(t, &gtf.Config{Handlers: []gtf.Handler{greeting.Handler(g.greet)}, Observer: rec})
		h, err := greeting.Schedule(t.Context(), client, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Wait(t.Context()); !errors.Is(err, gtf.ErrTimedOut) {
			t.Errorf("Wait returned %v, want ErrTimedOut", err)
		}
		synctest.Wait()
		path := rec.Transitions(h.ID)
		if len(path) != 4 || path[2] != gtf.StatusAborting || path[3] != gtf.StatusTimedOut {
			t.Errorf("the task went through %v, want it aborting and then timed out", path)
		}
	})
}
