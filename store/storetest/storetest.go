// Package storetest is the suite that every gtf.Store must pass.
//
// A store's own test calls [Run] with a function that opens a fresh, empty store. The suite knows a store only by its
// interface and never sleeps: time passes by [Options].Advance, or else by the clock of a testing/synctest bubble.
package storetest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// Options says how the suite meets a store.
type Options struct {
	// Advance lets d pass by the store's clock, for a store whose clock cannot be faked: it moves every instant that the
	// store keeps (of tasks, attempts, subscribers, log lines, workers, leases) back by d. What the suite then reads is up to
	// ten seconds off, and that is allowed for. Default: the store tells the time by the process's clock; every subtest runs
	// in a synctest bubble, opens its store inside, and sleeps there.
	Advance func(t *testing.T, s gtf.Store, d time.Duration)
	// Begin starts a transaction of the caller on the database of s, from a connection of the test's own, and says how to
	// end it. A commit that the database turns into a rollback, because a statement of it failed, is no fault. Default: the
	// subtests of SubmitTx are skipped.
	Begin func(t *testing.T, s gtf.Store) (tx gtf.Tx, commit, rollback func())
	// OneWriter says that a transaction of the caller keeps every other writer out from its first write on. Default false.
	OneWriter bool
	// Statements counts what the store has sent to its database so far. Default: how many statements a page of a list costs is
	// not checked.
	Statements func(s gtf.Store) int64
	// Groups are the names of the groups of subtests to run, for a second way to a store that passes the suite. Default all.
	Groups []string
}

// Run tests the store that open gives. Each subtest opens one of its own, beside others, so open must give stores that
// do not see each other, and closes them by t.Cleanup. nil opts are the zero ones.
//
// A store is also a gtf.Locker: let it pass locktest too.
func Run(t *testing.T, open func(t *testing.T) gtf.Store, opts *Options) {
	if opts == nil {
		opts = &Options{}
	}
	for _, group := range []struct {
		name  string
		tests func(*suite)
	}{
		{"Submit", submitTests},
		{"Join", joinTests},
		{"SubmitTx", submitTxTests},
		{"Claim", claimTests},
		{"Resume", resumeTests},
		{"Update", updateTests},
		{"Logs", logTests},
		{"Finish", finishTests},
		{"Retry", retryTests},
		{"Expire", expireTests},
		{"Cancel", cancelTests},
		{"Get", getTests},
		{"List", listTests},
		{"Page", pageTests},
		{"Filter", filterTests},
		{"Window", windowTests},
		{"Types", typesTests},
		{"Distinct", distinctTests},
		{"Changes", changesTests},
		{"Follow", followTests},
		{"Remember", rememberTests},
		{"Look", lookTests},
		{"Living", livingTests},
		{"Reap", reapTests},
		{"ExpireQueued", queueTimeTests},
		{"Prune", pruneTests},
		{"Status", statusTests},
	} {
		if len(opts.Groups) > 0 && !slices.Contains(opts.Groups, group.name) {
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			group.tests(&suite{t, open, opts})
		})
	}
}

type suite struct {
	t    *testing.T
	open func(t *testing.T) gtf.Store
	opts *Options
}

// test runs one subtest with a store of its own.
func (s *suite) test(name string, body func(f *fixture)) {
	s.t.Run(name, func(t *testing.T) {
		t.Parallel()
		if s.opts.Advance == nil {
			synctest.Test(t, func(t *testing.T) {
				body(&fixture{T: t, Store: s.open(t), pass: time.Sleep, slack: time.Millisecond, beginTx: s.opts.Begin})
			})
			return
		}
		store := s.open(t)
		pass := func(d time.Duration) { s.opts.Advance(t, store, d) }
		body(&fixture{T: t, Store: store, pass: pass, slack: 10 * time.Second, beginTx: s.opts.Begin})
	})
}
