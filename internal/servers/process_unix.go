//go:build unix

package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// freeze stops the program, then its children, none of which can be new.
func (p *process) freeze() error {
	err := p.signal(syscall.SIGSTOP)
	if err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	for _, pid := range p.family()[1:] {
		err = errors.Join(err, send(pid, syscall.SIGSTOP))
	}
	return err
}

func (p *process) thaw() (err error) {
	family := p.family()
	for i := range family { // the program last: it would take the silence of its children for their end
		err = errors.Join(err, send(family[len(family)-1-i], syscall.SIGCONT))
	}
	return err
}

// kill ends the program and its children, which would otherwise finish what they are doing.
func (p *process) kill() {
	_ = p.signal(syscall.SIGSTOP) // what is gone needs no signal
	for _, pid := range p.family() {
		_ = send(pid, syscall.SIGKILL)
	}
}

// send forgives processes that have ended.
func send(pid int, s syscall.Signal) error {
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to process %d: %w", s, pid, err)
	}
	return nil
}

// account is whom a server runs as.
type account struct {
	user *syscall.Credential // nil: whoever we are
}

// unprivileged is the user postgres for root, as which some servers do not run.
func unprivileged() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return account{}, fmt.Errorf("find a user to run as, because root may not: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user postgres: %w", err)
	}
	return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// command runs in dir, as the account, with English messages and without the settings of PostgreSQL's own tools.
func (a account) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...) //nolint:noctx // ends when it is stopped
	cmd.Dir = dir
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PG") && !strings.HasPrefix(pair, "LC_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.user}
	return cmd
}

// give makes the account the owner of what is at path.
func (a account) give(path string) error {
	if a.user == nil {
		return nil
	}
	return os.Chown(path, int(a.user.Uid), int(a.user.Gid))
}

// lockFile takes the lock that ends with the program, or fails if another one has it.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
