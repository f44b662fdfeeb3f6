package tasks

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"
)

// groupAlive reports whether a process of the group still runs. One that has ended but whose parent has not asked for its
// exit code belongs to the group, too: in many containers nobody ever asks for those of orphans, so they must not count.
func groupAlive(leader *os.Process) bool {
	if errors.Is(syscall.Kill(-leader.Pid, 0), syscall.ESRCH) {
		return false // the usual case, and cheap
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err == nil && runsInGroup(stat, leader.Pid) {
			return true
		}
	}
	return false
}

// runsInGroup reads "PID (NAME) STATE PARENT GROUP …"; the name may hold anything.
func runsInGroup(stat []byte, group int) bool {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(fields) > 2 && string(fields[2]) == strconv.Itoa(group) && !bytes.ContainsAny(fields[0], "ZX")
}
