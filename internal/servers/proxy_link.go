package servers

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// link is a client's connection and the one to the server that belongs to it. The proxy's lock guards it.
type link struct {
	done   <-chan struct{} // closed by a reset
	cancel context.CancelFunc
	conns  []net.Conn
	flows  []*flow
}

func (l *link) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// reset lets both sides know at once, whatever they have not read yet.
func (l *link) reset() {
	l.cancel()
	for _, conn := range l.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // as are those below: only on one that is closed already
		}
	}
	l.close()
}

func (l *link) close() {
	for _, conn := range l.conns {
		_ = conn.Close()
	}
}

// flow is one direction of a link.
type flow struct {
	gate     *gate
	src, dst net.Conn
	writing  sync.Mutex
}

// write returns when everything is written, however long the gate is shut; false if that cannot be.
func (f *flow) write(b []byte, done <-chan struct{}) bool {
	for len(b) > 0 {
		if !f.gate.wait(done) {
			return false
		}
		n, err := f.try(b)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		b = b[n:]
	}
	return true
}

func (f *flow) try(b []byte) (int, error) {
	f.writing.Lock()
	defer f.writing.Unlock()
	if f.gate.isShut() {
		return 0, nil
	}
	return f.dst.Write(b)
}

// interrupt ends the write that is under way, if there is one. The gate is shut, so no other begins.
func (f *flow) interrupt() {
	_ = f.dst.SetWriteDeadline(time.Unix(1, 0)) // fails only if there is nothing to interrupt
	f.writing.Lock()
	defer f.writing.Unlock()
	_ = f.dst.SetWriteDeadline(time.Time{})
}

// finish hands on that one side has no more to say, or is gone.
func (p *Proxy) finish(l *link, f *flow, err error) {
	if !errors.Is(err, io.EOF) {
		p.end(l)
		return
	}
	p.through(l, func() {
		if half, ok := f.dst.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // the other side may be gone
		}
	}, f.gate)
}

// end resets the link when the news can reach both sides.
func (p *Proxy) end(l *link) { p.through(l, l.reset, p.up, p.down) }

// through acts once the gates are open, unless the link ends before.
func (p *Proxy) through(l *link, act func(), gates ...*gate) {
	for {
		for _, g := range gates {
			if !g.wait(l.done) {
				return
			}
		}
		if p.tryThrough(act, gates) {
			return
		}
	}
}

func (p *Proxy) tryThrough(act func(), gates []*gate) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range gates {
		if g.isShut() {
			return false
		}
	}
	act()
	return true
}

// gate is what the bytes of one direction pass, if it is open.
type gate struct {
	mu     sync.Mutex
	passes chan struct{} // closed while the gate is open
}

func newGate() *gate {
	g := &gate{passes: make(chan struct{})}
	close(g.passes)
	return g
}

func (g *gate) state() chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.passes
}

// wait returns true when the gate is open, or false when done.
func (g *gate) wait(done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	case <-g.state():
		return true
	}
}

func (g *gate) isShut() bool {
	select {
	case <-g.state():
		return false
	default:
		return true
	}
}

func (g *gate) shut() {
	if !g.isShut() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.passes = make(chan struct{})
	}
}

func (g *gate) open() {
	if g.isShut() {
		close(g.state())
	}
}
