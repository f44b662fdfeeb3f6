package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// attempt is what a browser keeps of a login that has begun, in a cookie of its own: several tabs may log in at once.
type attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
	ReturnTo string `json:"return_to"`
	Until    int64  `json:"until"`
}

const (
	loginTime   = 10 * time.Minute
	maxAttempts = 8 // cookies of logins that were begun and left
)

var states = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func attemptCookie(state string) string { return "gtf_login_" + state[:12] }

func (l *Login) login(w http.ResponseWriter, r *http.Request) {
	provider, _, err := l.provider.get(r.Context(), l.client)
	if err != nil {
		l.fail(w, r, http.StatusServiceUnavailable, "The identity provider cannot be reached.", err)
		return
	}
	a := attempt{State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(),
		ReturnTo: l.returnTo(r.FormValue("return_to")), Until: time.Now().Add(loginTime).Unix()}
	name := attemptCookie(a.State)
	sealed, err := l.seal(name, a)
	if err != nil {
		l.fail(w, r, http.StatusInternalServerError, "The login could not be begun.", err)
		return
	}
	l.forgetAttempts(w, r)
	http.SetCookie(w, l.cookie(name, sealed, loginTime))
	oauth := l.oauth
	oauth.Endpoint = provider.Endpoint()
	redirect(w, oauth.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)))
}

// forgetAttempts keeps the cookies of logins that nobody finished from filling the header.
func (l *Login) forgetAttempts(w http.ResponseWriter, r *http.Request) {
	var begun []string
	for _, c := range r.Cookies() {
		if name, ok := strings.CutPrefix(c.Name, l.cookieName("")); ok && strings.HasPrefix(name, "gtf_login_") {
			begun = append(begun, name)
		}
	}
	if len(begun) < maxAttempts {
		return
	}
	for _, name := range begun {
		http.SetCookie(w, l.cookie(name, "", 0))
	}
}

// returnTo is a place on this server; anything else is its first page.
func (l *Login) returnTo(text string) string {
	if isLocalPath(text) {
		return text
	}
	return l.base + "/"
}

// isLocalPath reports whether every browser takes a text for a path of the same host: some read \ as /, leave out tabs and
// ends of lines, and take what follows two slashes for a host.
func isLocalPath(text string) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= 2000 && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && u.Scheme == "" && u.Host == "" &&
		!strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' })
}

func (l *Login) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	state := query.Get("state")
	if !states.MatchString(state) {
		l.fail(w, r, http.StatusBadRequest, "This is no answer to a login.", errors.New("the state is missing or malformed"))
		return
	}
	a, err := l.finish(w, r, state)
	if err != nil {
		l.fail(w, r, http.StatusBadRequest, "This login was begun too long ago, or in another browser.", err)
		return
	}
	if refusal := query.Get("error"); refusal != "" {
		l.fail(w, r, http.StatusForbidden, "The identity provider has refused the login.",
			fmt.Errorf("the provider answers %.60q: %.200q", refusal, query.Get("error_description")))
		return
	}
	if issuer := query.Get("iss"); issuer != "" && issuer != l.provider.issuer {
		l.fail(w, r, http.StatusBadRequest, "This is no answer to a login.", fmt.Errorf("the answer is of another provider, %.200q", issuer))
		return
	}
	s, err := l.exchange(r.Context(), a, query.Get("code"))
	switch {
	case errors.Is(err, ErrCredentials):
		l.fail(w, r, http.StatusForbidden, "The identity provider's answer is not valid.", err)
		return
	case err != nil:
		l.fail(w, r, http.StatusBadGateway, "The login could not be finished with the identity provider.", err)
		return
	}
	cookie, err := l.issue(s)
	if err != nil {
		l.fail(w, r, http.StatusInternalServerError, "The login could not be finished.", err)
		return
	}
	http.SetCookie(w, cookie)
	l.log.InfoContext(r.Context(), "logged in", "principal", s.ID, "role", s.Role)
	redirect(w, a.ReturnTo)
}

