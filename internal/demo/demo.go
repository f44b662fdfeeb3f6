// Package demo shows gtf at work: three people give one worker, a program of its own, real tasks, and watch them until they
// end. It says what happens and why, checks what has come out, and leaves nothing behind.
//
//	demo.go    from the first line to the last
//	stage.go   what is needed: a directory, a database, a worker, material to work on
//	story.go   who does what, scene by scene
//	board.go   follows the tasks and shows them: live.go on a terminal, plain.go elsewhere
//	lists.go   what each person sees in the end
//	checks.go  whether everything is as it should be
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Options says how to play.
type Options struct {
	// Binary is the gtf program; the worker is its command "worker".
	Binary string
	// Dir is summed if it is a repository; otherwise the directory of Binary is.
	Dir string
	// Fast makes the pauses and the work shorter. Default false.
	Fast bool
	// Keep leaves the temporary directory. Default false.
	Keep bool
	// Out is drawn on if it is a terminal; otherwise it gets a line for each change.
	Out io.Writer
}

// limit is far more than the demo takes: what is not over by then hangs.
const limit = 5 * time.Minute

// interrupted says that the caller's context has ended the demo.
type interrupted struct{}

func (interrupted) Error() string { return "interrupted" }
func (interrupted) Unwrap() error { return context.Canceled }

// Run plays the demo. The error names everything that is not as it should be; it is a [context.Canceled] if the caller's
// context has ended. However it ends, the worker has been stopped and waited for, and the directory is gone.
func Run(caller context.Context, o Options) (err error) {
	ctx, stop := context.WithTimeoutCause(caller, limit, fmt.Errorf("not over after %s", limit))
	defer stop()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	screen := screenOf(o.Out)
	b := newBoard(screen, fail)
	s, err := openStage(ctx, b, o, fail)
	if err == nil {
		err = s.play(ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // the rest of what went wrong follows from that
	}
	if caller.Err() != nil {
		err = interrupted{}
		b.say("", "interrupted: stopping the worker")
	}
	unfinished := b.unfinished()
	b.close(fail)
	s.lastWords = s.worker.lastWords(5)
	if closing := s.close(); errors.Is(closing, err) { // that the worker is lost, for instance, is told twice
		err = closing
	} else {
		err = errors.Join(err, closing)
	}
	if err != nil {
		if caller.Err() == nil {
			s.explain(screen, unfinished)
		}
		return err
	}
	s.goodbye(screen)
	return nil
}

// play is the demo itself, once everything is there.
func (s *stage) play(ctx context.Context) error {
	if err := s.perform(ctx); err != nil {
		return err
	}
	if err := s.board.untilOver(ctx); err != nil {
		return err
	}
	s.board.close(nil)
	lists, err := s.lists(ctx)
	if err != nil {
		return err
	}
	s.showLists(lists)
	return s.check(ctx, lists)
}
