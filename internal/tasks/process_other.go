//go:build !unix

package tasks

import (
	"os"
	"os/exec"
)

// Without process groups only the program itself can be stopped, at once.

func ownGroup(*exec.Cmd) {}

func terminateGroup(leader *os.Process) { _ = leader.Kill() }

func killGroup(leader *os.Process) { _ = leader.Kill() }

func groupAlive(*os.Process) bool { return false }
