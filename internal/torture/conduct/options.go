package conduct

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/load"
)

// The stores and the transports of signals.
const (
	StoreSQLite     = "sqlite"
	StorePostgres   = "postgres"
	SignalsOfStore  = "store"
	SignalsNone     = "none"
	SignalsRedis    = "redis"
	defaultDuration = time.Minute
)

// Options say how to torture. The zero value of each is its default.
type Options struct {
	// Duration of the faults; starting, healing and draining come on top. Default 1 min.
	Duration time.Duration
	// Store is "sqlite" or "postgres", whose server is started. Default "sqlite".
	Store string
	// Signals is "store", "redis", whose server is started, or "none": polling. Default "store".
	Signals string
	// Workers and Submitters are how many processes run at a time. Default 4 and 2.
	Workers, Submitters int
	// Seed gives the plan of the faults and of the submits. Default 1.
	Seed uint64
	// Faults are the kinds to choose from. Default all that the store and the signals know.
	Faults []string
	// Every is the mean time between two faults. Default 1.2 s.
	Every time.Duration
	// Rate is the number of submits in a second, by all submitters together. Default 30.
	Rate float64
	// Timing is what the processes run with. Default heartbeat 300 ms, fence 1 s, worker timeout 2 s.
	Timing load.Timing
	// Keep leaves the directory of journals even if all is well. Default false.
	Keep bool
	// TempDir is where that directory is made. Default the system's.
	TempDir string
	// Out gets the report.
	Out io.Writer
}

func (o *Options) fill() error {
	o.Duration = cmp.Or(o.Duration, defaultDuration)
	o.Store = cmp.Or(o.Store, StoreSQLite)
	o.Signals = cmp.Or(o.Signals, SignalsOfStore)
	o.Workers = cmp.Or(o.Workers, 4)
	o.Submitters = cmp.Or(o.Submitters, 2)
	o.Seed = cmp.Or(o.Seed, 1)
	o.Every = cmp.Or(o.Every, 1200*time.Millisecond)
	o.Rate = cmp.Or(o.Rate, 30)
	o.Timing = cmp.Or(o.Timing, load.Timing{Heartbeat: 300 * time.Millisecond, Fence: time.Second, WorkerTimeout: 2 * time.Second})
	if o.Out == nil {
		o.Out = io.Discard
	}
	known := o.known()
	if len(o.Faults) == 0 {
		o.Faults = known
	}
	for _, f := range o.Faults {
		if !slices.Contains(known, f) {
			return fmt.Errorf("fault %q: with store %s and signals %s there are %s", f, o.Store, o.Signals, strings.Join(known, ", "))
		}
	}
	switch {
	case o.Store != StoreSQLite && o.Store != StorePostgres:
		return fmt.Errorf("store is %q, must be %s or %s", o.Store, StoreSQLite, StorePostgres)
	case !slices.Contains([]string{SignalsOfStore, SignalsRedis, SignalsNone}, o.Signals):
		return fmt.Errorf("signals is %q, must be %s, %s or %s", o.Signals, SignalsOfStore, SignalsRedis, SignalsNone)
	case o.Duration < 0 || o.Workers < 1 || o.Submitters < 1 || o.Every < 0 || o.Rate < 0:
		return fmt.Errorf("duration, workers, submitters, every and rate must be positive")
	}
	return nil
}

// known are the faults that can be done to the chosen store and signals.
func (o *Options) known() []string {
	faults := []string{check.FaultKill, check.FaultStop, check.FaultDrain, check.FaultCancels, check.FaultTimeouts, check.FaultBurst}
	if o.Store == StorePostgres {
		faults = append(faults, check.FaultCut, check.FaultRestart, check.FaultImmediate, check.FaultTerminate)
	} else {
		faults = append(faults, check.FaultHog)
	}
	if o.Signals == SignalsRedis {
		faults = append(faults, check.FaultRedis)
	}
	return faults
}
