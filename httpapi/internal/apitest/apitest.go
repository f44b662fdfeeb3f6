// Package apitest checks in tests what an API answers against its OpenAPI document.
//
//	handler := apitest.Check(t, api)
//
// Every answer must be in the document: its status, its headers, and a body that fits the schema, for streams of events that
// of each event. What is refused must be refused with a problem. And what is answered must have been asked for as the
// document says: a handler that takes more than that is as wrong as one that gives more.
package apitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Check wraps the handler of the API, mounted at the root. What it finds fails the test.
func Check(t testing.TB, handler http.Handler) http.Handler {
	t.Helper()
	doc, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("apitest: read the body of %s %s: %v", r.Method, r.URL, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		seen := &seen{ResponseWriter: w, status: http.StatusOK}
		asked := r.Clone(context.WithoutCancel(r.Context()))
		handler.ServeHTTP(seen, r)
		asked.Body = io.NopCloser(bytes.NewReader(bytes.TrimSpace(body)))
		if err := doc.check(asked, len(body) > 0, seen); err != nil {
			t.Errorf("apitest: %s %s was answered with %d: %v\n%.2000s", r.Method, r.URL, seen.status, err, seen.body.String())
		}
	})
}

// seen is an answer on its way.
type seen struct {
	http.ResponseWriter
	status int
	wrote  bool
	body   bytes.Buffer
}

// Unwrap is for http.ResponseController.
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (s *seen) WriteHeader(status int) {
	if !s.wrote && status >= http.StatusOK {
		s.status, s.wrote = status, true
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (s *seen) Write(p []byte) (int, error) {
	s.wrote = true
	_, _ = s.body.Write(p)
	return s.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (s *seen) Flush() { _ = http.NewResponseController(s.ResponseWriter).Flush() } // no stream, no flush

func (d *document) check(r *http.Request, hasBody bool, answer *seen) error {
	if answer.Header().Get("Content-Encoding") != "" {
		return errors.New("it is compressed: ask without Accept-Encoding")
	}
	head := r.Method == http.MethodHead
	if head {
		r.Method = http.MethodGet
	}
	route, params := d.find(r)
	general := answer.status == http.StatusRequestEntityTooLarge && hasBody
	switch {
	case route == nil && !slices.Contains(noPath, answer.status) && !general:
		return errors.New("there is no such path in the document")
	case route != nil && route.Operation == nil && !slices.Contains(noMethod, answer.status) && !general:
		return errors.New("there is no such method in the document")
	case answer.status == http.StatusMethodNotAllowed && answer.Header().Get("Allow") == "":
		return errors.New("the header Allow is missing")
	case head:
		return nil
	case route == nil, route.Operation == nil, general && route.Operation.Responses.Status(answer.status) == nil:
		return d.checkProblem(answer)
	}
	in := &openapi3filter.RequestValidationInput{Request: asDocumented(r), PathParams: params, Route: route, Options: options}
	if answer.status < http.StatusMultipleChoices {
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
			return fmt.Errorf("which the document does not allow to ask: %w", err)
		}
		if id, ok := params["uuid"]; ok && !isUUID.MatchString(id) { // kin-openapi looks at no formats here
			return errors.New("which the document does not allow to ask: the path has no UUID")
		}
	}
	return d.checkAnswer(in, answer)
}

var isUUID = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// What may be said of a path and of a method that are not in the document: 403 to a page of another origin.
var (
	noPath   = []int{http.StatusNotFound, http.StatusForbidden}
	noMethod = append([]int{http.StatusMethodNotAllowed}, noPath...)
)

var options = &openapi3filter.Options{
	AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc, // who may ask what is the matter of other tests
	ExcludeResponseBody:   true,                                  // it would compile the schema each time
	IncludeResponseStatus: true,
	SkipSettingDefaults:   true,
}

// asDocumented undoes what the document says in words: an empty parameter is none, a blank body neither, and a body is JSON by
// any other name.
func asDocumented(r *http.Request) *http.Request {
	query := url.Values{}
	for name, values := range r.URL.Query() {
		for _, value := range values {
			if value != "" {
				query.Add(name, value)
			}
		}
	}
	r.URL.RawQuery = query.Encode()
	r.Header.Set("Content-Type", "application/json")
	return r
}

// find returns the path of the document that a request is for, with its operation if the path knows the method, and nil if
// there is none. A path without a variable goes before one with.
func (d *document) find(r *http.Request) (*routers.Route, map[string]string) {
	path := r.URL.EscapedPath()
	if path == "/api/v1/task" {
		path += "/" // the same, as the document says
	}
	for _, template := range d.api.Paths.InMatchingOrder() {
		if params, ok := match(template, path); ok {
			item := d.api.Paths.Value(template)
			return &routers.Route{
				Spec: d.api, Path: template, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method),
			}, params
		}
	}
	return nil, nil
}

func match(template, path string) (map[string]string, bool) {
	wanted, given := strings.Split(template, "/"), strings.Split(path, "/")
	if len(wanted) != len(given) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range wanted {
		name, variable := strings.CutPrefix(part, "{")
		switch value, err := url.PathUnescape(given[i]); {
		case err != nil, !variable && value != part, variable && value == "":
			return nil, false
		case variable:
			params[strings.TrimSuffix(name, "}")] = value
		}
	}
	return params, true
}

func (d *document) checkAnswer(in *openapi3filter.RequestValidationInput, answer *seen) error {
	response := in.Route.Operation.Responses.Status(answer.status)
	if response == nil {
		return errors.New("the document does not have this status")
	}
	if err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: answer.status, Header: answer.Header(), Options: options,
	}); err != nil {
		return err
	}
	kind, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	switch content := response.Value.Content; {
	case len(content) == 0 && answer.body.Len() > 0:
		return errors.New("the document has no body for this status")
	case len(content) == 0:
		return nil
	case content[kind] == nil:
		return fmt.Errorf("the document does not have the type %q", kind)
	case kind == "text/event-stream":
		return d.checkEvents(content[kind], answer.body.Bytes())
	case !strings.HasSuffix(kind, "json"):
		return nil
	}
	at := response.Ref
	if at == "" {
		at = pointer("paths", in.Route.Path, strings.ToLower(in.Route.Method), "responses", strconv.Itoa(answer.status))
	}
	return d.fits(at+pointer("content", kind, "schema")[1:], answer.body.Bytes())
}

// checkProblem checks an answer to what the document does not have.
func (d *document) checkProblem(answer *seen) error {
	if got := answer.Header().Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("an error has the type %q", got)
	}
	return d.fits(pointer("components", "schemas", "Problem"), answer.body.Bytes())
}
