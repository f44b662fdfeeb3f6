package webui

import (
	"net/http"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
)

// RowOf is the row that somebody sees of a task at an instant.
func (u *Handler) RowOf(r *http.Request, who *auth.Identity, t *gtf.Task, now time.Time) string {
	r = r.WithContext(who.Context(r.Context()))
	p := &page{u: u, r: r, who: who, now: now}
	p.me, _ = gtf.PrincipalFrom(r.Context())
	var b strings.Builder
	if err := p.row(t, false).Render(&b); err != nil {
		panic(err)
	}
	return b.String()
}

// AssetSizes are the compressed sizes of what pages load, by name.
func AssetSizes() map[string]int {
	sizes := map[string]int{}
	for name, file := range builtIn().files {
		sizes[name] = len(file.gzip)
	}
	return sizes
}
