package docs_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the commands of docs/how-to/http.md print into it")

// played are the parts of a page that are run: commands below a line that says so, and what they print.
var played = regexp.MustCompile("(?m)^<!-- play(, short)? -->\n```sh\n((?s:.*?))```\n(?:\n```(json|text)\n((?s:.*?))```\n)?")

func TestTranscript(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	name := filepath.Join(root, "docs", "how-to", "http.md")
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "gtf")); err != nil {
		t.Fatal(err)
	}
	shell := startShell(t, dir, startServer(t, dir))

	written := played.ReplaceAllStringFunc(string(page), func(part string) string {
		m := played.FindStringSubmatch(part)
		short, commands, language, want := m[1] != "", m[2], m[3], m[4]
		got := shell.run(t, commands)
		if language == "" {
			return part
		}
		if language == "json" {
			got = indent(t, commands, got, short)
		}
		got = steady(got)
		if got != want && !*update {
			t.Errorf("%s\nprints\n%s\nbut the page says\n%s", commands, got, want)
		}
		return strings.Replace(part, "```"+language+"\n"+want, "```"+language+"\n"+got, 1)
	})
	if *update {
		if err := os.WriteFile(name, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// startServer is what the page has in its first terminal, on a port of its own.
func startServer(t *testing.T, dir string) (url string) {
	t.Helper()
	cmd := exec.Command(binary, "serve", "--auth-demo", "--listen", "127.0.0.1:0")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GTF_DATABASE_URL=sqlite://tasks.db")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		said := regexp.MustCompile(`msg=listening address=(\S+)`)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := said.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Process.Signal(syscall.SIGTERM) // the second one ends the tasks
		<-read
		_ = cmd.Wait()
	})
	select {
	case a := <-address:
		return "http://" + a
	case <-read:
		t.Fatal("the server ended")
	}
	return ""
}

// shell runs parts of a page one after the other, with the variables of those before.
type shell struct {
	in     io.Writer
	out    *bufio.Reader
	server string
}

const endOfPart = "--- end of part ---"

func startShell(t *testing.T, dir, server string) *shell {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, "sh")
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		cancel()
	})
	return &shell{in: in, out: bufio.NewReader(out), server: server}
}

func (s *shell) run(t *testing.T, commands string) string {
	t.Helper()
	commands = strings.ReplaceAll(commands, "http://127.0.0.1:8080", s.server)
	if _, err := fmt.Fprintf(s.in, "%s\necho; echo '%s'\n", commands, endOfPart); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if strings.TrimSpace(line) == endOfPart {
			return strings.TrimRight(got.String(), "\n") + "\n"
		}
		got.WriteString(line)
		if err != nil {
			t.Fatalf("%s\nprinted\n%s\nand then: %v", commands, got.String(), err)
		}
	}
}

// indent lays JSON out for people.
func indent(t *testing.T, commands, text string, short bool) string {
	t.Helper()
	raw := []byte(text)
	if short {
		raw = shorten(raw)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatalf("%s\nprints\n%s\nwhich is no JSON: %v", commands, text, err)
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// shorten cuts the tasks of an answer down to what a reader has to see.
func shorten(raw []byte) []byte {
	var task struct {
		Type   string          `json:"task_type"`
		UUID   json.RawMessage `json:"uuid"`
		Name   json.RawMessage `json:"task_name"`
		Status json.RawMessage `json:"status"`
	}
	var each []json.RawMessage
	switch {
	case json.Unmarshal(raw, &each) == nil:
		for i := range each {
			each[i] = shorten(each[i])
		}
		raw, _ = json.Marshal(each)
	case json.Unmarshal(raw, &task) == nil && task.Type != "":
		raw = fmt.Appendf(nil, `{"uuid":%s,"task_name":%s,"status":%s,"…":"…"}`, task.UUID, task.Name, task.Status)
	case bytes.HasPrefix(raw, []byte("{")):
		raw = eachMember(raw, shorten)
	}
	return raw
}

// eachMember changes the values of an object and keeps their order.
func eachMember(raw []byte, change func([]byte) []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token() // {
	var members []string
	for dec.More() {
		key, _ := dec.Token()
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return raw // whoever indents it says what is wrong
		}
		members = append(members, fmt.Sprintf("%q:%s", key, change(value)))
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// unsteady are the values that differ from run to run, by what they look like or how they are called.
var unsteady = []struct {
	found *regexp.Regexp
	as    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "0199…"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "2026-…"},
	{regexp.MustCompile(`("(?:duration_seconds|eta_seconds|heartbeat_age_seconds|version|log_lines|next_seq|retry)": ?)[0-9.]+`), "$1…"},
	{regexp.MustCompile(`("(?:progress_current|current)": ?)\d+`), "$1…"},
	{regexp.MustCompile(`("(?:progress_percent|percent)": ?)0[0-9.e-]*`), "$1…"},
	{regexp.MustCompile(`("(?:request_id|cursor|next|worker|dedup_key|created_on_delta_humanized)": ?)"[^"]+"`), `$1"…"`},
	{regexp.MustCompile(`(?m)^(id|retry): .*$`), "$1: …"},
}

func steady(text string) string {
	for _, u := range unsteady {
		text = u.found.ReplaceAllString(text, u.as)
	}
	return text
}
