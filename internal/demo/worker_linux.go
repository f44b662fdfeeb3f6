package demo

import (
	"os"
	"os/exec"
	"syscall"
)

// bind keeps Ctrl-C from the worker, which is told when to stop, and ends it with this process however that ends.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

const asks = true // a worker that is told to stop says how that went

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
