//go:build unix && !linux

package servers

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// bind asks for no signal: here the death of a parent is not noticed.
func bind(cmd *exec.Cmd, _ syscall.Signal) { cmd.SysProcAttr.Setpgid = true }

// children lists the processes whose parent is pid.
func children(pid int) (found []int) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output() //nolint:noctx // takes no time
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == pid {
			found = append(found, child)
		}
	}
	return found
}
