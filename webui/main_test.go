package webui_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Whatever the tests of this package start has an owner that waits for it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
