package gtf_test

import (
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/signal/signaltest"
)

func TestLocalSignals(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		name := "beside other processes"
		if alone {
			name = "alone"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signaltest.Run(t, func(*testing.T) (a, b gtf.Signals) {
				bus := &gtf.LocalSignals{Alone: alone}
				return bus, bus
			})
		})
	}
}
