package conduct

import (
	"math/rand/v2"
	"time"

	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/load"
)

// fault is one thing that goes wrong, as planned. Where it cannot be done at its time, it is left out.
type fault struct {
	at      time.Duration // from the beginning
	how     string
	role    load.Role // whom it befalls; empty: a server, or everybody
	slot    int
	length  time.Duration // 0: it is over at once
	variant int           // of several ways, one
	pause   time.Duration // before a process that it ends is replaced
}

// weights make the faults of processes frequent, and those that hit everybody rarer.
var weights = map[string]int{
	check.FaultKill: 6, check.FaultStop: 5, check.FaultDrain: 3, check.FaultCut: 6, check.FaultRestart: 1, check.FaultImmediate: 1,
	check.FaultTerminate: 2, check.FaultRedis: 2, check.FaultHog: 1, check.FaultCancels: 2, check.FaultTimeouts: 1, check.FaultBurst: 1,
}

// makePlan gives the same faults for the same options.
func makePlan(o *Options) []fault {
	r := rand.New(rand.NewPCG(o.Seed, 1))
	all := 0
	for _, how := range o.Faults {
		all += weights[how]
	}
	var faults []fault
	for at := o.Every; at < o.Duration; at += between(r, o.Every/5, o.Every*9/5) {
		n := r.IntN(all)
		for _, how := range o.Faults {
			if n -= weights[how]; n < 0 {
				faults = append(faults, planOne(r, o, at, how))
				break
			}
		}
	}
	return faults
}

func planOne(r *rand.Rand, o *Options, at time.Duration, how string) fault {
	timing := o.Timing
	f := fault{at: at, how: how, role: load.Worker, slot: r.IntN(o.Workers), variant: r.IntN(100), pause: between(r, 0, time.Second)}
	forSubmitter, slot := r.IntN(3) == 0, r.IntN(o.Submitters)
	switch how {
	case check.FaultKill, check.FaultDrain, check.FaultStop, check.FaultCut:
		if forSubmitter {
			f.role, f.slot = load.Submitter, slot
		}
	case check.FaultRestart, check.FaultImmediate, check.FaultTerminate, check.FaultRedis, check.FaultHog, check.FaultCancels,
		check.FaultTimeouts, check.FaultBurst:
		f.role, f.slot = "", 0
	}
	short := between(r, timing.Fence/5, timing.Fence*4/5)
	long := between(r, timing.WorkerTimeout+timing.Heartbeat, 2*timing.WorkerTimeout)
	switch how {
	case check.FaultStop, check.FaultCut: // usually for longer than anybody waits
		switch f.length = long; r.IntN(8) {
		case 0, 1:
			f.length = short
		case 2: // so long that the server, too, should give up waiting
			f.length = 4 * long
		}
	case check.FaultRestart, check.FaultImmediate, check.FaultHog, check.FaultRedis: // usually for a moment
		f.length = short
		if r.IntN(3) == 0 {
			f.length = long
		}
	}
	return f
}

func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}
