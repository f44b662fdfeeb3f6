package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

// DemoLogin lets everybody be whom they like. It is for trying out, on one's own machine.
type DemoLogin struct {
	anywhere bool
	origin   http.CrossOriginProtection
}

// Demo lets everybody choose who they are; at first they are ada, an admin. Requests by another name of the machine than
// localhost or a loopback address are refused unless anywhere is set, so that no web page can get in by a DNS record that
// points here.
func Demo(anywhere bool) *DemoLogin { return &DemoLogin{anywhere: anywhere} }

type demoPerson struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

const roleGuest = "guest"

var demoPeople = []demoPerson{
	{"ada", "Ada Lovelace", string(RoleAdmin)},
	{"grace", "Grace Hopper", string(RoleUser)},
	{"alan", "Alan Turing", string(RoleUser)},
	{"katherine", "Katherine Johnson", string(RoleViewer)},
	{"visitor", "A visitor", roleGuest},
}

func (p demoPerson) identity() *Identity {
	if p.Role == roleGuest {
		return &Identity{Principal: gtf.Principal{Kind: gtf.KindGuest, ID: p.ID, Name: p.Name}, Method: "demo", Read: true}
	}
	return Role(p.Role).Identity(gtf.Principal{Kind: gtf.KindUser, ID: p.ID, Name: p.Name, Email: p.ID + "@example.com"}, "demo")
}

// DemoPeople are those that [Demo] lets everybody be, the first at first.
func DemoPeople() []*Identity {
	people := make([]*Identity, len(demoPeople))
	for i, p := range demoPeople {
		people[i] = p.identity()
	}
	return people
}

const demoCookie = "gtf_demo"

// Authenticate implements Authenticator.
func (d *DemoLogin) Authenticate(r *http.Request) (*Identity, error) {
	if !d.anywhere && !isLoopback(hostname(r.Host)) {
		return nil, fmt.Errorf("%w: the demo answers to localhost only, not to %.60q", ErrCredentials, r.Host)
	}
	return d.chosen(r).identity(), nil
}

// hostname is a Host header without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.String()
	}
	return host
}

func (d *DemoLogin) chosen(r *http.Request) demoPerson {
	c, err := r.Cookie(demoCookie)
	if err != nil {
		return demoPeople[0]
	}
	if p, ok := demoNamed(c.Value); ok {
		return p
	}
	return demoPeople[0]
}

func demoNamed(id string) (demoPerson, bool) {
	at := slices.IndexFunc(demoPeople, func(p demoPerson) bool { return p.ID == id })
	if at < 0 {
		return demoPerson{}, false
	}
	return demoPeople[at], true
}

// Mount adds GET /auth/demo, which lists the people, and POST /auth/demo, which chooses one: {"user": "grace"}, or a form
// with user and return_to.
func (d *DemoLogin) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /auth/demo", d.list)
	mux.Handle("POST /auth/demo", d.origin.Handler(http.HandlerFunc(d.choose)))
}

func (d *DemoLogin) list(w http.ResponseWriter, r *http.Request) {
	if _, err := d.Authenticate(r); err != nil {
		web.NewProblem(http.StatusUnauthorized, err.Error()).Write(w, r)
		return
	}
	d.answer(w, d.chosen(r).ID)
}

func (d *DemoLogin) answer(w http.ResponseWriter, user string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"user": user, "users": demoPeople}) // who has gone does not need it
}

func (d *DemoLogin) choose(w http.ResponseWriter, r *http.Request) {
	if _, err := d.Authenticate(r); err != nil {
		web.NewProblem(http.StatusUnauthorized, err.Error()).Write(w, r)
		return
	}
	user, back, err := demoChoice(w, r)
	if err != nil {
		web.NewProblem(http.StatusBadRequest, err.Error()).Write(w, r)
		return
	}
	p, ok := demoNamed(user)
	if !ok {
		web.NewProblem(http.StatusBadRequest, fmt.Sprintf("%.60q is nobody in the demo", user)).Write(w, r)
		return
	}
	// Not Secure: it is for plain HTTP, and says nothing that anybody must not know.
	http.SetCookie(w, &http.Cookie{Name: demoCookie, Value: p.ID, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	if back != "" {
		redirect(w, back)
		return
	}
	d.answer(w, p.ID)
}

// demoChoice reads who it is to be, and for a form where to go then.
func demoChoice(w http.ResponseWriter, r *http.Request) (user, back string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" {
		var body struct {
			User string `json:"user"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return "", "", errors.New(`the body must be {"user": "ada"}`)
		}
		return body.User, "", nil
	}
	if err := r.ParseForm(); err != nil {
		return "", "", errors.New("the form cannot be read")
	}
	back = r.PostForm.Get("return_to")
	if !isLocalPath(back) {
		back = "../" // from /auth/demo to the first page, whatever the prefix
	}
	return r.PostForm.Get("user"), back, nil
}
