// Services runs throw-away PostgreSQL and Redis servers, and leaves nothing behind.
//
//	services                      until Ctrl-C, to try gtf with
//	services -- command args...   while the command runs, whose exit code becomes its own
//
// The command finds them in GTF_TEST_POSTGRES_URL and GTF_TEST_REDIS_URL, as package dbtest wants them. One that is set
// already stays, and no server is started for it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/globaltask/gtf/internal/servers"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (code int) {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer release()
	var up pair
	defer func() {
		if err := up.stop(); err != nil {
			complain(err)
			code = max(code, 1)
		}
	}()
	switch {
	case len(args) == 0:
		return show(ctx, &up)
	case len(args) == 1 || args[0] != "--":
		complain(errors.New("usage: services [-- command args...]"))
		return 2
	}
	return serve(ctx, &up, args[1:])
}

func complain(err error) { fmt.Fprintf(os.Stderr, "services: %v\n", err) }

// show prints what to paste, and waits. One of the two is enough.
func show(ctx context.Context, up *pair) int {
	for _, err := range up.start(ctx, true, true) {
		complain(err)
	}
	if up.postgres == nil && up.redis == nil {
		return 1
	}
	if up.postgres != nil {
		if err := up.postgres.CreateDatabase(ctx, "gtf"); err != nil {
			complain(err)
			return 1
		}
	}
	up.explain(os.Stdout)
	<-ctx.Done()
	return 0
}

// serve runs the command with what is installed: tests that want more know what to do without.
func serve(ctx context.Context, up *pair, args []string) int {
	broken := false
	for _, err := range up.start(ctx, os.Getenv(postgresVariable) == "", os.Getenv(redisVariable) == "") {
		complain(err)
		broken = broken || !errors.Is(err, servers.ErrMissing)
	}
	if broken || ctx.Err() != nil {
		return 1
	}
	return up.run(args)
}

const (
	postgresVariable = "GTF_TEST_POSTGRES_URL"
	redisVariable    = "GTF_TEST_REDIS_URL"
)

// pair is the servers; nil where none is.
type pair struct {
	postgres *servers.Postgres
	redis    *servers.Redis
}

// start starts those that are wanted, at once, and keeps the one if the other fails.
func (p *pair) start(ctx context.Context, postgres, redis bool) (failed []error) {
	var wg sync.WaitGroup
	errs := make([]error, 2)
	if postgres {
		wg.Go(func() { p.postgres, errs[0] = servers.StartPostgres(ctx, &servers.PostgresOptions{NoSync: true}) })
	}
	if redis {
		wg.Go(func() { p.redis, errs[1] = servers.StartRedis(ctx, nil) })
	}
	wg.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func (p *pair) stop() error {
	var err error
	if p.postgres != nil {
		err = p.postgres.Stop()
	}
	if p.redis != nil {
		err = errors.Join(err, p.redis.Stop())
	}
	return err
}

func (p *pair) explain(w io.Writer) {
	fmt.Fprint(w, "Until Ctrl-C, for other terminals:\n\n")
	if p.postgres != nil {
		fmt.Fprintf(w, "export GTF_DATABASE_URL='%s'\n", p.postgres.URLFor("gtf"))
	}
	if p.redis != nil {
		fmt.Fprintf(w, "export GTF_REDIS_URL='%s'\n", p.redis.URL())
	}
	fmt.Fprint(w, `
Then, after make build:

bin/gtf migrate     # the tables: once
bin/gtf doctor      # what is configured and reachable
bin/gtf worker      # as many as you like, each in a terminal
bin/gtf schedule demo.shared --wait

The data goes when the servers stop.
`)
}

// run waits for the command, whatever happens. From the terminal it gets Ctrl-C by itself; other signals are handed on.
func (p *pair) run(args []string) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // ends by itself, or by a signal
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = p.environment()
	if err := cmd.Start(); err != nil {
		complain(err)
		return 127
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its state tells all
	}()
	for {
		select {
		case s := <-signals:
			if s != os.Interrupt {
				_ = cmd.Process.Signal(s) // in vain if it has just ended
			}
		case <-ended:
			return codeOf(cmd.ProcessState)
		}
	}
}

func (p *pair) environment() []string {
	env := os.Environ()
	if p.postgres != nil {
		env = append(env, postgresVariable+"="+p.postgres.URL())
	}
	if p.redis != nil {
		env = append(env, redisVariable+"="+p.redis.URL())
	}
	return env
}

// codeOf is what a shell makes of it.
func codeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
