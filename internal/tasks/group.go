package tasks

import (
	"os/exec"
	"time"
)

// group is a running program with everything in its process group.
type group struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the program itself has ended
	err    error         // how; read after exited
}

func watchGroup(cmd *exec.Cmd) *group {
	g := &group{cmd: cmd, exited: make(chan struct{})}
	go func() { // the caller waits for exited
		defer close(g.exited)
		g.err = cmd.Wait()
	}()
	return g
}

func (g *group) alive() bool { return groupAlive(g.cmd.Process) }

// stop asks all of it to end, and makes it when the grace is over. It returns when the program has ended.
func (g *group) stop(grace time.Duration) {
	terminateGroup(g.cmd.Process)
	if !g.await(grace) {
		g.kill()
	}
}

// kill returns when the program has ended and the others should have.
func (g *group) kill() {
	killGroup(g.cmd.Process)
	<-g.exited
	g.await(time.Second)
}

// await is true if the program and all the others end within the limit. Of the others, who are not children of this
// process, nobody tells when they end: it looks.
func (g *group) await(limit time.Duration) bool {
	over := time.NewTimer(limit)
	defer over.Stop()
	select {
	case <-g.exited:
	case <-over.C:
		return false
	}
	for pause := 5 * time.Millisecond; g.alive(); pause = min(2*pause, 100*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-over.C:
			return false
		}
	}
	return true
}
