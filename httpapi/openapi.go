package httpapi

import (
	_ "embed"
	"net/http"
	"sync"

	"github.com/globaltask/gtf/httpapi/internal/apidoc"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the description of the API in OpenAPI 3.1, as it is served at /api/v1/openapi.json. Its server is relative to
// that address, so that it is right wherever the API is mounted. It must not be changed.
func OpenAPI() []byte { return openAPI }

// reference shows [OpenAPI] to people.
func reference(w http.ResponseWriter, _ *http.Request) {
	page := referencePage()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", page.policy)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(page.html) // who has gone does not need it
}

type drawnPage struct {
	html   []byte
	policy string
}

// referencePage is drawn once.
var referencePage = sync.OnceValue(func() drawnPage {
	html, policy, err := apidoc.Page(openAPI)
	if err != nil {
		panic("httpapi: " + err.Error()) // the document is ours, and a test has drawn it
	}
	return drawnPage{html, policy}
})
