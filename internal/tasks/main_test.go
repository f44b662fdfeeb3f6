package tasks_test

import (
	"os"
	"testing"

	"github.com/globaltask/gtf/internal/dbtest"
)

func TestMain(m *testing.M) {
	os.Setenv("GTF_DATABASE_URL", "sqlite://secret.db") // what exec.command has to keep from its programs
	os.Exit(dbtest.Run(m))
}
