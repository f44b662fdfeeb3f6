package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// document is what the page shows of the OpenAPI document: the parts that the document has.
type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"info"`
	Paths      members `json:"paths"`
	Components struct {
		SecuritySchemes members `json:"securitySchemes"`
		Parameters      members `json:"parameters"`
		Headers         members `json:"headers"`
		Responses       members `json:"responses"`
		Schemas         members `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	ID          string       `json:"operationId"`
	Summary     string       `json:"summary"`
	Description string       `json:"description"`
	Security    *[]any       `json:"security"`
	Parameters  []parameter  `json:"parameters"`
	RequestBody *requestBody `json:"requestBody"`
	Responses   members      `json:"responses"`

	method, path string
}

type parameter struct {
	Ref         string          `json:"$ref"`
	Name        string          `json:"name"`
	In          string          `json:"in"`
	Required    bool            `json:"required"`
	Description string          `json:"description"`
	Schema      schema          `json:"schema"`
	Example     json.RawMessage `json:"example"`
}

type requestBody struct {
	Required bool    `json:"required"`
	Content  members `json:"content"`
}

type response struct {
	Ref         string  `json:"$ref"`
	Description string  `json:"description"`
	Headers     members `json:"headers"`
	Content     members `json:"content"`
}

type header struct {
	Ref         string `json:"$ref"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
	Schema      schema `json:"schema"`
}

type media struct {
	Schema  schema          `json:"schema"`
	Events  members         `json:"x-events"`
	Example json.RawMessage `json:"example"`
}

type securityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme"`
	In          string `json:"in"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// where is what a request carries.
func (s *securityScheme) where() string {
	if s.Type == "http" {
		return "Authorization: " + strings.ToUpper(s.Scheme[:1]) + s.Scheme[1:] + " …"
	}
	return s.In + " " + s.Name
}

type schema struct {
	Ref         string            `json:"$ref"`
	Type        typeNames         `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Enum        []json.RawMessage `json:"enum"`
	Const       json.RawMessage   `json:"const"`
	AnyOf       []schema          `json:"anyOf"`
	Items       *schema           `json:"items"`
	Properties  members           `json:"properties"`
	Required    []string          `json:"required"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Minimum     json.RawMessage   `json:"minimum"`
	Maximum     json.RawMessage   `json:"maximum"`
	MaxLength   json.RawMessage   `json:"maxLength"`
	MaxItems    json.RawMessage   `json:"maxItems"`
	Default     json.RawMessage   `json:"default"`
	Example     json.RawMessage   `json:"example"`
}

// typeNames are one or several.
type typeNames []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *typeNames) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(text, []byte("[")) {
		text = fmt.Appendf(nil, "[%s]", text)
	}
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return err
	}
	*t = names
	return nil
}

// isStructure tells whether a schema lists its members itself.
func (s *schema) isStructure() bool {
	return s.Ref == "" && (s.Properties != nil || string(s.Additional) == "false")
}

func (s *schema) requires(name string) bool { return slices.Contains(s.Required, name) }

func (s *schema) withoutDescription() schema {
	bare := *s
	bare.Description = ""
	return bare
}

// others is the schema of members that are not listed; nil if there is none.
func (s *schema) others() *schema {
	other := &schema{}
	if !bytes.HasPrefix(s.Additional, []byte("{")) || json.Unmarshal(s.Additional, other) != nil {
		return nil
	}
	return other
}

func (s *schema) limits() string {
	var words []string
	add := func(before string, value json.RawMessage, after string) {
		if value != nil {
			words = append(words, before+string(value)+after)
		}
	}
	add("from ", s.Minimum, "")
	add("to ", s.Maximum, "")
	add("at most ", s.MaxLength, " characters")
	add("at most ", s.MaxItems, "")
	add("default ", s.Default, "")
	return strings.Join(words, " ")
}

func readDocument(text []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	return d, nil
}

// operations lists them in the order of the document.
func (d *document) operations() []operation {
	var all []operation
	for _, path := range membersOf[members](d.Paths) {
		var shared []parameter
		for _, m := range path.Value {
			switch m.Name {
			case "parameters":
				shared = must[[]parameter](m.Value)
			default:
				o := must[operation](m.Value)
				o.method, o.path = strings.ToUpper(m.Name), path.Name
				o.Parameters = append(slices.Clip(shared), o.Parameters...)
				all = append(all, o)
			}
		}
	}
	return all
}

// short is the path without what all have in common.
func (o *operation) short() string { return strings.TrimPrefix(o.path, "/api/v1") }

// describe is the description of a schema, or of the one it refers to.
func (d *document) describe(s schema) string {
	return resolve(s, s.Ref, d.Components.Schemas).Description
}

// members are those of a JSON object in the order they are written in, which a reader of the page expects.
type members []member[json.RawMessage]

type member[T any] struct {
	Name  string
	Value T
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *members) UnmarshalJSON(text []byte) error {
	from := json.NewDecoder(bytes.NewReader(text))
	if begin, err := from.Token(); err != nil || begin != json.Delim('{') {
		return fmt.Errorf("%.60s is not an object", text)
	}
	*m = members{}
	for from.More() {
		name, err := from.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := from.Decode(&value); err != nil {
			return err
		}
		*m = append(*m, member[json.RawMessage]{fmt.Sprint(name), value})
	}
	return nil
}

func membersOf[T any](all members) []member[T] {
	typed := make([]member[T], len(all))
	for i, m := range all {
		typed[i] = member[T]{m.Name, must[T](m.Value)}
	}
	return typed
}

// resolve is what a reference names among the components, or v itself if it is none.
func resolve[T any](v T, ref string, components members) T {
	for _, m := range components {
		if ref != "" && m.Name == lastOf(ref) {
			return must[T](m.Value)
		}
	}
	return v
}

func lastOf(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// must reads a part of the document, which is ours: a test reads all of it.
func must[T any](text json.RawMessage) T {
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		panic(fmt.Sprintf("apidoc: read the OpenAPI document: %v in %.100s", err, text))
	}
	return value
}

// plain shows an example as it is sent: texts without quotes.
func plain(example json.RawMessage) string {
	var text string
	if json.Unmarshal(example, &text) == nil {
		return text
	}
	var list []string
	if json.Unmarshal(example, &list) == nil {
		return strings.Join(list, ", ")
	}
	return string(example)
}

func indented(example json.RawMessage) string {
	var text string
	if json.Unmarshal(example, &text) == nil {
		return text
	}
	var lines bytes.Buffer
	if err := json.Indent(&lines, example, "", "  "); err != nil {
		return string(example)
	}
	return lines.String()
}
