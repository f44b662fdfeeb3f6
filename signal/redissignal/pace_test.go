package redissignal

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/redistest"
)

// inBubble runs a test by a clock of its own, with a server in memory and a network to break.
func inBubble(t *testing.T, name string, test func(t *testing.T, s *Signals, net *redistest.Network)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := miniredis.NewMiniRedis()
			net := redistest.NewNetwork(m)
			client := net.Client()
			s := New(client, nil)
			t.Cleanup(func() {
				net.Heal()
				closeSignals(t, s)
				if err := client.Close(); err != nil {
					t.Errorf("Close of the client: %v", err)
				}
				m.Close()
			})
			test(t, s, net)
		})
	})
}

func TestListenByTheClock(t *testing.T) {
	t.Parallel()
	inBubble(t, "sends one message in ten seconds while idle", func(t *testing.T, s *Signals, net *redistest.Network) {
		e := listen(t, s)
		e.linked(t)
		before := net.Commands()
		time.Sleep(time.Hour)
		if n := net.Commands() - before; n < 320 || n > 360 {
			t.Errorf("an idle hour took %d commands, want one in 10 to 11 seconds", n)
		}
		if _, links := e.all(); len(links) != 1 {
			t.Errorf("the listener was told %v, want nil once", links)
		}
		if n := len(net.Dials()); n > 3 {
			t.Errorf("it has connected %d times", n)
		}
	})

	inBubble(t, "notices a dead connection within 16 seconds", func(t *testing.T, s *Signals, net *redistest.Network) {
		e := listen(t, s)
		for range 50 {
			e.linked(t)
			time.Sleep(30 * time.Second)
			cut := time.Now()
			net.Cut()
			err := e.broken(t)
			if took := time.Since(cut); took > 16*time.Second || !strings.Contains(err.Error(), "did not come back within 5s") {
				t.Errorf("told %q after %v", err, took)
			}
			time.Sleep(time.Minute)
			healed := time.Now()
			net.Heal()
			e.linked(t)
			if took := time.Since(healed); took > 15*time.Second {
				t.Errorf("connected %v after the network was back", took)
			}
			goThrough(t, s, e)
		}
	})

	inBubble(t, "tries again for ever, and not too often", func(t *testing.T, s *Signals, net *redistest.Network) {
		net.Refuse()
		e := listen(t, s)
		if err := e.broken(t); !strings.Contains(err.Error(), "refused") {
			t.Errorf("told %q", err)
		}
		time.Sleep(2 * time.Hour)
		dials := net.Dials()
		for i := range dials[1:] {
			if gap := dials[i+1].Sub(dials[i]); gap > 10*time.Second {
				t.Fatalf("paused for %v", gap)
			}
		}
		if n := len(dials); n > 2*2*3600/5 {
			t.Errorf("tried %d times in two hours", n)
		}
		if _, links := e.all(); len(links) != 1 {
			t.Errorf("the listener was told %v, want one error", links)
		}
		net.Heal()
		healed := time.Now()
		e.linked(t)
		if took := time.Since(healed); took > 10*time.Second {
			t.Errorf("connected %v after the server was back", took)
		}
		goThrough(t, s, e)

		time.Sleep(time.Minute)
		net.Refuse()
		_ = e.broken(t)
		net.Heal()
		healed = time.Now()
		e.linked(t)
		if took := time.Since(healed); took > time.Second {
			t.Errorf("connected %v after a short outage, want the pauses to begin anew", took)
		}
	})

	inBubble(t, "returns at once while the server is silent", func(t *testing.T, s *Signals, net *redistest.Network) {
		net.Cut()
		for _, after := range []time.Duration{0, time.Millisecond, time.Second, 6 * time.Second, time.Minute} {
			e := listen(t, s)
			time.Sleep(after)
			began := time.Now()
			e.stop()
			if took := time.Since(began); took > 0 {
				t.Errorf("stopped after %v, Listen returned %v later", after, took)
			}
		}
		net.Heal()
		connected := listen(t, s)
		connected.linked(t)
		net.Cut()
		began := time.Now()
		connected.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("once connected, Listen returned %v later", took)
		}
	})

	inBubble(t, "goes on after Close until its context ends", func(t *testing.T, s *Signals, _ *redistest.Network) {
		e := listen(t, s)
		e.linked(t)
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			closeSignals(t, s)
		}()
		_ = e.broken(t)
		e.stop()
		<-closed
	})
}

func TestPublishByTheClock(t *testing.T) {
	t.Parallel()
	batch := []gtf.Signal{{Kind: gtf.SignalAny}}
	inBubble(t, "takes five seconds at most", func(t *testing.T, s *Signals, net *redistest.Network) {
		for range 3 {
			if err := s.Publish(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			net.Cut()
			began := time.Now()
			err := s.Publish(t.Context(), batch)
			if took := time.Since(began); err == nil || took > 5*time.Second {
				t.Errorf("Publish to a silent server returned %v after %v", err, took)
			}
			net.Heal()
		}
	})
	inBubble(t, "returns when its context ends", func(t *testing.T, s *Signals, net *redistest.Network) {
		net.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := s.Publish(ctx, batch)
		if took := time.Since(began); err == nil || took > 10*time.Millisecond {
			t.Errorf("Publish returned %v after %v", err, took)
		}
	})
}
