package webui_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/webui"
)

// BenchmarkRows renders the rows of one page, without a database.
func BenchmarkRows(b *testing.B) {
	pages, err := webui.New(gtftest.Client(b, gtftest.NewStore(b), nil), &webui.Options{Authenticator: everybody()})
	if err != nil {
		b.Fatal(err)
	}
	now, random := time.Now(), rand.New(rand.NewPCG(1, 2))
	tasks := make([]*gtf.Task, 25)
	for i := range tasks {
		tasks[i] = generated(random, now)
	}
	r, root := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/tasks", nil), everybody()["root"]
	for b.Loop() {
		for _, t := range tasks {
			pages.RowOf(r, root, t, now)
		}
	}
}
