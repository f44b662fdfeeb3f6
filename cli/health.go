package cli

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// health answers whether this process lives, and whether it does its work.
type health struct {
	conn     *Connection
	log      *slog.Logger
	draining atomic.Bool
}

func (h *health) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		h.answer(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", h.ready)
	return mux
}

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
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
	case h.draining.Load():
		status, ready = http.StatusServiceUnavailable, "stopping"
	case err != nil:
		status, ready = http.StatusServiceUnavailable, "not ready"
		problems = append(problems, "the store does not answer: "+err.Error())
	case !h.conn.Client.Enabled():
		ready = "switched off"
	}
	h.answer(w, status, map[string]any{"status": ready, "problems": problems})
}

func (h *health) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.log.Debug("health check not answered", "error", err)
	}
}
