package live_test

import (
	"testing"

	"github.com/globaltask/gtf/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
