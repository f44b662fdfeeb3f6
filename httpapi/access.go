package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
)

// permission is what an identity may do (S11.7).
type permission string

const (
	read  permission = "read"
	write permission = "write"
)

// allow lets those through who may, as who they are. What they do not see is not found (S10.2), and no matter of permissions.
func (h *Handler) allow(what permission, do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := h.authenticate(r)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		who.Renew(w)
		web.Annotate(r.Context(), slog.String("by", FormatPrincipal(who.Principal)), slog.String("auth", who.Method))
		if !may(who, what) {
			web.NewProblem(http.StatusForbidden, "you have no permission to "+string(what)).Write(w, r)
			return
		}
		h.memory.keep(r.Context(), who.Principal)
		r = r.WithContext(who.Context(r.Context()))
		if err := do(w, r); err != nil {
			h.refuse(w, r, err)
		}
	}
}

var errNobody = errors.New("nobody is asking")

// authenticate returns who asks. An identity that names nobody is nobody: to gtf that would be the host, who sees everything.
func (h *Handler) authenticate(r *http.Request) (*auth.Identity, error) {
	if h.opts.HostAuthenticates {
		return named(auth.From(r.Context()))
	}
	who, err := h.opts.Authenticator.Authenticate(r)
	if err != nil {
		return nil, err
	}
	return named(who)
}

func named(who *auth.Identity) (*auth.Identity, error) {
	if who == nil || who.Principal.IsZero() {
		return nil, errNobody
	}
	return who, nil
}

func may(who *auth.Identity, what permission) bool {
	if what == write {
		return who.Write
	}
	return who.Read
}

// stillMay tells of a request that takes long whether its credentials are still good, for the one who began it.
func (h *Handler) stillMay(r *http.Request) func(context.Context) bool {
	if h.opts.HostAuthenticates {
		return nil // the host ends it
	}
	began := auth.From(r.Context())
	return func(context.Context) bool {
		who, err := h.authenticate(r)
		if err != nil {
			return !errors.Is(err, auth.ErrCredentials) && !errors.Is(err, errNobody) // what cannot be found out now is asked again
		}
		now, then := who.Principal, began.Principal
		return may(who, read) && now.Kind == then.Kind && now.ID == then.ID && now.Admin == then.Admin && slices.Equal(who.Types, began.Types)
	}
}