// finish takes the browser's cookie of this login, which is good once.
func (l *Login) finish(w http.ResponseWriter, r *http.Request, state string) (*attempt, error) {
	name := attemptCookie(state)
	http.SetCookie(w, l.cookie(name, "", 0))
	c, err := r.Cookie(l.cookieName(name))
	if err != nil {
		return nil, errors.New("the browser has no cookie of this login")
	}
	a := &attempt{}
	if err := l.open(name, c.Value, a); err != nil {
		return nil, err
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) != 1:
		return nil, errors.New("the cookie is of another login")
	case time.Now().Unix() >= a.Until:
		return nil, errors.New("the login has expired")
	}
	return a, nil
}

// exchange turns the provider's code into a session.
func (l *Login) exchange(ctx context.Context, a *attempt, code string) (*session, error) {
	known, _, err := l.provider.get(ctx, l.client)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, l.client)
	oauth := l.oauth
	oauth.Endpoint = known.Endpoint()
	token, err := oauth.Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode < http.StatusInternalServerError {
		return nil, fmt.Errorf("%w: exchange the code: %w", ErrCredentials, err)
	}
	if err != nil {
		return nil, fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := known.Verifier(&oidc.Config{ClientID: l.oauth.ClientID}).Verify(ctx, raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: check the ID token: %w", ErrCredentials, err)
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1:
		return nil, fmt.Errorf("%w: the ID token is of another login", ErrCredentials)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, fmt.Errorf("%w: check the access token: %w", ErrCredentials, err)
		}
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("%w: read the ID token: %w", ErrCredentials, err)
	}
	if err := l.complete(ctx, known, token, id.Subject, claims); err != nil {
		return nil, err
	}
	p, groups, err := l.claims.person(claims)
	if err != nil {
		return nil, err
	}
	return &session{ID: p.ID, Name: p.Name, Email: p.Email, Role: l.roles.of(groups), Began: time.Now().Unix(), Hint: raw}, nil
}

// complete asks the provider for the claims that it leaves out of its ID tokens, as many do.
func (l *Login) complete(ctx context.Context, known *oidc.Provider, token *oauth2.Token, subject string, claims map[string]any) error {
	missing := false
	for _, name := range []string{l.claims.ID, firstOf(l.claims.Name, "name"), firstOf(l.claims.Email, "email"), l.claims.Roles} {
		if _, ok := claim(claims, name); name != "" && !ok {
			missing = true
		}
	}
	if !missing || known.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fmt.Errorf("ask for the claims that the ID token lacks: %w", err)
	}
	more := map[string]any{}
	switch err := info.Claims(&more); {
	case err != nil:
		return fmt.Errorf("%w: read the claims that the ID token lacks: %w", ErrCredentials, err)
	case info.Subject != subject:
		return fmt.Errorf("%w: the provider's claims are about somebody else", ErrCredentials)
	}
	for name, v := range more {
		if _, signed := claims[name]; !signed {
			claims[name] = v
		}
	}
	return nil
}

// logout ends the session here and, where the provider offers it, there.
func (l *Login) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, l.cookie(sessionCookie, "", 0))
	s, _ := l.read(r)
	if s == nil {
		redirect(w, l.base+"/")
		return
	}
	_, end, err := l.provider.get(r.Context(), l.client)
	if err != nil {
		l.log.WarnContext(r.Context(), "logged out here, not at the provider", "error", err)
	}
	u, err := url.Parse(end)
	if end == "" || err != nil {
		redirect(w, l.base+"/")
		return
	}
	query := u.Query()
	query.Set("client_id", l.oauth.ClientID)
	query.Set("post_logout_redirect_uri", l.home)
	if s.Hint != "" {
		query.Set("id_token_hint", s.Hint)
	}
	u.RawQuery = query.Encode()
	redirect(w, u.String())
}

// redirect sends a browser on. Unlike http.Redirect it adds nothing to a path: the prefix of the server is in it.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// fail tells a browser in a sentence, and the log why.
func (l *Login) fail(w http.ResponseWriter, r *http.Request, status int, text string, err error) {
	l.log.WarnContext(r.Context(), "login failed", "error", err, "status", status)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html>\n<html lang=en><title>Login</title>\n<p>%s <a href=\"%s\">Try again</a>\n",
		html.EscapeString(text), html.EscapeString(l.base+"/auth/login"))
}
