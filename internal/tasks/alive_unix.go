//go:build unix && !linux

package tasks

import (
	"errors"
	"os"
	"syscall"
)

// groupAlive reports whether the group has a process.
func groupAlive(leader *os.Process) bool {
	return !errors.Is(syscall.Kill(-leader.Pid, 0), syscall.ESRCH)
}
