package conduct

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/torture/check"
)

func TestMakePlan(t *testing.T) {
	plan := func(seed uint64) []fault {
		t.Helper()
		o := Options{Store: StorePostgres, Signals: SignalsRedis, Duration: 10 * time.Minute, Seed: seed}
		if err := o.fill(); err != nil {
			t.Fatal(err)
		}
		return makePlan(&o)
	}
	t.Run("gives the same faults for the same seed, and others for another", func(t *testing.T) {
		if !reflect.DeepEqual(plan(1), plan(1)) {
			t.Error("the same seed gave two plans")
		}
		if reflect.DeepEqual(plan(1), plan(2)) {
			t.Error("two seeds gave one plan")
		}
	})
	t.Run("has every fault that there is", func(t *testing.T) {
		o := Options{Store: StorePostgres, Signals: SignalsRedis}
		planned := map[string]bool{}
		for _, f := range plan(1) {
			planned[f.how] = true
		}
		for _, how := range o.known() {
			if !planned[how] {
				t.Errorf("ten minutes have no fault %q", how)
			}
		}
	})
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"fault \"cut\"":    {Faults: []string{check.FaultCut}}, // there is no network before SQLite
		"store is \"x\"":   {Store: "x"},
		"signals is \"x\"": {Signals: "x"},
		"must be positive": {Workers: -1},
	} {
		if err := o.fill(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}
