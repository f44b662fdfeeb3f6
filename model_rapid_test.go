package gtf_test

import (
	"flag"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelCheck runs random sequences in bubbles, for a while; -rapid.checks says how many instead.
func modelCheck(t *testing.T, while time.Duration, sequence func(*rapid.T)) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	began, failed := time.Now(), false
	rapid.Check(t, func(t *rapid.T) {
		if !given && !failed && time.Since(began) > while {
			return
		}
		ended := false
		defer func() { failed = failed || !ended }() // what has failed once is looked into, however long it takes
		rapid.SyncTest(t, sequence)
		ended = true
	})
}

// draw picks one of the values; the first is the simplest.
func draw[V any](t *rapid.T, what string, values ...V) V {
	return rapid.SampledFrom(values).Draw(t, what)
}
