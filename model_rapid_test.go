package gtf_test

import (
	"flag"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// draw picks one of the values; the first is the simplest.
func draw[V any](t *rapid.T, what string, values ...V) V {
	return rapid.SampledFrom(values).Draw(t, what)
}

// modelChecks sets the number of sequences, unless the command line does: -rapid.checks.
func modelChecks(t *testing.T, n int) {
	const name = "rapid.checks"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	old := flag.Lookup(name).Value.String()
	if err := flag.Set(name, strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, old) })
}
