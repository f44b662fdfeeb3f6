package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// worker is the other process.
type worker struct {
	pid  int
	log  string
	done chan struct{}
	err  error // of its end, once done is closed
	stop context.CancelFunc
}

// slots is how many tasks it runs at once: few, so that some have to wait.
const slots = 3

// patience is how long the worker may take to stop; tasks get no grace, so it takes none.
const patience = 15 * time.Second

// startWorker starts it on a database; lost is told if it ends by itself.
func startWorker(binary, databaseURL, log string, lost func(error)) (*worker, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("make a file for the worker's log: %w", err)
	}
	defer file.Close() // the worker has it open by itself
	ctx, stop := context.WithCancel(context.Background())
	w := &worker{log: log, done: make(chan struct{}), stop: stop}
	cmd := exec.CommandContext(ctx, binary, "worker", "--database-url", databaseURL, "--allow-exec=false",
		"--queues", fmt.Sprintf("default=%d", slots), "--throttle", "100ms", "--grace", "none")
	cmd.Env = plainEnvironment()
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = patience
	bind(cmd)
	started := make(chan error)
	go func() {
		defer close(w.done)
		runtime.LockOSThread() // Linux ends the worker with the thread that started it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			w.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		switch {
		case ctx.Err() == nil:
			w.err = fmt.Errorf("the worker has ended by itself: %s", cmd.ProcessState)
			lost(w.err)
		case asks && !cmd.ProcessState.Success():
			w.err = fmt.Errorf("stop the worker: %w", err)
		}
	}()
	if err := <-started; err != nil {
		stop()
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	return w, nil
}

// close stops the worker as an operator would, and waits until it is gone.
func (w *worker) close() error {
	w.stop()
	<-w.done
	return w.err
}

// lastWords are the last lines of its log.
func (w *worker) lastWords(n int) []string {
	if w == nil {
		return nil
	}
	log, err := os.ReadFile(w.log)
	if err != nil {
		return nil
	}
	lines := strings.Split(string(bytes.TrimSpace(log)), "\n")
	return lines[max(0, len(lines)-n):]
}

// plainEnvironment is this process's without settings of gtf: they are meant for other workers.
func plainEnvironment() []string {
	var plain []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GTF_") {
			plain = append(plain, pair)
		}
	}
	return plain
}
