package redistest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Network is a way to a miniredis in memory that can fail, for synctest bubbles: all of its waiting is on channels.
type Network struct {
	server *miniredis.Miniredis

	mu     sync.Mutex
	passes chan struct{} // closed while bytes pass
	refuse bool
	dials  []time.Time
	conns  []net.Conn
}

// NewNetwork makes a network that works.
func NewNetwork(m *miniredis.Miniredis) *Network {
	n := &Network{server: m, passes: make(chan struct{})}
	close(n.passes)
	return n
}

// Client makes a client that connects through the network.
func (n *Network) Client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Dialer:                   func(context.Context, string, string) (net.Conn, error) { return n.dial() },
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DialerRetries:            1,
		ContextTimeoutEnabled:    true,
	})
}

// Cut stalls everything, as if packets were dropped: connections are accepted and silent.
func (n *Network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.passes = make(chan struct{})
}

// Refuse ends all connections and allows no new ones.
func (n *Network) Refuse() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = true
	for _, c := range n.conns {
		_ = c.Close() // may be closed
	}
	n.conns = nil
}

// Heal lets everything flow.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = false
	select {
	case <-n.passes:
	default:
		close(n.passes)
	}
}

// Commands is how many the server has carried out.
func (n *Network) Commands() int { return n.server.CommandCount() }

// Dials tells when somebody connected, or tried to.
func (n *Network) Dials() []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

var errRefused = errors.New("connection refused")

func (n *Network) dial() (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials = append(n.dials, time.Now())
	if n.refuse {
		return nil, errRefused
	}
	far, err := n.server.Dial()
	if err != nil {
		return nil, err
	}
	client, near := net.Pipe()
	n.conns = append(n.conns, near, far)
	go n.carry(near, far)
	go n.carry(far, near)
	return pipe{client}, nil
}

// pipe has the errors of a socket, as go-redis knows them.
type pipe struct{ net.Conn }

// Write ends like one to a socket that the other side has closed.
func (p pipe) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = io.EOF
	}
	return n, err
}

// carry takes bytes to the other side until one of them is closed.
func (n *Network) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		count, err := from.Read(buffer)
		n.mu.Lock()
		passes := n.passes
		n.mu.Unlock()
		<-passes
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:count]); err != nil {
			return
		}
	}
}
