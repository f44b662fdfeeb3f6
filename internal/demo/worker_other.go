//go:build !unix

package demo

import (
	"os"
	"os/exec"
)

func bind(*exec.Cmd) {}

const asks = false // there is no signal to ask with

func terminate(p *os.Process) error { return p.Kill() }
