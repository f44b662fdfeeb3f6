package servers

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a program that was started, and the processes that it starts.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the program has ended
	err   error         // why, readable then
}

// launch starts the program in a process group of its own. Where the system can, it sends it the signal when this program
// has ended.
func launch(cmd *exec.Cmd, orphaned syscall.Signal) (*process, error) {
	bind(cmd, orphaned)
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go p.own(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// own starts the program and waits for it on one thread: to Linux, the parent whose death ends the program is the thread
// that has started it.
func (p *process) own(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	if p.err == nil {
		p.err = errors.New("success")
	}
	close(p.ended)
}

// family lists the program and its children. Frozen first, it starts no others meanwhile.
func (p *process) family() []int {
	return append([]int{p.cmd.Process.Pid}, children(p.cmd.Process.Pid)...)
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }
