package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

// openAPISchema is what the test reads of a schema.
type openAPISchema struct {
	Type                 any                       `json:"type"`
	Enum                 []any                     `json:"enum"`
	AdditionalProperties json.RawMessage           `json:"additionalProperties"`
	Required             []string                  `json:"required"`
	Properties           map[string]*openAPISchema `json:"properties"`
}

func schemas(t testing.TB) map[string]*openAPISchema {
	t.Helper()
	var doc struct {
		Components struct {
			Schemas map[string]*openAPISchema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(httpapi.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Components.Schemas
}

// What the server writes and what the document says of it are two lists of the same names. That the values fit is seen
// wherever a test asks the API.
func TestOpenAPIHasTheFieldsOfTheServer(t *testing.T) {
	t.Parallel()
	all := schemas(t)
	for name, view := range httpapi.Views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := all[name]
			if schema == nil {
				t.Fatal("the document has no such schema")
			}
			if string(schema.AdditionalProperties) != "false" {
				t.Error("the schema allows members that it does not list")
			}
			var names []string
			for field := range reflect.TypeOf(view).Fields() {
				tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				names = append(names, tag)
				if schema.Properties[tag] == nil {
					t.Errorf("the server writes %q, of which the document does not know", tag)
				}
				if always := !strings.Contains(options, "omit"); always != slices.Contains(schema.Required, tag) {
					t.Errorf("%q is always written: %v, and required: %v", tag, always, !always)
				}
			}
			for property := range schema.Properties {
				if !slices.Contains(names, property) {
					t.Errorf("the document has %q, which the server does not write", property)
				}
			}
		})
	}
}

func TestOpenAPIHasTheValuesOfTheServer(t *testing.T) {
	t.Parallel()
	all := schemas(t)
	tests := []struct {
		schema string
		got    []any
		want   any
	}{
		{"Status", all["Status"].Enum, gtf.Statuses()},
		{"Scope", all["Scope"].Enum, gtf.Scopes()},
		{"Effect", all["Effect"].Enum, []gtf.CancelEffect{gtf.EffectAbort, gtf.EffectUnsubscribe, gtf.EffectDetach}},
		{"Properties.execution_mode", all["Properties"].Properties["execution_mode"].Enum, []gtf.Mode{gtf.ModeAsync, gtf.ModeSync}},
		{"CancelAction.state", all["CancelAction"].Properties["state"].Enum, []gtf.CancelState{gtf.CancelAvailable, gtf.CancelDisabled, gtf.CancelHidden}},
		{"CancelAction.force", all["CancelAction"].Properties["force"].Enum, []gtf.CancelForce{gtf.ForceNone, gtf.ForceOptional, gtf.ForceRequired, gtf.ForceUnavailable}},
		{"Task.abort_reason", all["Task"].Properties["abort_reason"].Enum, []gtf.AbortReason{gtf.AbortByUser, gtf.AbortByTimeout}},
		{"Filter.kind", all["Filter"].Properties["kind"].Enum, []gtf.FilterKind{gtf.KindText, gtf.KindChoice, gtf.KindTime, gtf.KindPeople}},
	}
	for _, tt := range tests {
		if got, want := fmt.Sprint(tt.got), fmt.Sprint(tt.want); got != want {
			t.Errorf("%s lists %s, want %s", tt.schema, got, want)
		}
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	t.Run("is served to anybody as it is", func(t *testing.T) {
		t.Parallel()
		a := w.do(http.MethodGet, "", "/api/v1/openapi.json", "")
		wantStatus(t, a, http.StatusOK)
		if a.text != string(httpapi.OpenAPI()) {
			t.Error("what is served differs from OpenAPI()")
		}
	})
	t.Run("is relative to where it is", func(t *testing.T) {
		t.Parallel()
		a := w.do(http.MethodGet, "", "/api/v1/openapi.json", "")
		if got := fmt.Sprint(a.at("servers")); !strings.Contains(got, "url:../../") {
			t.Errorf("servers are %s, want ../../", got)
		}
	})
}

func TestReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{})
	page := w.do(http.MethodGet, "", "/api/v1/docs", "")
	wantStatus(t, page, http.StatusOK)
	t.Run("shows every operation and schema", func(t *testing.T) {
		t.Parallel()
		var doc struct {
			Paths      map[string]map[string]json.RawMessage `json:"paths"`
			Components struct {
				Schemas map[string]any `json:"schemas"`
			} `json:"components"`
		}
		if err := json.Unmarshal(httpapi.OpenAPI(), &doc); err != nil {
			t.Fatal(err)
		}
		for path, item := range doc.Paths {
			for method := range item {
				if want := `<span class="method">` + strings.ToUpper(method) + `</span> ` + path + `</code>`; method != "parameters" && !strings.Contains(page.text, want) {
					t.Errorf("%s %s is missing", method, path)
				}
			}
		}
		for name := range doc.Components.Schemas {
			if !strings.Contains(page.text, `<section id="schema-`+name+`">`) {
				t.Errorf("the schema %s is missing", name)
			}
		}
	})
	t.Run("links only to what is there", func(t *testing.T) {
		t.Parallel()
		links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page.text, -1)
		if len(links) < 50 {
			t.Errorf("there are only %d links", len(links))
		}
		for _, link := range links {
			if id, local := strings.CutPrefix(link[1], "#"); link[1] != "openapi.json" && (!local || !strings.Contains(page.text, `id="`+id+`"`)) {
				t.Errorf("%q leads nowhere", link[1])
			}
		}
	})
	t.Run("needs nothing else", func(t *testing.T) {
		t.Parallel()
		for _, outside := range []string{"<script", "<img", "<link", " style=", " src=", "@import", "url("} {
			if strings.Contains(page.text, outside) {
				t.Errorf("the page has %s", outside)
			}
		}
		if policy := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
			t.Errorf("the policy is %q", policy)
		}
	})
	t.Run("says what a field may be", func(t *testing.T) {
		t.Parallel()
		for _, want := range []string{
			"date-time or null", `array of <a href="#schema-Subscriber">Subscriber</a>`, "from 1 to 9", "default 25", " required</span>",
			`<code>text/event-stream</code>`, `<code>bye</code>`, `<code>ETag</code>`, `<code>Retry-After</code>`, "Authorization: Bearer",
			`object of <a href="#schema-StatusChange">StatusChange</a>`, "<strong>422</strong>", "&#34;task_key&#34;: &#34;sales-2026&#34;",
		} {
			if !strings.Contains(page.text, want) {
				t.Errorf("the page does not say %s", want)
			}
		}
	})
}
