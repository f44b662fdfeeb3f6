// Command bench compares gtf with its peers on one machine, in one run: tasks that do nothing, submitted and executed by
// each framework in turn. It prints a Markdown table. docs/benchmarks.md says what is measured and how to read it.
//
// It is a module of its own, so that no user of gtf ever sees the peers in a go.sum.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	databaseURL string
	kinds       []kind
	only        []contender
	redisURL    string
	rounds      int
	samples     int
	slots       int
	tasks       int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	at, err := open(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.Close()) }()
	b := &bench{options: opts, servers: at}
	about, err := b.about(ctx) // now, while the machine's load is that of others
	if err != nil {
		return err
	}
	if err := b.run(ctx); err != nil {
		return err
	}
	return b.write(os.Stdout, about)
}

func parse(args []string) (*options, error) {
	opts := &options{}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.StringVar(&opts.databaseURL, "database-url", "", "PostgreSQL server to use, as a superuser; databases gtf_bench_… are dropped and made (default: start one)")
	chosen := set.String("kinds", "", "measure only these, of "+names(kinds, kind.key)+" (default all)")
	only := set.String("only", "gtf,river,asynq,dbos", "contenders, of "+names(contenders(), contender.Key))
	set.StringVar(&opts.redisURL, "redis-url", "", "Redis to use, an empty one (default: start one)")
	set.IntVar(&opts.rounds, "rounds", 3, "times that each is measured; the median is reported")
	set.IntVar(&opts.samples, "samples", 300, "tasks for the latency")
	set.IntVar(&opts.slots, "slots", 100, "tasks that a worker runs at once")
	set.IntVar(&opts.tasks, "n", 20_000, "tasks of each measurement")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("what is %q? all arguments are flags", set.Arg(0))
	}
	if min(opts.rounds, opts.samples, opts.slots, opts.tasks) < 1 {
		return nil, errors.New("-n, -rounds, -samples and -slots must be at least 1")
	}
	var err error
	if opts.only, err = choose(*only, contenders(), contender.Key); err != nil {
		return nil, err
	}
	opts.kinds, err = choose(*chosen, kinds, kind.key)
	return opts, err
}

// choose picks by name, in the order of all; nothing named is everything.
func choose[T any](list string, all []T, key func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(one T) bool { return key(one) == name }) {
			return nil, fmt.Errorf("there is no %q, only %s", name, names(all, key))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool { return !slices.Contains(wanted, key(one)) }), nil
}

func names[T any](all []T, key func(T) string) string {
	list := make([]string, len(all))
	for i, one := range all {
		list[i] = key(one)
	}
	return strings.Join(list, ", ")
}
