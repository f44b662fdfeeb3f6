package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/web"
)

// serve runs a server until the end of the test.
func serve(t *testing.T, h http.Handler, o web.ServerOptions) (*web.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := web.Serve(l, h, o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.Stop(ctx)
	})
	return s, l.Addr().String()
}

// dial is a client that may be rude.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn net.Conn) reply {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

const short = 50 * time.Millisecond

func TestServer(t *testing.T) {
	t.Parallel()
	t.Run("does not wait for a header that never ends", func(t *testing.T) {
		t.Parallel()
		_, address := serve(t, http.HandlerFunc(hello), web.ServerOptions{HeaderTimeout: short})
		conn := dial(t, address)
		send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection is still open")
		}
	})

	t.Run("does not wait for a body that never ends", func(t *testing.T) {
		t.Parallel()
		_, address := serve(t, web.Wrap(http.HandlerFunc(readAll), web.Options{}), web.ServerOptions{ReadTimeout: short})
		conn := dial(t, address)
		send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"half\":")
		if resp := receive(t, conn); resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("the answer is %d, want 408", resp.StatusCode)
		}
	})

	t.Run("closes a connection that asks nothing", func(t *testing.T) {
		t.Parallel()
		_, address := serve(t, http.HandlerFunc(hello), web.ServerOptions{IdleTimeout: short})
		conn := dial(t, address)
		send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if raw, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(raw), "hello") {
			t.Errorf("got %q and %v, want an answer and the end", raw, err)
		}
	})

	t.Run("refuses a large header", func(t *testing.T) {
		t.Parallel()
		_, address := serve(t, http.HandlerFunc(hello), web.ServerOptions{})
		for size, want := range map[int]int{30 << 10: 200, 40 << 10: http.StatusRequestHeaderFieldsTooLarge} {
			conn := dial(t, address)
			send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", size)+"\r\n\r\n")
			if resp := receive(t, conn); resp.StatusCode != want {
				t.Errorf("a header of %d bytes is answered with %d, want %d", size, resp.StatusCode, want)
			}
		}
	})

	t.Run("gives up a client that does not take its answer", func(t *testing.T) {
		t.Parallel()
		failed := make(chan error, 1)
		_, address := serve(t, web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					failed <- err
					return
				}
			}
		}), web.Options{}), web.ServerOptions{WriteTimeout: short})
		send(t, dial(t, address), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		select {
		case err := <-failed:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("writing returned %v, want a deadline", err)
			}
		case <-time.After(patience):
			t.Error("the handler still writes")
		}
	})

	t.Run("lets a stream outlive its limits, flushed event by event", func(t *testing.T) {
		t.Parallel()
		const limit = 100 * time.Millisecond
		next := make(chan string)
		_, address := serve(t, web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			c := http.NewResponseController(w)
			if err := errors.Join(c.SetWriteDeadline(time.Now().Add(patience)), c.Flush()); err != nil {
				t.Error(err)
			}
			for {
				select {
				case event, ok := <-next:
					if !ok {
						return
					}
					fmt.Fprintf(w, "data: %s\n\n", event)
					_ = c.Flush()
				case <-r.Context().Done():
					t.Error("the stream was ended")
					return
				}
			}
		}), web.Options{Streams: func(*http.Request) bool { return true }}), web.ServerOptions{ReadTimeout: limit, WriteTimeout: limit})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		began := time.Now()
		resp, err := new(http.Transport).RoundTrip(r) // returns when the header is there, before any event
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(resp.Body)
		tick := time.NewTicker(limit / 2)
		defer tick.Stop()
		for time.Since(began) < 4*limit {
			<-tick.C
			next <- "x"
			if line, err := lines.ReadString('\n'); err != nil || line != "data: x\n" {
				t.Fatalf("got %q and %v", line, err)
			}
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		close(next)
		if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
			t.Errorf("in the end there are %q and %v", rest, err)
		}
		_ = resp.Body.Close()
	})

	t.Run("has no more connections than it may", func(t *testing.T) {
		t.Parallel()
		_, address := serve(t, http.HandlerFunc(hello), web.ServerOptions{MaxConnections: 2})
		const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
		first, second, third := dial(t, address), dial(t, address), dial(t, address)
		for _, conn := range []net.Conn{first, second} {
			send(t, conn, request)
			receive(t, conn)
		}
		send(t, third, request)
		if err := third.SetReadDeadline(time.Now().Add(2 * short)); err != nil {
			t.Fatal(err)
		}
		if _, err := third.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the third connection is answered: %v", err)
		}
		if err := errors.Join(first.Close(), third.SetReadDeadline(time.Now().Add(patience))); err != nil {
			t.Fatal(err)
		}
		receive(t, third)
	})
}

func TestServerFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	s := web.Serve(l, http.HandlerFunc(hello), web.ServerOptions{Failed: func(err error) { failed <- err }, MaxConnections: 1})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("the server failed with %v", err)
		}
	case <-time.After(patience):
		t.Error("nobody is told that the server has failed")
	}
	s.Stop(t.Context())
}

func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("lets a request finish, and takes no new one", func(t *testing.T) {
		t.Parallel()
		begun, finish := make(chan struct{}), make(chan struct{})
		s, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-finish
			hello(w, r)
		}), web.ServerOptions{MaxConnections: 1}) // all places are taken: it has to stop waiting for one, too
		conn := dial(t, address)
		send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		stopped := make(chan struct{})
		go func() { defer close(stopped); s.Stop(context.WithoutCancel(t.Context())) }()
		eventually(t, "no connection is taken", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		})
		select {
		case <-stopped:
			t.Error("Stop returned while a request was answered")
		default:
		}
		close(finish)
		if resp := receive(t, conn); resp.Body != "hello" {
			t.Error("the request was not answered")
		}
		<-stopped
	})
	t.Run("at the end of its context ends what is left", func(t *testing.T) {
		t.Parallel()
		begun, ended := make(chan struct{}), make(chan struct{})
		s, address := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
			close(ended)
		}), web.ServerOptions{})
		conn := dial(t, address)
		send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
		<-begun
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Stop(ctx)
		<-ended
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection is still open")
		}
	})
}
