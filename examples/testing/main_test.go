package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
)

// fakeMail is a mailer that does what a test wants.
type fakeMail func(ctx context.Context, to, text string) error

// Send calls the function.
func (f fakeMail) Send(ctx context.Context, to, text string) error { return f(ctx, to, text) }

func TestSend(t *testing.T) {
	t.Parallel()
	t.Run("sends every item, without gtf", func(t *testing.T) {
		t.Parallel()
		var sent []string
		d := &digester{items: []string{"one", "two"}, mail: fakeMail(func(_ context.Context, _, text string) error {
			sent = append(sent, text)
			return nil
		})}
		n, err := d.send(t.Context(), "ada@example.com") // an ordinary function: outside a task, reports go nowhere
		if err != nil || n != 2 || len(sent) != 2 {
			t.Errorf("sent %v, output %d, error %v, want two items", sent, n, err)
		}
	})

	t.Run("succeeds as a task and says how far it is", func(t *testing.T) {
		t.Parallel()
		d := &digester{items: []string{"one", "two"}, mail: fakeMail(func(context.Context, string, string) error { return nil })}
		client := gtftest.New(t, Digest.Handler(d.send))
		h, err := Digest.Schedule(t.Context(), client, "ada@example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := gtftest.Wait(t, h); n != 2 {
			t.Errorf("output %d, want 2", n)
		}
		task, err := client.Get(t.Context(), h.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := task.Progress.String(), "2 of 2 (100%)"; got != want {
			t.Errorf("progress %q, want %q", got, want)
		}
	})

	t.Run("is tried again after a minute or so", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fails := 2
			d := &digester{items: []string{"one"}, mail: fakeMail(func(context.Context, string, string) error {
				if fails--; fails >= 0 {
					return errors.New("the server is away")
				}
				return nil
			})}
			client := gtftest.New(t, Digest.Handler(d.send))
			began := time.Now()
			h, err := Digest.Schedule(t.Context(), client, "ada@example.com", nil)
			if err != nil {
				t.Fatal(err)
			}
			gtftest.Wait(t, h)
			if took := time.Since(began); took < 90*time.Second || took > 3*time.Minute {
				t.Errorf("two pauses took %v, want 90 s to 3 min", took) // of the bubble's clock
			}
		})
	})

	t.Run("ends at its time limit, and is not tried again", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := &digester{items: []string{"one"}, mail: fakeMail(func(ctx context.Context, _, _ string) error {
				<-ctx.Done() // a server that never answers
				return context.Cause(ctx)
			})}
			rec := &gtftest.Recorder{}
			client := gtftest.Start(t, &gtf.Config{Handlers: []gtf.Handler{Digest.Handler(d.send)}, Observer: rec})
			h, err := Digest.Schedule(t.Context(), client, "ada@example.com", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Wait(t.Context()); !errors.Is(err, gtf.ErrTimedOut) {
				t.Errorf("Wait returned %v, want ErrTimedOut", err)
			}
			if started := len(rec.Events(gtf.EventStarted)); started != 1 {
				t.Errorf("it was started %d times, want once", started)
			}
		})
	})

	t.Run("is not tried again without an address", func(t *testing.T) {
		t.Parallel()
		client := gtftest.New(t, Digest.Handler((&digester{}).send))
		h, err := Digest.Schedule(t.Context(), client, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		task := gtftest.WaitStatus(t, client, h.ID, gtf.StatusFailure)
		if got, want := task.Error, "the address is empty"; got != want || task.Attempt != 1 {
			t.Errorf("error %q after %d attempts, want %q after one", got, task.Attempt, want)
		}
	})

	t.Run("stops when somebody cancels it", func(t *testing.T) {
		t.Parallel()
		d := &digester{items: []string{"one"}, mail: fakeMail(func(ctx context.Context, _, _ string) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})}
		client := gtftest.New(t, Digest.Handler(d.send))
		h, err := Digest.Schedule(t.Context(), client, "ada@example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		gtftest.WaitStatus(t, client, h.ID, gtf.StatusInProgress)
		if _, err := h.Cancel(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Wait(t.Context()); !errors.Is(err, gtf.ErrAborted) {
			t.Errorf("Wait returned %v, want ErrAborted", err)
		}
	})
}
