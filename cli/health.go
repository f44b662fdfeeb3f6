package cli

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf/internal/web"
)

// health answers whether this process lives, and whether it does its work.
type health struct {
	conn    *Connection
	log     *slog.Logger
	leaving atomic.Bool
}

// register adds the checks to a mux. Everybody may ask how it is. What is wrong names types, workers and hosts: only those for
// whom tells is true are told.
func (h *health) register(mux *http.ServeMux, tells func(*http.Request) bool) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		web.Quietly(r.Context()) // a probe asks for ever
		h.answer(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		web.Quietly(r.Context())
		h.ready(w, r, tells(r))
	})
}

func (h *health) ready(w http.ResponseWriter, r *http.Request, tell bool) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	findings, err := examine(ctx, h.conn.Store, h.conn.Client.Config())
	status, ready := http.StatusOK, "ready"
	problems := []string{} // what others have to mend does not make this process unready
	for _, f := range findings {
		if f.Level != levelOK {
			problems = append(problems, f.Text)
		}
	}
	if link := h.conn.Client.LinkError(); link != nil { // it costs latency only
		problems = append(problems, "signals of other processes do not arrive; polling: "+link.Error())
	}
	switch {
	case h.leaving.Load():
		status, ready = http.StatusServiceUnavailable, "stopping"
	case err != nil:
		status, ready = http.StatusServiceUnavailable, "not ready"
		problems = append(problems, "the store does not answer: "+err.Error())
	case !h.conn.Client.Enabled():
		ready = "switched off"
	}
	body := map[string]any{"status": ready}
	if tell {
		body["problems"] = problems
	}
	h.answer(w, status, body)
}

func (h *health) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.log.Debug("health check not answered", "error", err)
	}
}
