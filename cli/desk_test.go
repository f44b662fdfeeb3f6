package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/globaltask/gtf/httpapi/auth"
)

// tokenServer is a gtf serve with a token for each of some people.
type tokenServer struct {
	*fixture

	url    string
	tokens map[string]string // by id
}

func (f *fixture) tokenServer(args ...string) *tokenServer {
	f.t.Helper()
	s := &tokenServer{fixture: f, tokens: map[string]string{}}
	var entries []string
	for id, role := range map[string]auth.Role{"root": auth.RoleAdmin, "ada": auth.RoleUser, "bob": auth.RoleUser, "eve": auth.RoleViewer} {
		token := auth.NewToken()
		hash, err := auth.HashToken(token)
		if err != nil {
			f.t.Fatal(err)
		}
		s.tokens[id] = token
		entries = append(entries, auth.Token{ID: id, Role: role, Hash: hash}.String())
	}
	p := f.start(append([]string{"serve", "--listen", "127.0.0.1:0", "--auth-tokens", strings.Join(entries, ",")}, args...)...)
	p.says("msg=listening")
	_, rest, _ := strings.Cut(p.errs.String(), "msg=listening address=")
	s.url = "http://" + strings.Fields(rest)[0]
	return s
}

// as executes a command line that asks the server, without a database.
func (s *tokenServer) as(id string, args ...string) answer {
	s.t.Helper()
	return runApp(s.t.Context(), testApp(), "", append(args, "--server", s.url, "--token", s.tokens[id])...)
}

func TestDesk(t *testing.T) { onEachDatabase(t, testDesk) }

// Commands say the same of a server as of the database behind it.
func testDesk(t *testing.T, newFixture func(*testing.T) *fixture) {
	f := newFixture(t)
	s := f.tokenServer()
	shared := f.ok("schedule", "test.wait", "--as", "ada", "--input", `{"key":"k"}`)
	f.ok("schedule", "test.wait", "--as", "bob", "--input", `{"key":"k"}`)
	mine := f.ok("schedule", "test.private", "--as", "ada")
	system := f.ok("schedule", "test.echo", "--input", `{"text":"hi"}`)
	f.untilRunning(2)
	eventually(t, "the system task ends", func() bool { return f.objects("show", system)[0].text("status") == "success" })

	t.Run("ls lists what the token's owner sees", func(t *testing.T) {
		for id, want := range map[string][]string{"root": {system, mine, shared}, "ada": {mine, shared}, "bob": {shared}, "eve": nil} {
			a := s.as(id, "ls", "--json")
			var got []string
			for _, o := range decodeLines(t, a.out) {
				got = append(got, o.text("uuid"))
			}
			if a.code != ExitOK || strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s: %d, %q, %s, want %q", id, a.code, got, a.err, want)
			}
		}
		if a := s.as("bob", "ls", "--mine", "--status", "in_progress", "--type", "test.wait"); !strings.Contains(a.out, shared) {
			t.Errorf("with filters: %+v", a)
		}
		if a := s.as("bob", "ls", "--sort", "salary"); a.code != ExitUsage {
			t.Errorf("a bad column is %+v", a)
		}
	})

	t.Run("show says the same as of the database", func(t *testing.T) {
		text := f.ok("show", shared, "--as", "bob")
		if a := s.as("bob", "show", shared); a.code != ExitOK || withoutAges(a.out) != withoutAges(text+"\n") {
			t.Errorf("the server: %d %s\n%s\nthe database:\n%s", a.code, a.err, a.out, text)
		}
		for _, id := range []string{mine, system} {
			if a := s.as("bob", "show", id); a.code != ExitNotFound || a.out != "" {
				t.Errorf("what bob does not see is %+v", a)
			}
		}
	})

	t.Run("logs prints the lines", func(t *testing.T) {
		eventually(t, "the line is stored", func() bool { return strings.Contains(s.as("bob", "logs", shared).out, "waiting") })
	})

	t.Run("cancel leaves, stops and is refused by the same rules", func(t *testing.T) {
		if a := s.as("eve", "cancel", mine); a.code != ExitNotFound {
			t.Errorf("a viewer's cancel is %+v", a)
		}
		if a := s.as("ada", "cancel", shared, "--force"); a.code != ExitNotFound || !strings.Contains(a.err, "force") {
			t.Errorf("a user's force is %+v", a)
		}
		if a := s.as("ada", "cancel", shared, "--expect", "abort"); a.code != ExitFailed || !strings.Contains(a.err, "unsubscribe") {
			t.Errorf("an effect that was not expected is %+v", a)
		}
		if a := s.as("ada", "cancel", shared); a.code != ExitOK || !strings.Contains(a.out, "left") {
			t.Errorf("leaving is %+v", a)
		}
		if a := s.as("ada", "show", shared); a.code != ExitNotFound {
			t.Errorf("after leaving, show is %+v", a)
		}
	})

	t.Run("watch shows a task until it ends", func(t *testing.T) {
		watching := make(chan answer, 1)
		go func() {
			watching <- runApp(t.Context(), testApp(), "", "watch", mine, "--server", s.url, "--token", s.tokens["ada"])
		}()
		if a := s.as("root", "cancel", mine); a.code != ExitOK {
			t.Fatalf("the cancel is %+v", a)
		}
		if a := <-watching; a.code != ExitFailed || !strings.Contains(a.out, "Aborted") {
			t.Errorf("watch is %+v", a)
		}
		if a := s.as("ada", "cancel", mine); a.code != ExitFailed || !strings.Contains(a.err, "finished") {
			t.Errorf("a second cancel is %+v", a)
		}
	})
}

// withoutAges takes out what differs with the moment of asking.
func withoutAges(text string) string {
	ages := []string{"Status", "Created", "Started", "Duration", "Worker", "Log"}
	var kept []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 && !slices.Contains(ages, fields[0]) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestDeskRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.tokenServer("--serve-work=false")
	const id = "0199b6a0-2c7e-7d4f-9c55-6b1d5a3f0e21"
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"somebody to act as beside a token", []string{"show", id, "--server", s.url, "--as", "ada"}, ExitUsage, "the token says who asks"},
		{"a URL that is none", []string{"show", id, "--server", "tasks.example.com"}, ExitUsage, "not like"},
		{"a token that nobody knows", []string{"show", id, "--server", s.url, "--token", "nobody"}, ExitNotFound, "credentials"},
		{"no token", []string{"show", id, "--server", s.url}, ExitNotFound, "not signed in"},
		{"a server that is not there", []string{"show", id, "--server", "http://127.0.0.1:1"}, ExitUnreachable, "127.0.0.1:1"},
		{"commands that need a database", []string{"schedule", "test.echo", "--server", s.url}, ExitUsage, "works on a database"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := runApp(t.Context(), testApp(), "", tt.args...)
			if a.code != tt.code || !strings.Contains(a.err, tt.says) {
				t.Errorf("%q: exit code %d, %q, want %d and %q", tt.args, a.code, a.err, tt.code, tt.says)
			}
		})
	}
}
