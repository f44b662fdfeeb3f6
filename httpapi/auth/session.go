package auth

import (
	"fmt"
	"net/http"
	"time"

	"github.com/globaltask/gtf"
)

// session is what a browser keeps of a login, sealed in a cookie.
type session struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Role  Role   `json:"role"`
	Began int64  `json:"began"`          // seconds; a session ends in any case when its lifetime is over
	Used  int64  `json:"used"`           // seconds; and when it was not used for a while
	Hint  string `json:"hint,omitempty"` // the ID token, by which the provider knows whose session to end
}

const (
	defaultIdle     = 8 * time.Hour
	defaultLifetime = 24 * time.Hour
	maxCookie       = 3800 // bytes of a value; browsers drop cookies of more than 4096 with name and attributes
)

// sessions reads and writes the cookies.
type sessions struct {
	*sealer

	idle, lifetime time.Duration
	path           string // of the cookies
	secure         bool
}

// cookieName has the prefix by which browsers refuse such a cookie from a neighbouring host or over plain HTTP.
func (s *sessions) cookieName(name string) string {
	switch {
	case s.secure && s.path == "/":
		return "__Host-" + name
	case s.secure:
		return "__Secure-" + name
	}
	return name
}

// cookie is one with every protection there is. Without a value it deletes.
func (s *sessions) cookie(name, value string, lifetime time.Duration) *http.Cookie {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: s.path, MaxAge: int(lifetime.Seconds()),
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if value == "" || c.MaxAge <= 0 {
		c.Value, c.MaxAge = "", -1
	}
	return c
}

const sessionCookie = "gtf_session"

// issue is the cookie of a session that is used now.
func (s *sessions) issue(v *session) (*http.Cookie, error) {
	now := time.Now()
	v.Used = now.Unix()
	value, err := s.seal(sessionCookie, v)
	if err == nil && len(value) > maxCookie && v.Hint != "" {
		v.Hint = "" // then the provider asks whose session is to end
		value, err = s.seal(sessionCookie, v)
	}
	if err != nil {
		return nil, err
	}
	return s.cookie(sessionCookie, value, min(s.idle, s.left(v, now))), nil
}

// left is how long a session may last.
func (s *sessions) left(v *session, now time.Time) time.Duration {
	return time.Unix(v.Began, 0).Add(s.lifetime).Sub(now)
}

// read finds the request's session: nil without one, ErrCredentials if it is over or was tampered with.
func (s *sessions) read(r *http.Request) (*session, error) {
	var refused error
	for _, c := range r.CookiesNamed(s.cookieName(sessionCookie)) {
		v := &session{}
		if err := s.open(sessionCookie, c.Value, v); err != nil {
			refused = fmt.Errorf("%w: %w", ErrCredentials, err)
			continue
		}
		now := time.Now()
		if s.left(v, now) <= 0 || now.Sub(time.Unix(v.Used, 0)) >= s.idle {
			refused = fmt.Errorf("%w: the session is over", ErrCredentials)
			continue
		}
		return v, nil
	}
	return nil, refused
}

// Authenticate implements Authenticator.
func (s *sessions) Authenticate(r *http.Request) (*Identity, error) {
	v, err := s.read(r)
	if v == nil {
		return nil, err
	}
	id := v.Role.Identity(gtf.Principal{Kind: gtf.KindUser, ID: v.ID, Name: v.Name, Email: v.Email}, "session")
	if time.Since(time.Unix(v.Used, 0)) >= s.idle/4 { // not each time: answers with a new cookie cannot be kept by caches
		if id.renewed, err = s.issue(v); err != nil {
			return nil, err
		}
	}
	return id, nil
}
