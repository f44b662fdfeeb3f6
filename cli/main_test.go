package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
)

// mainVariable makes the test binary the command line under test: processes of their own without a build.
const mainVariable = "CLI_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		Main(testApp())
	}
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "GTF_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(dbtest.Run(m))
}

func testApp() *App {
	return &App{
		Name: "tool", Version: "v1.2.3",
		Settings: []Setting{{Name: "license", Secret: true, Usage: "a secret."}},
		Handlers: func(*Settings) ([]gtf.Handler, error) {
			return []gtf.Handler{
				echo.Handler(func(_ context.Context, in echoInput) (echoInput, error) { return in, nil }),
				failing.Handler(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, errors.New("it broke") }),
				waiting.Handler(waitForEnd), private.Handler(waitForEnd), holding.Handler(hold), stamping.Handler(stamp),
			}, nil
		},
	}
}

type echoInput struct {
	Text string `json:"text"`
}

type keyInput struct {
	Key string `json:"key"`
}

type holdInput struct {
	Until string `json:"until"` // the file to wait for
}

var (
	echo    = gtf.Define[echoInput, echoInput]("test.echo", &gtf.DefineOpts[echoInput]{Scope: gtf.ScopeSystem, Description: "gives back its input"})
	failing = gtf.Define[struct{}, struct{}]("test.fail", &gtf.DefineOpts[struct{}]{Scope: gtf.ScopeSystem})
	waiting = gtf.Define[keyInput, struct{}]("test.wait", &gtf.DefineOpts[keyInput]{Scope: gtf.ScopeShared, Key: func(in keyInput) string { return in.Key }})
	private = gtf.Define[keyInput, struct{}]("test.private", nil)
	holding = gtf.Define[holdInput, struct{}]("test.hold", &gtf.DefineOpts[holdInput]{Scope: gtf.ScopeSystem})

	stamping = gtf.Define[holdInput, stampOutput]("test.stamp", &gtf.DefineOpts[holdInput]{Scope: gtf.ScopeSystem, MaxAttempts: 2,
		Backoff: gtf.Backoff{Base: time.Millisecond}})
)

type stampOutput struct {
	PID int `json:"pid"` // of the process that did it
}

// waitForEnd is abortable, says how far it is, and does nothing else.
func waitForEnd(ctx context.Context, _ keyInput) (struct{}, error) {
	x := gtf.FromContext(ctx)
	x.Logger().Info("waiting")
	x.OnAbort(func(context.Context) error { x.Logger().Info("asked to stop"); return nil })
	x.Progress(1, 4)
	<-ctx.Done()
	return struct{}{}, context.Cause(ctx)
}

// hold cannot be aborted: it runs until its file is there, whatever its context says.
func hold(_ context.Context, in holdInput) (struct{}, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := os.Stat(in.Until); err == nil {
			return struct{}{}, nil
		}
	}
	return struct{}{}, nil
}

// stamp is hold that tells who it was.
func stamp(ctx context.Context, in holdInput) (stampOutput, error) {
	_, err := hold(ctx, in)
	return stampOutput{os.Getpid()}, err
}

// fixture is one database and the ways to use it.
type fixture struct {
	t   *testing.T
	dir string
	url string
	env []string // of processes, beside that of the tests
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir()}
	f.url = sqliteURL(filepath.Join(f.dir, "tasks.db"))
	return f
}

// newPostgres is a fixture on PostgreSQL.
func newPostgres(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), url: dbtest.Postgres(t)}
	f.ok("migrate")
	return f
}

// onEachDatabase runs a test on a SQLite file and on PostgreSQL.
func onEachDatabase(t *testing.T, test func(t *testing.T, newFixture func(*testing.T) *fixture)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t, newFixture) })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); test(t, newPostgres) })
}

func (f *fixture) path(name string) string { return filepath.Join(f.dir, name) }

// answer is what a command line came back with.
type answer struct {
	code     int
	out, err string
}

// run executes a command line in this process, on the fixture's database.
func (f *fixture) run(args ...string) answer {
	f.t.Helper()
	return f.runWith("", args...)
}

func (f *fixture) runWith(stdin string, args ...string) answer {
	f.t.Helper()
	return runApp(f.t.Context(), testApp(), stdin, append([]string{"--database-url", f.url}, args...)...)
}

func runApp(ctx context.Context, app *App, stdin string, args ...string) answer {
	var out, errs bytes.Buffer
	code := app.Run(ctx, args, strings.NewReader(stdin), &out, &errs)
	return answer{code, out.String(), errs.String()}
}

// ok executes a command line that must succeed and returns what it printed, without the last line break.
func (f *fixture) ok(args ...string) string {
	f.t.Helper()
	a := f.run(args...)
	if a.code != ExitOK {
		f.t.Fatalf("%q: exit code %d, output %q, errors %q", args, a.code, a.out, a.err)
	}
	return strings.TrimSuffix(a.out, "\n")
}

// objects executes a command line with --json and returns what it printed.
func (f *fixture) objects(args ...string) []object {
	f.t.Helper()
	return decodeLines(f.t, f.ok(append(args, "--json")...))
}

// object is what --json prints.
type object map[string]any

// at goes down into nested objects; nil where there is nothing.
func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func (o object) text(path ...string) string {
	text, _ := o.at(path...).(string)
	return text
}

func decodeLines(t *testing.T, text string) []object {
	t.Helper()
	var objects []object
	for line := range strings.Lines(text) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q is not a JSON object: %v", line, err)
		}
		objects = append(objects, o)
	}
	return objects
}

// statuses counts the tasks in each status.
func (f *fixture) statuses() map[string]int {
	f.t.Helper()
	counts := map[string]int{}
	for _, o := range f.objects("ls", "--limit", "1000") {
		counts[o.text("status")]++
	}
	return counts
}

// process is a command line that runs in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  lockedBuffer
	errs lockedBuffer
	done chan struct{}
}

func (f *fixture) start(args ...string) *process {
	f.t.Helper()
	p := &process{t: f.t, done: make(chan struct{})}
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	p.cmd = exec.Command(self, append([]string{"--database-url", f.url}, args...)...)
	p.cmd.Env = append(append(os.Environ(), mainVariable+"=1"), f.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // its exit code is asked for by code
	}()
	f.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // harmless if it has ended
		<-p.done
		if f.t.Failed() {
			f.t.Logf("%q printed %q, errors %s", args, p.out.String(), p.errs.String())
		}
	})
	return p
}

// worker starts a worker with quick settings and waits until it works.
func (f *fixture) worker(args ...string) *process {
	f.t.Helper()
	p := f.start(append([]string{"worker"}, args...)...)
	p.says("working")
	return p
}

// quick settings for tests that wait for others to notice something.
var quick = []string{"--heartbeat", "200ms", "--fence-after", "700ms", "--worker-timeout", "1s", "--claim-polling", "100ms", "--look-polling", "100ms"}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// code waits for the end.
func (p *process) code() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%q has not ended", p.cmd.Args)
		return -1
	}
}

// says waits until standard error holds a text.
func (p *process) says(text string) {
	p.t.Helper()
	eventually(p.t, "the process says "+text, func() bool {
		select {
		case <-p.done:
			if !strings.Contains(p.errs.String(), text) {
				p.t.Fatalf("%q has ended without saying %q", p.cmd.Args, text)
			}
		default:
		}
		return strings.Contains(p.errs.String(), text)
	})
}

// patience is how long tests wait for what should come at once: the machine may be busy.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
