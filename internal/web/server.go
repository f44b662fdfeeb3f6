package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ServerOptions of [Serve].
type ServerOptions struct {
	// Certificate makes it a server of HTTPS. Default: HTTP.
	Certificate *Certificate
	// Failed is told, once, if the server ends without being stopped. Default: nobody is.
	Failed func(error)
	// HeaderTimeout is how long a header may take to arrive. Default 5 s.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request. Default two minutes.
	IdleTimeout time.Duration
	// Logger takes what the server has to say of itself and of connections. Default: nothing is said.
	Logger *slog.Logger
	// MaxConnections open at once; others wait until one is closed. Default: no limit.
	MaxConnections int
	// MaxHeader is about how large the header of a request may be, in bytes. Default 32 KiB.
	MaxHeader int
	// ReadTimeout is how long a whole request may take to arrive. Default 15 s.
	ReadTimeout time.Duration
	// WriteTimeout is how long an answer may take to be made and taken. A handler that streams moves its deadline on by
	// [http.ResponseController.SetWriteDeadline]. Default 30 s.
	WriteTimeout time.Duration
}

// Server answers on one listener until it is stopped.
type Server struct {
	http *http.Server
	end  context.CancelFunc
	done chan struct{}
}

// Serve answers on a listener, which the server closes. Stop it.
func Serve(l net.Listener, h http.Handler, o ServerOptions) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base, end := context.WithCancel(context.Background())
	write := or(o.WriteTimeout, 30*time.Second)
	s := &Server{
		http: &http.Server{
			Handler:           h,
			BaseContext:       func(net.Listener) context.Context { return base },
			ErrorLog:          log.New(serverLog{o.Logger}, "", 0),
			IdleTimeout:       or(o.IdleTimeout, 2*time.Minute),
			MaxHeaderBytes:    or(o.MaxHeader, 32<<10),
			ReadHeaderTimeout: or(o.HeaderTimeout, 5*time.Second),
			ReadTimeout:       or(o.ReadTimeout, 15*time.Second),
			WriteTimeout:      write,
			HTTP2:             &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: write},
		},
		end: end, done: make(chan struct{}),
	}
	if o.MaxConnections > 0 {
		c := &crowd{Listener: l, places: make(chan struct{}, o.MaxConnections), closed: make(chan struct{})}
		l, s.http.ConnState = c, c.state
	}
	go func() {
		defer close(s.done)
		if err := s.serve(l, o.Certificate); !errors.Is(err, http.ErrServerClosed) && o.Failed != nil {
			o.Failed(fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	}()
	return s
}

func (s *Server) serve(l net.Listener, cert *Certificate) error {
	if cert == nil {
		return s.http.Serve(l)
	}
	s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get}
	return s.http.ServeTLS(l, "", "")
}

// Leave has clients come back by new connections, which may lead elsewhere: the present ones end with their next answer.
func (s *Server) Leave() { s.http.SetKeepAlivesEnabled(false) }

// Stop takes no more connections and lets the requests that are being answered finish. At the end of ctx their contexts and
// connections end.
func (s *Server) Stop(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // of connections that are to go
	}
	s.end()
	<-s.done
}

func or[T ~int | ~int64](given, usual T) T {
	if given == 0 {
		return usual
	}
	return given
}

// serverLog is where net/http writes: at debug, since anybody can cause a line, unless it cannot go on.
type serverLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (s serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(strings.TrimPrefix(string(line), "http: "))
	if strings.HasPrefix(text, "Accept error") {
		s.log.Warn("cannot take connections; will try again", "error", text)
	} else {
		s.log.Debug("connection failed", "error", text)
	}
	return len(line), nil
}

// crowd is a listener that lets in so many connections at once. Those that leave are noticed by the state of connections
// rather than by wrapping them, which would hide what else a connection can do.
type crowd struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	select {
	case c.places <- struct{}{}:
	case <-c.closed:
		return nil, net.ErrClosed
	}
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.places
	}
	return conn, err
}

// Close implements net.Listener.
func (c *crowd) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

func (c *crowd) state(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed || s == http.StateHijacked {
		<-c.places
	}
}
