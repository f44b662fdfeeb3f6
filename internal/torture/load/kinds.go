package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/globaltask/gtf"
)

// Input of every type.
type Input struct {
	Millis int  `json:"millis"`          // how long it takes
	Fails  int  `json:"fails,omitempty"` // how many attempts fail
	Dirty  bool `json:"dirty,omitempty"` // its cleanup fails
	Late   bool `json:"late,omitempty"`  // it becomes abortable only in the middle
}

// Output of every type tells which attempt made it.
type Output struct {
	Task  string `json:"task"`
	Claim int    `json:"claim"`
	Proc  string `json:"proc"`
}

type definition = gtf.Definition[Input, Output]

const narrowQueue = "narrow"

func define(name string, opts gtf.DefineOpts[Input]) *definition {
	if opts.MaxAttempts == 0 {
		opts.MaxAttempts = 3
	}
	return gtf.Define[Input, Output]("torture."+name, &opts)
}

var (
	quick    = define("quick", gtf.DefineOpts[Input]{})
	house    = define("house", gtf.DefineOpts[Input]{Scope: gtf.ScopeSystem})
	report   = define("report", gtf.DefineOpts[Input]{Abortable: true})
	sleeper  = define("sleeper", gtf.DefineOpts[Input]{})
	stubborn = define("stubborn", gtf.DefineOpts[Input]{Timeout: 200 * time.Millisecond})
	flaky    = define("flaky", gtf.DefineOpts[Input]{})
	once     = define("once", gtf.DefineOpts[Input]{MaxAttempts: 1})
	late     = define("late", gtf.DefineOpts[Input]{Timeout: 250 * time.Millisecond})
	queued   = define("queued", gtf.DefineOpts[Input]{Queue: narrowQueue, MaxQueueTime: 500 * time.Millisecond})
	shared   = define("shared", gtf.DefineOpts[Input]{Scope: gtf.ScopeShared})
	mine     = define("mine", gtf.DefineOpts[Input]{})
	panicky  = define("panicky", gtf.DefineOpts[Input]{MaxAttempts: 2})
	deaf     = define("deaf", gtf.DefineOpts[Input]{MaxAttempts: 2})
)

// kind is how one type is submitted.
type kind struct {
	def    *definition
	scope  gtf.Scope // private if empty
	weight int
	key    func(r *rand.Rand) string // nil: one of its own for each submit
	input  func(r *rand.Rand) Input
}

var kinds = []kind{
	{def: quick, weight: 16, input: takes(0, 5)},
	{def: house, weight: 4, scope: gtf.ScopeSystem, input: takes(0, 100)},
	{def: report, weight: 12, input: seldomLong(50, 800)},
	{def: sleeper, weight: 14, input: func(r *rand.Rand) Input {
		in := seldomLong(50, 900)(r)
		in.Dirty = chance(r, 8)
		return in
	}},
	{def: stubborn, weight: 6, input: seldomLong(50, 500)},
	{def: flaky, weight: 10, input: func(r *rand.Rand) Input {
		in := takes(0, 200)(r)
		in.Fails = r.IntN(4)
		return in
	}},
	{def: once, weight: 8, input: takes(0, 600)},
	{def: late, weight: 6, input: func(r *rand.Rand) Input {
		in := takes(100, 1000)(r)
		in.Late = chance(r, 30)
		return in
	}},
	{def: queued, weight: 6, input: takes(20, 200)},
	{def: shared, weight: 18, scope: gtf.ScopeShared, key: oneOf("s", 6), input: takes(50, 700)},
	{def: mine, weight: 6, key: oneOf("m", 2), input: takes(50, 500)},
	{def: panicky, weight: 3, input: takes(0, 50)},
	{def: deaf, weight: 4, input: takes(100, 1500)},
}

func takes(from, to int) func(r *rand.Rand) Input {
	return func(r *rand.Rand) Input { return Input{Millis: from + r.IntN(to-from)} }
}

// seldomLong outlives a process now and then, and its claim.
func seldomLong(from, to int) func(r *rand.Rand) Input {
	usual, long := takes(from, to), takes(2000, 4000)
	return func(r *rand.Rand) Input {
		if chance(r, 15) {
			return long(r)
		}
		return usual(r)
	}
}

func oneOf(prefix string, n int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string { return fmt.Sprint(prefix, r.IntN(n)) }
}

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// choose takes a kind by weight.
func choose(r *rand.Rand) *kind {
	all := 0
	for i := range kinds {
		all += kinds[i].weight
	}
	n := r.IntN(all)
	for i := range kinds {
		if n -= kinds[i].weight; n < 0 {
			return &kinds[i]
		}
	}
	panic("the weights do not add up")
}
