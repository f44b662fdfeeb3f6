package redissignal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globaltask/gtf"
)

// Listen has a connection of its own. It calls l from the goroutine that called Listen only.
func (s *Signals) Listen(ctx context.Context, l gtf.Listener) {
	link := &link{Listener: l}
	for pause := s.pace.again; ; pause = min(2*pause, s.pace.rest) {
		began := time.Now()
		err := s.session(ctx, link)
		if ctx.Err() != nil {
			return
		}
		link.tell(fmt.Errorf("redis: %w", err))
		if time.Since(began) > s.pace.rest {
			pause = s.pace.again // it was connected for a while, or it took its time to fail
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): // others do the same
		case <-ctx.Done():
			return
		}
	}
}

// link is a listener who is told about the connection only what is new.
type link struct {
	gtf.Listener
	told  bool
	state string // the text of the error, or empty
}

func (l *link) tell(err error) {
	state := ""
	if err != nil {
		state = err.Error()
	}
	if l.told && l.state == state {
		return
	}
	l.told, l.state = true, state
	l.Link(err)
}

// session is one connection of a listener, from the subscription until something breaks.
type session struct {
	s     *Signals
	own   string // a channel of this session alone, for its tests
	heard chan any
	wrong chan error

	confirmed int         // channels
	number    int         // of the test that was sent last
	awaited   string      // what has to come before the timer fires; empty while nothing has to
	timer     *time.Timer // for what is awaited, or until the next test
}

// session connects, and hands on what arrives. It returns why that came to an end.
func (s *Signals) session(ctx context.Context, l *link) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &session{
		s: s, own: s.channel + ":" + gtf.NewID().String(), heard: make(chan any, 16), wrong: make(chan error),
		awaited: "the subscription is not confirmed", timer: time.NewTimer(s.pace.patience),
	}
	defer x.timer.Stop()
	if err := s.client.Go(func(r redis.UniversalClient) { x.receive(ctx, r) }); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-x.wrong:
			return err
		case <-x.timer.C:
			if x.awaited != "" {
				return fmt.Errorf("%s within %v", x.awaited, s.pace.patience)
			}
			if err := x.test(ctx); err != nil {
				return err
			}
		case m := <-x.heard:
			if err := x.take(ctx, m, l); err != nil {
				return err
			}
		}
	}
}

// receive subscribes and reads until the session ends. What waits for a silent server to connect may outlast it.
func (x *session) receive(ctx context.Context, r redis.UniversalClient) {
	sub := r.Subscribe(ctx, x.s.channel, x.own)
	m, err := sub.ReceiveTimeout(ctx, x.s.pace.patience) // connects again if need be, and Close would wait for that
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // ends a read below
		defer close(closed)
		_ = sub.Close()
	})
	defer func() {
		if stop() {
			_ = sub.Close()
		} else {
			<-closed
		}
	}()
	for ; err == nil; m, err = sub.Receive(ctx) {
		select {
		case x.heard <- m:
		case <-ctx.Done():
			return
		}
	}
	x.fail(ctx, fmt.Errorf("listen: %w", err))
}

// test sends a message to the session's own channel, on the way that signals take.
func (x *session) test(ctx context.Context) error {
	x.number++
	x.awaited = "a test message did not come back"
	x.timer.Reset(x.s.pace.patience)
	text := strconv.Itoa(x.number)
	return x.s.client.Go(func(r redis.UniversalClient) {
		if err := r.Publish(ctx, x.own, text).Err(); err != nil {
			x.fail(ctx, fmt.Errorf("send a test message: %w", err))
		}
	})
}

// fail ends the session, unless it ends already.
func (x *session) fail(ctx context.Context, err error) {
	select {
	case x.wrong <- err:
	case <-ctx.Done():
	}
}

// errRenewed is a connection that go-redis has replaced by itself: what was sent meanwhile is lost.
var errRenewed = errors.New("the connection was lost for a moment")

func (x *session) take(ctx context.Context, m any, l *link) error {
	switch m := m.(type) {
	case *redis.Subscription:
		x.confirmed++
		if x.confirmed > 2 {
			return errRenewed
		}
		if x.confirmed == 2 {
			return x.test(ctx)
		}
	case *redis.Message:
		switch {
		case m.Channel == x.own && m.Payload == strconv.Itoa(x.number):
			x.awaited = ""
			x.timer.Reset(x.s.pace.test + rand.N(x.s.pace.test/10))
			l.tell(nil)
		case m.Channel == x.s.channel && strings.HasPrefix(m.Payload, "="): // what we write; anything else is not ours
			batch, _ := gtf.DecodeSignals(m.Payload) // what cannot be read is of strangers, too
			for _, s := range batch {
				l.Signal(s)
			}
		}
	}
	return nil
}
