package servers_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/servers"
)

// echo is a server that says what it hears, and remembers it.
type echo struct {
	listener net.Listener
	wg       sync.WaitGroup
	heard    chan string // lines
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{listener: l, heard: make(chan string, 1000)}
	e.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			e.wg.Go(func() { e.serve(conn) })
		}
	})
	return e
}

func (e *echo) serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			e.heard <- "end: " + err.Error()
			return
		}
		e.heard <- strings.TrimSpace(line)
		if _, err := conn.Write([]byte(line)); err != nil {
			return
		}
	}
}

type network struct {
	*servers.Proxy
	*echo
}

func startNetwork(t *testing.T) *network {
	t.Helper()
	e := startEcho(t)
	p, err := servers.StartProxy(e.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		p.Stop()
		_ = e.listener.Close()
		e.wg.Wait()
	})
	return &network{p, e}
}

type client struct {
	*net.TCPConn
	lines *bufio.Reader
}

func (n *network) dial(t *testing.T) *client {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	tcp, _ := conn.(*net.TCPConn)
	return &client{tcp, bufio.NewReader(tcp)}
}

func (c *client) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// hear waits for a line at most for long.
func (c *client) hear(long time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(long)); err != nil {
		return "", err
	}
	line, err := c.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

func (c *client) wantLine(t *testing.T, want string) {
	t.Helper()
	if got, err := c.hear(10 * time.Second); err != nil || got != want {
		t.Errorf("the client hears %q (error %v), want %q", got, err, want)
	}
}

func (c *client) wantSilence(t *testing.T) {
	t.Helper()
	if got, err := c.hear(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client hears %q (error %v), want nothing", got, err)
	}
}

func (c *client) wantReset(t *testing.T) {
	t.Helper()
	if got, err := c.hear(10 * time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client hears %q (error %v), want a reset", got, err)
	}
}

func (n *network) wantHeard(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-n.heard:
		if got != want {
			t.Errorf("the server hears %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("the server hears nothing, want %q", want)
	}
}

func (n *network) wantUnheard(t *testing.T) {
	t.Helper()
	select {
	case got := <-n.heard:
		t.Errorf("the server hears %q, want nothing", got)
	default:
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	t.Run("carries bytes both ways, and the end", func(t *testing.T) {
		t.Parallel()
		n := startNetwork(t)
		c := n.dial(t)
		c.say(t, "hello")
		n.wantHeard(t, "hello")
		c.wantLine(t, "hello")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		n.wantHeard(t, "end: EOF")
		if _, err := c.hear(10 * time.Second); !errors.Is(err, io.EOF) {
			t.Errorf("the client ends with %v, want EOF", err)
		}
	})
	t.Run("resets clients of a server that is not there", func(t *testing.T) {
		t.Parallel()
		n := startNetwork(t)
		_ = n.listener.Close()
		n.Cut() // or the reset might come while the client still connects
		c := n.dial(t)
		n.Heal()
		c.wantReset(t)
	})
}

func TestProxyCut(t *testing.T) {
	t.Parallel()
	t.Run("stalls both ways until Heal", func(t *testing.T) {
		t.Parallel()
		n := startNetwork(t)
		c := n.dial(t)
		c.say(t, "before")
		n.wantHeard(t, "before")
		c.wantLine(t, "before")
		for range 3 {
			n.Cut()
			n.Cut()
			c.say(t, "during")
			c.wantSilence(t)
			n.wantUnheard(t)
			n.Heal()
			n.Heal()
			n.wantHeard(t, "during")
			c.wantLine(t, "during")
		}
	})
	t.Run("lets clients connect, who wait", func(t *testing.T) {
		t.Parallel()
		n := startNetwork(t)
		n.Cut()
		c := n.dial(t)
		c.say(t, "hello")
		c.wantSilence(t)
		n.wantUnheard(t)
		n.Heal()
		c.wantLine(t, "hello")
	})
	t.Run("hides that a client has gone", func(t *testing.T) {
		t.Parallel()
		n := startNetwork(t)
		c := n.dial(t)
		c.say(t, "hello")
		c.wantLine(t, "hello")
		n.wantHeard(t, "hello")
		n.Cut()
		_ = c.Close()
		n.dial(t).wantSilence(t) // a while
		n.wantUnheard(t)
		n.Heal()
		n.wantHeard(t, "end: EOF")
	})
	t.Run("stalls a write that is under way, and loses nothing", func(t *testing.T) {
		t.Parallel()
		n := startNetwork(t)
		c := n.dial(t)
		line := append(bytes.Repeat([]byte("x"), 4<<20), '\n')
		wrote := make(chan error)
		go func() {
			_, err := c.Write(bytes.Repeat(line, 4)) // more than all buffers hold
			wrote <- err
		}()
		for range 20 {
			n.Cut()
			n.Heal()
		}
		for i := range 4 {
			if got, err := c.hear(30 * time.Second); err != nil || len(got) != len(line)-1 {
				t.Errorf("line %d has %d bytes (error %v), want %d", i, len(got), err, len(line)-1)
			}
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

func TestProxyCutReplies(t *testing.T) {
	t.Parallel()
	t.Run("lets what is said take effect", func(t *testing.T) {
		t.Parallel()
		n := startNetwork(t)
		c := n.dial(t)
		n.CutReplies()
		c.say(t, "commit")
		n.wantHeard(t, "commit")
		c.wantSilence(t)
		n.Reset()
		c.wantReset(t)
	})
}

func TestProxyReset(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		name := "ends all connections, and new ones work"
		if cut {
			name = "ends stalled connections, and new ones stall"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNetwork(t)
			c := n.dial(t)
			c.say(t, "hello")
			c.wantLine(t, "hello")
			if cut {
				n.Cut()
				c.say(t, "unheard")
			}
			n.Reset()
			c.wantReset(t)
			fresh := n.dial(t)
			fresh.say(t, "hello again")
			if cut {
				fresh.wantSilence(t)
				n.Heal()
			}
			fresh.wantLine(t, "hello again")
		})
	}
}
