package tasks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/globaltask/gtf"
)

// CommandInput says what to run.
type CommandInput struct {
	Argv    []string          `json:"argv"`     // the program, looked up in PATH, and its arguments; there is no shell
	Dir     string            `json:"dir"`      // default: that of the worker
	Env     map[string]string `json:"env"`      // added to the worker's, of which GTF_… is left out
	GraceMS int               `json:"grace_ms"` // between SIGTERM and SIGKILL; default 5000
}

// CommandOutput says how it went.
type CommandOutput struct {
	ExitCode    int    `json:"exit_code"` // 0: everything else is a failure of the task
	StdoutLines int    `json:"stdout_lines"`
	StderrLines int    `json:"stderr_lines"`
	LastLine    string `json:"last_line"` // of standard output
}

// Command runs a program. What it prints is the log of the task, standard error as warnings; lines like PROGRESS 3/10,
// PROGRESS 42% or PROGRESS 42 move the bar instead. It is private, and its name shows the program without arguments: they
// may hold secrets.
//
// Aborted, the program and everything in its process group get SIGTERM, and after the grace SIGKILL. When the task has
// ended nothing of the group is left, whatever the reason. What leaves the group on purpose (setsid) is out of reach.
var Command = gtf.Define[CommandInput, CommandOutput]("exec.command", &gtf.DefineOpts[CommandInput]{
	Abortable:   true, // not by an abort handler: those have to be done within gtf.Config.HandlerTimeout, whatever the grace
	Check:       CommandInput.check,
	Description: "runs a program: its output is the log, PROGRESS 3/10 moves the bar",
	Name: func(in CommandInput) string {
		if len(in.Argv) == 0 {
			return "Run nothing"
		}
		return nameOf("Run", filepath.Base(in.Argv[0]))
	},
})

func command(ctx context.Context, in CommandInput) (CommandOutput, error) {
	cmd := exec.Command(in.Argv[0], in.Argv[1:]...) //nolint:noctx // exec.CommandContext would kill the program but not its children
	cmd.Dir = in.Dir
	cmd.Env = environment(os.Environ(), in.Env)
	ownGroup(cmd)
	stdout, stderr, err := startPiped(cmd)
	if err != nil {
		return CommandOutput{}, fmt.Errorf("start %s: %w", in.Argv[0], err)
	}
	sink := &lineSink{x: gtf.FromContext(ctx)}
	var reading sync.WaitGroup
	reading.Go(func() { sink.read(stdout, sink.stdout) })
	reading.Go(func() { sink.read(stderr, sink.stderr) })

	g := watchGroup(cmd)
	var stopped error
	select {
	case <-g.exited:
		if g.alive() {
			sink.x.Logger().Warn("the program left processes behind: they are killed")
			g.kill()
		}
	case <-ctx.Done():
		stopped = context.Cause(ctx)
		sink.x.Logger().Warn("stopping the program", "reason", stopped)
		g.stop(in.grace())
	}
	// The pipes end with the last process that holds them, and that is gone, unless it left the group.
	drained := time.Now().Add(drainTime)
	_ = stdout.SetReadDeadline(drained)
	_ = stderr.SetReadDeadline(drained)
	reading.Wait()

	if stopped != nil {
		return CommandOutput{}, stopped // how it then ended is no news
	}
	if cmd.ProcessState == nil { // not an exit of the program but a fault in waiting for it
		return CommandOutput{}, fmt.Errorf("wait for %s: %w", in.Argv[0], g.err)
	}
	if g.err != nil {
		return CommandOutput{}, sink.failure(in.Argv[0], cmd.ProcessState)
	}
	return sink.output(), nil
}

const drainTime = 5 * time.Second

func (in CommandInput) check() error {
	var bad problems
	if len(in.Argv) == 0 || in.Argv[0] == "" {
		bad.add("argv", "names no program")
	}
	for i, arg := range in.Argv {
		if strings.Contains(arg, "\x00") {
			bad.add(fmt.Sprintf("argv[%d]", i), "contains a NUL character")
		}
	}
	if in.Dir != "" {
		bad.absolute("dir", in.Dir)
	}
	for name, value := range in.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			bad.add(fmt.Sprintf("env[%.50q]", name), "is no name and value that an environment can have")
		}
	}
	bad.between(0, aDay, "grace_ms", in.GraceMS)
	return bad.err()
}

func (in CommandInput) grace() time.Duration {
	if in.GraceMS == 0 {
		return 5 * time.Second
	}
	return time.Duration(in.GraceMS) * time.Millisecond
}

// environment leaves out the settings of gtf itself: among them is the password of its database.
func environment(inherited []string, added map[string]string) []string {
	var env []string
	for _, entry := range inherited {
		if !strings.HasPrefix(entry, "GTF_") {
			env = append(env, entry)
		}
	}
	for name, value := range added {
		env = append(env, name+"="+value)
	}
	return env
}

// startPiped starts the program and returns the reading ends of its output. They are files, not cmd.StdoutPipe, because
// cmd.Wait closes those, read or not.
func startPiped(cmd *exec.Cmd) (stdout, stderr *os.File, err error) {
	var ends []*os.File
	defer func() {
		for _, f := range ends {
			_ = f.Close()
		}
	}()
	stdout, outEnd, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	ends = append(ends, outEnd)
	stderr, errEnd, err := os.Pipe()
	if err != nil {
		_ = stdout.Close()
		return nil, nil, err
	}
	ends = append(ends, errEnd)
	cmd.Stdout, cmd.Stderr = outEnd, errEnd
	if err := cmd.Start(); err != nil {
		_ = stdout.Close()
		_ = stderr.Close()
		return nil, nil, err
	}
	return stdout, stderr, nil
}
