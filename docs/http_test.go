package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
)

// What docs/how-to/http.md shows of Go.

func failed(ctx context.Context, url, token string) (*gtf.TaskPage, error) {
	client, err := httpapi.NewClient(url, &httpapi.ClientOpts{Token: token})
	if err != nil {
		return nil, err
	}
	return client.List(ctx, &gtf.ListParams{Statuses: []gtf.Status{gtf.StatusFailure}})
}

func mount(mux *http.ServeMux, client *gtf.Client, authenticator auth.Authenticator) (*httpapi.Handler, error) {
	api, err := httpapi.New(client, &httpapi.Options{Authenticator: authenticator})
	if err != nil {
		return nil, err
	}
	mux.Handle("/gtf/", http.StripPrefix("/gtf", api))
	return api, nil
}

func TestHTTPSnippets(t *testing.T) {
	t.Parallel()
	refuses := func(context.Context, order) (string, error) { return "", errRefused }
	client := gtftest.New(t, charge.Handler(refuses))
	token := auth.NewToken()
	hash, err := auth.HashToken(token)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.Tokens([]auth.Token{{ID: "ada", Role: auth.RoleAdmin, Hash: hash}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api, err := mount(mux, client, tokens)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	if _, err := charge.Run(t.Context(), client, order{Number: "1"}, &gtf.RunOpts{MaxAttempts: 1}); err == nil {
		t.Fatal("the charge has not failed")
	}
	page, err := failed(t.Context(), server.URL+"/gtf", token)
	if err != nil || page.Count != 1 || !strings.Contains(page.Tasks[0].Error, errRefused.Error()) {
		t.Errorf("the failed tasks are %+v, %v", page, err)
	}
}
