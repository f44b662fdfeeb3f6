package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy is a network between clients and a server that can fail. Its methods may be called concurrently.
type Proxy struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex // held while connections are made to notice the gates, or to end
	up, down *gate      // to the server, to the client
	links    map[*link]bool
	over     bool
}

// StartProxy listens on a free port and connects whoever comes to target, a host:port.
func StartProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // takes no time
	if err != nil {
		return nil, fmt.Errorf("start a proxy before %s: %w", target, err)
	}
	p := &Proxy{target: target, listener: listener, up: newGate(), down: newGate(), links: map[*link]bool{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is host:port for clients.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut stalls everything, as if all packets were dropped. Once it has returned no byte passes, and no end of a connection
// either; new connections are accepted, and silent.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut(p.up)
	p.shut(p.down)
}

// CutReplies stalls only what the server says: what a client sends still has its effect.
func (p *Proxy) CutReplies() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut(p.down)
}

// Heal lets flow what was stalled; new connections reach the server.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up.open()
	p.down.open()
}

// Reset ends all connections at once, on both sides. Those that come afterwards fare as the network is.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Stop resets all connections, frees the port and waits for its goroutines. It may be called again.
func (p *Proxy) Stop() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	_ = p.listener.Close() // a second time is no concern
	p.Reset()
	p.wg.Wait()
}

// shut returns when no write is under way.
func (p *Proxy) shut(g *gate) {
	g.shut()
	for l := range p.links {
		for _, f := range l.flows {
			if f.gate == g {
				f.interrupt()
			}
		}
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // for one, out of descriptors
			continue
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve is the life of a connection.
func (p *Proxy) serve(client net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := &link{done: ctx.Done(), cancel: cancel, conns: []net.Conn{client}}
	if !p.add(l) {
		l.reset()
		return
	}
	defer p.remove(l)
	if !p.up.wait(l.done) {
		return
	}
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		p.end(l)
		return
	}
	up := &flow{gate: p.up, src: client, dst: server}
	down := &flow{gate: p.down, src: server, dst: client}
	if !p.join(l, server, up, down) {
		return
	}
	var wg sync.WaitGroup
	for _, f := range l.flows {
		wg.Go(func() { p.carry(l, f) })
	}
	wg.Wait()
}

// carry takes bytes from one side to the other until the first has no more.
func (p *Proxy) carry(l *link, f *flow) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := f.src.Read(buffer)
		if n > 0 && !f.write(buffer[:n], l.done) {
			p.end(l)
			return
		}
		if err != nil {
			p.finish(l, f, err)
			return
		}
	}
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return false
	}
	p.links[l] = true
	return true
}

// join fails if the connection was reset while the server was dialed.
func (p *Proxy) join(l *link, server net.Conn, flows ...*flow) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.conns = append(l.conns, server)
	l.flows = flows
	if l.ended() {
		l.reset()
		return false
	}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	l.close()
}
