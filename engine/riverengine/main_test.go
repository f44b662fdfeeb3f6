package riverengine_test

import (
	"testing"

	"github.com/globaltask/gtf/internal/dbtest"
)

// TestMain looks for goroutines that nobody waits for.
func TestMain(m *testing.M) { dbtest.Main(m) }
