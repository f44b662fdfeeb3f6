package httpapi

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/globaltask/gtf/internal/web"
)

// crossing is what pages of other origins may do: nothing with the cookies of a person (CSRF), unless the origin was
// configured (CORS).
type crossing struct {
	origins    []string
	protection *http.CrossOriginProtection
}

func newCrossing(origins []string) (*crossing, error) {
	c := &crossing{origins: origins, protection: http.NewCrossOriginProtection()}
	for _, origin := range origins {
		if err := c.protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("origin %q: %w", origin, err)
		}
	}
	c.protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.NewProblem(http.StatusForbidden, "a page of another origin may not do this").Write(w, r)
	}))
	return c, nil
}

func (c *crossing) guard(next http.Handler) http.Handler {
	protected := c.protection.Handler(next)
	if len(c.origins) == 0 {
		return protected
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin == "" || !slices.Contains(c.origins, origin) {
			protected.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-Id")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		protected.ServeHTTP(w, r)
	})
}
