package apitest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/globaltask/gtf/httpapi"
)

// document is the OpenAPI document of the API. Its schemas are compiled once.
type document struct {
	api *openapi3.T

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by pointer
}

// load reads the document, and checks the document itself.
var load = sync.OnceValues(func() (*document, error) {
	api, err := openapi3.NewLoader().LoadFromData(httpapi.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI document: %w", err)
	}
	if err := api.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the OpenAPI document is not valid: %w", err)
	}
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(httpapi.OpenAPI()))
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI document: %w", err)
	}
	d := &document{api: api, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(place, text); err != nil {
		return nil, fmt.Errorf("load the OpenAPI document: %w", err)
	}
	return d, nil
})

const place = "https://gtf.invalid/openapi.json" // where the compiler finds it: nothing is fetched

// pointer is a JSON pointer into the document, as a fragment of a URL.
func pointer(keys ...string) string {
	var text strings.Builder
	_ = text.WriteByte('#')
	for _, key := range keys {
		_, _ = text.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(key)))
	}
	return text.String()
}

// fits checks JSON against the schema at a pointer.
func (d *document) fits(at string, text []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	schema, ok := d.schemas[at]
	if !ok {
		var err error
		if schema, err = d.compiler.Compile(place + at); err != nil {
			return fmt.Errorf("compile the schema at %s: %w", at, err)
		}
		d.schemas[at] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("the body does not fit: %w", err)
	}
	return nil
}
