//go:build unix

package tasks

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes the program the leader of a new process group: a signal to the group reaches what it starts, too, and not
// the worker. The group has the leader's number. The system gives that number to nobody else while one member lives.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func terminateGroup(leader *os.Process) {
	_ = syscall.Kill(-leader.Pid, syscall.SIGTERM) // if it is gone, all is well
}

func killGroup(leader *os.Process) {
	_ = syscall.Kill(-leader.Pid, syscall.SIGKILL)
}
