//go:build !unix

package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// errNotUnix is what every start ends with here.
var errNotUnix = fmt.Errorf("servers for tests need Unix: %w", errors.ErrUnsupported)

func (p *process) freeze() error { return errNotUnix }
func (p *process) thaw() error   { return errNotUnix }
func (p *process) kill()         { _ = p.cmd.Process.Kill() }

func bind(*exec.Cmd, syscall.Signal) {}

func children(int) []int { return nil }

type account struct{}

func unprivileged() (account, error) { return account{}, errNotUnix }

func (account) command(_, program string, args ...string) *exec.Cmd {
	return exec.Command(program, args...)
}
func (account) give(string) error { return errNotUnix }

func lockFile(*os.File) error { return errNotUnix }
