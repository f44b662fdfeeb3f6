package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second // for machines that are busy with other tests
	haltTimeout  = 20 * time.Second
)

// Mode is how a server is brought down.
type Mode int

const (
	// Fast is the orderly way: connections are closed and data is written.
	Fast Mode = iota
	// Immediate is a crash that cleans up after itself: PostgreSQL has to recover at the next start.
	Immediate
)

// Server is one running program. Its methods may be called concurrently; they wait for each other.
type Server struct {
	name   string
	dir    *dir
	port   int
	start  func() (*exec.Cmd, error)   // made anew for each start
	ping   func(context.Context) error // nil once this very server answers
	halt   [2]syscall.Signal           // by Mode
	finish func()                      // nil, or what Stop does before the directory goes

	mu      sync.Mutex
	proc    *process // nil while it is down
	since   int      // where the log of this start begins
	frozen  bool
	stopped bool
}

// Addr is host:port. It stays the same when the server is started again.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Log is what the server has written so far, over all its starts. It is empty after Stop.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.dir.file("log"))
	if err != nil {
		return ""
	}
	return string(text)
}

// Start brings up a server that is down, and returns when it answers. It does nothing while the server is up.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return fmt.Errorf("start %s: it was stopped for good", s.name)
	}
	if s.up() {
		return nil
	}
	// What a killed server held, its port and its shared memory, may take a moment to be free.
	for deadline := time.Now().Add(5 * time.Second); ; {
		err := s.launch(ctx)
		if err == nil || !errors.Is(err, errTaken) || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// Halt brings the server down and keeps its data and its port, for Start. It returns when the process has ended; one
// that takes too long is killed, and that is an error.
func (s *Server) Halt(ctx context.Context, mode Mode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bringDown(ctx, mode)
}

// Restart is Halt and Start.
func (s *Server) Restart(ctx context.Context, mode Mode) error {
	if err := s.Halt(ctx, mode); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Kill ends the server and all its processes at once, with SIGKILL. Its data stays for Start. It does nothing while
// the server is down.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

// Pause freezes the server: connections stay, and new ones may be accepted by the system, but nothing answers. It
// does nothing while the server is down.
func (s *Server) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up() {
		return nil
	}
	s.frozen = true
	return s.proc.freeze()
}

// Continue lets a server go on that was paused.
func (s *Server) Continue() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.thaw()
}

// Stop ends the server, also a paused or killed one, and deletes its data. It may be called again.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	err := s.bringDown(context.Background(), Immediate) // the data is not needed
	if s.finish != nil {
		s.finish()
	}
	return errors.Join(err, s.dir.remove())
}

// open is the first start. The ports it tries are chosen at random, so two programs seldom want the same.
func (s *Server) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.port = port
		err = s.launch(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errTaken) || try == 5 {
			_ = s.Stop()
			return err
		}
	}
}

// errTaken is a start that may succeed on another port, or later.
var errTaken = errors.New("address already in use")

// launch starts the program and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	log, err := os.OpenFile(s.dir.file("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	defer log.Close()
	s.since = len(s.Log())
	cmd, err := s.start()
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	s.frozen = false
	if s.proc, err = launch(cmd, s.halt[Immediate]); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	if err := s.ready(ctx); err != nil {
		s.kill()
		return fmt.Errorf("start %s: %w; its log ends:\n%s", s.name, err, tail(s.Log()[s.since:], 20))
	}
	return nil
}

func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(ctx, 2*time.Second)
		err := s.ping(attempt)
		stop()
		if err == nil {
			return nil
		}
		select {
		case <-s.proc.ended:
			if taken(s.Log()[s.since:]) {
				return errTaken
			}
			return fmt.Errorf("it ended with %w", s.proc.err)
		case <-ctx.Done():
			return fmt.Errorf("%w: it does not answer: %w", context.Cause(ctx), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) up() bool {
	if s.proc == nil {
		return false
	}
	select {
	case <-s.proc.ended:
		return false
	default:
		return true
	}
}

func (s *Server) bringDown(ctx context.Context, mode Mode) error {
	if !s.up() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, haltTimeout)
	defer cancel()
	err := errors.Join(s.thaw(), s.proc.signal(s.halt[mode]))
	if err == nil {
		select {
		case <-s.proc.ended:
			return nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	s.kill()
	return fmt.Errorf("halt %s: killed: %w; its log ends:\n%s", s.name, err, tail(s.Log(), 20))
}

func (s *Server) kill() {
	if s.up() {
		s.proc.kill()
		<-s.proc.ended
	}
}

func (s *Server) thaw() error {
	if !s.up() || !s.frozen {
		return nil
	}
	s.frozen = false
	return s.proc.thaw()
}

// taken tells by the log of a server that has ended whether its port, or the memory of the one before it, was in use.
func taken(log string) bool {
	log = strings.ToLower(log)
	return strings.Contains(log, "address already in use") || strings.Contains(log, "shared memory block")
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// arguments turns settings into arguments, in the order of their names.
func arguments(settings map[string]string, each func(name, value string) []string) (args []string) {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, each(name, settings[name])...)
	}
	return args
}
