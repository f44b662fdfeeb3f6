package webui_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/webui"
)

// broken is a store whose lists fail.
type broken struct {
	gtf.Store
	err error
}

func (b *broken) List(context.Context, *gtf.ListParams, gtf.Viewer) (*gtf.TaskPage, error) {
	return nil, b.err
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	t.Run("is a page that says what is wrong and what to do", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, &webui.Options{Base: "/ops", Login: true})
		id := w.task(privateWork, input{Key: "of alan"}, gtf.StatusPending, alan).String()
		tests := []struct {
			who, path string
			status    int
			says      string
			link      string
		}{
			{"", "/ops/tasks?status=failure", 401, "You are not signed in", "/ops/auth/login?return_to=%2Fops%2Ftasks%3Fstatus%3Dfailure"},
			{"wrong", "/ops/tasks", 401, "Your sign-in is not valid", "/ops/auth/login?return_to=%2Fops%2Ftasks"},
			{"nameless", "/ops/tasks", 401, "You are not signed in", "/ops/auth/login?return_to=%2Fops%2Ftasks"},
			{"blind", "/ops/tasks", 403, "You may not see tasks", ""},
			{"grace", "/ops/tasks/" + id, 404, "There is no such task", "/ops/tasks"},
			{"grace", "/ops/tasks/" + gtf.NewID().String(), 404, "There is no such task", "/ops/tasks"},
			{"grace", "/ops/tasks/nonsense", 404, "There is no such task", "/ops/tasks"},
			{"grace", "/ops/nothing", 404, "There is nothing here", "/ops/tasks"},
			{"grace", "/ops//tasks", 404, "There is nothing here", "/ops/tasks"},
			{"grace", "/ops/tasks?page_size=x", 400, "The address is not understood", "/ops/tasks"},
		}
		for _, tt := range tests {
			a := w.get(tt.who, tt.path)
			checkMarkup(t, a)
			said := w.one(a.doc, "div", "class", "empty")
			if a.status != tt.status || !strings.Contains(text(said), tt.says) {
				t.Errorf("%s %s is %d %q, want %d %q", tt.who, tt.path, a.status, text(said), tt.status, tt.says)
			}
			if links := all(said, "a"); tt.link != "" && (len(links) != 1 || href(links[0]) != tt.link) || tt.link == "" && len(links) > 0 {
				t.Errorf("%s %s does not lead to %q", tt.who, tt.path, tt.link)
			}
			if _, follows := attr(all(a.doc, "html")[0], "data-api"); follows {
				t.Errorf("%s %s would ask for more", tt.who, tt.path)
			}
		}
	})
	t.Run("does not tell what is invisible from what does not exist", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(privateWork, input{Key: "of alan"}, gtf.StatusPending, alan).String()
		other := gtf.NewID().String()
		hidden, missing := w.get("grace", "/ops/tasks/"+id).text, w.get("grace", "/ops/tasks/"+other).text
		if strings.ReplaceAll(hidden, id, "ID") != strings.ReplaceAll(missing, other, "ID") {
			t.Error("the two pages differ")
		}
	})
	t.Run("has no details of what failed inside, but the number of the request", func(t *testing.T) {
		t.Parallel()
		for err, want := range map[error]struct {
			status int
			says   string
		}{
			errors.New("password of the database is x"): {500, "something went wrong"},
			gtf.ErrUnavailable:                          {503, "cannot be reached"},
			context.DeadlineExceeded:                    {503, "This is taking too long"},
		} {
			w := newWorldOn(t, &broken{gtftest.NewStore(t), err}, nil)
			a := w.get("grace", "/ops/tasks")
			checkMarkup(t, a)
			said := text(w.one(a.doc, "div", "class", "empty"))
			if a.status != want.status || !strings.Contains(strings.ToLower(said), strings.ToLower(want.says)) || strings.Contains(a.text, "password") {
				t.Errorf("%v is %d %q, want %d %q", err, a.status, said, want.status, want.says)
			}
			if !strings.Contains(said, a.header.Get("X-Request-Id")) {
				t.Errorf("%q does not name the request %s", said, a.header.Get("X-Request-Id"))
			}
		}
	})
	t.Run("is said in the host's words while tasks are switched off", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, &webui.Options{OffText: "Back on Monday."})
		w.client.SetEnabled(false)
		a := w.get("grace", "/tasks")
		if a.status != http.StatusNotFound || !strings.Contains(text(a.doc), "Back on Monday.") || strings.Contains(a.text, "data-api") {
			t.Errorf("off it is %d %q", a.status, text(a.doc))
		}
		w.client.SetEnabled(true)
		if a := w.get("grace", "/tasks"); a.status != http.StatusOK {
			t.Errorf("on again it is %d", a.status)
		}
	})
	t.Run("offers to be somebody where that is for trying out", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, &webui.Options{People: auth.DemoPeople(), Authenticator: auth.Demo(false)})
		a := w.get("", "/tasks") // by a name that is not this machine's
		if got := len(all(w.one(a.doc, "main"), "button", "name", "user")); a.status != http.StatusUnauthorized || got != 5 {
			t.Errorf("got %d with %d people", a.status, got)
		}
	})
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, who := range []string{"grace", ""} {
		a := w.get(who, "/ops/tasks")
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
			"Referrer-Policy":         "same-origin", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

func TestTheme(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.post("grace", "/ops/theme", url.Values{"theme": {"dark"}, "return_to": {"/ops/tasks?status=failure"}})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/ops/tasks?status=failure" {
		t.Errorf("got %d to %s", a.status, a.header.Get("Location"))
	}
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	for sent, want := range map[string]string{cookie: "dark", "gtf_theme=evil\"": "system", "x=y": "system"} {
		page := w.get("grace", "/ops/tasks", "Cookie", sent)
		if got, _ := attr(all(page.doc, "html")[0], "data-theme"); got != want {
			t.Errorf("with %s the theme is %q, want %q", sent, got, want)
		}
		if got, _ := attr(w.one(page.doc, "button", "aria-pressed", "true", "name", "theme"), "value"); got != want {
			t.Errorf("with %s %q is pressed", sent, got)
		}
	}
	if a := w.post("grace", "/ops/theme", url.Values{"theme": {"pink"}}); a.status != http.StatusBadRequest {
		t.Errorf("an unknown theme is %d", a.status)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	client := gtftest.Client(t, gtftest.NewStore(t), nil)
	for name, opts := range map[string]*webui.Options{
		"no way to find out who asks": nil,
		"two":                         {Authenticator: everybody(), HostAuthenticates: true},
		"a base that is no path":      {Authenticator: everybody(), Base: "ops/"},
	} {
		if _, err := webui.New(client, opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	t.Run("takes who asks from the host", func(t *testing.T) {
		w := newWorld(t, &webui.Options{HostAuthenticates: true})
		inner := w.pages
		w.pages = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			who := auth.Identity{Principal: grace, Read: true}
			inner.ServeHTTP(out, r.WithContext(who.Context(r.Context())))
		})
		if a := w.get("", "/tasks"); a.status != http.StatusOK {
			t.Errorf("got %d", a.status)
		}
		w.pages = inner
		if a := w.get("root", "/tasks"); a.status != http.StatusUnauthorized {
			t.Errorf("without the host's word it is %d, want 401", a.status)
		}
	})
}
