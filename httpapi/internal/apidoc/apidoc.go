// Package apidoc draws an OpenAPI document as a page for people, which needs no script and nothing from elsewhere.
//
// It knows the parts of OpenAPI that the document of this API has, and x-events, which lists the events of a stream.
package apidoc

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

//go:embed page.css
var style string

// Page draws a document that is found beside the page as openapi.json. The policy is the page's Content-Security-Policy,
// which allows its style and nothing else.
func Page(openAPI []byte) (html []byte, policy string, err error) {
	doc, err := readDocument(openAPI)
	if err != nil {
		return nil, "", err
	}
	var page bytes.Buffer
	if err := doc.page().Render(&page); err != nil {
		return nil, "", fmt.Errorf("draw the OpenAPI document: %w", err)
	}
	hash := sha256.Sum256([]byte(style))
	policy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(hash[:]))
	return page.Bytes(), policy, nil
}

func (d *document) page() g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.TitleEl(g.Text(d.Info.Title+": HTTP API")),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(
			d.contents(),
			h.Main(
				h.H1(g.Text(d.Info.Title+": HTTP API")),
				paragraphs(d.Info.Description),
				h.P(g.Text("This page shows "), h.A(h.Href("openapi.json"), g.Text("openapi.json")), g.Text(", which is OpenAPI "+d.OpenAPI+".")),
				section("authentication", "Who is asking", h.Dl(g.Map(membersOf[securityScheme](d.Components.SecuritySchemes), func(m member[securityScheme]) g.Node {
					return g.Group{h.Dt(h.Code(g.Text(m.Value.where()))), h.Dd(g.Text(m.Value.Description))}
				}))),
				h.H2(h.ID("operations"), g.Text("Operations")),
				g.Map(d.operations(), d.operation),
				h.H2(h.ID("schemas"), g.Text("Schemas")),
				g.Map(membersOf[schema](d.Components.Schemas), func(m member[schema]) g.Node {
					return h.Section(h.ID("schema-"+m.Name), h.H3(anchor("schema-"+m.Name, m.Name)), d.schemaNode(m.Value))
				}),
			),
		),
	))
}

func (d *document) contents() g.Node {
	return h.Nav(g.Attr("aria-label", "Contents"),
		h.Strong(g.Text("Operations")),
		h.Ul(g.Map(d.operations(), func(o operation) g.Node {
			return h.Li(h.A(h.Href("#"+o.ID), h.Span(h.Class("method"), g.Text(o.method)), g.Text(" "+o.short())))
		})),
		h.Strong(g.Text("Schemas")),
		h.Ul(g.Map(membersOf[schema](d.Components.Schemas), func(m member[schema]) g.Node {
			return h.Li(h.A(h.Href("#schema-"+m.Name), g.Text(m.Name)))
		})),
	)
}

func (d *document) operation(o operation) g.Node {
	return h.Section(h.ID(o.ID),
		h.H3(anchor(o.ID, o.Summary)),
		h.P(h.Code(h.Class("route"), h.Span(h.Class("method"), g.Text(o.method)), g.Text(" "+o.path))),
		paragraphs(o.Description),
		g.If(o.Security != nil && len(*o.Security) == 0, h.P(g.Text("Anybody may ask."))),
		g.If(len(o.Parameters) > 0, d.parameters(o.Parameters)),
		g.Iff(o.RequestBody != nil, func() g.Node {
			return g.Group{
				h.H4(g.Text("Body"), g.If(!o.RequestBody.Required, h.Span(h.Class("note"), g.Text(" optional")))),
				d.media(o.RequestBody.Content),
			}
		}),
		h.H4(g.Text("Answers")),
		g.Map(membersOf[response](o.Responses), func(m member[response]) g.Node { return d.response(m.Name, m.Value) }),
	)
}

func (d *document) parameters(all []parameter) g.Node {
	return h.Table(
		h.THead(h.Tr(th("Parameter"), th("In"), th("Type"), th("Meaning"))),
		h.TBody(g.Map(all, func(p parameter) g.Node {
			p = resolve(p, p.Ref, d.Components.Parameters)
			return h.Tr(
				h.Th(g.Attr("scope", "row"), h.Code(g.Text(p.Name)), required(p.Required)),
				h.Td(g.Text(p.In)), h.Td(d.typeNode(p.Schema)),
				h.Td(g.Text(p.Description), g.Iff(p.Example != nil, func() g.Node {
					return g.Group{g.Text(" Example: "), h.Code(g.Text(plain(p.Example)))}
				})),
			)
		})),
	)
}

func (d *document) response(status string, r response) g.Node {
	r = resolve(r, r.Ref, d.Components.Responses)
	headers := membersOf[header](r.Headers)
	return h.Details(g.If(status == "200", g.Attr("open")),
		h.Summary(h.Strong(g.Text(status)), g.Text(" "+r.Description)),
		g.If(len(headers) > 0, h.Table(
			h.THead(h.Tr(th("Header"), th("Type"), th("Meaning"))),
			h.TBody(g.Map(headers, func(m member[header]) g.Node {
				about := resolve(m.Value, m.Value.Ref, d.Components.Headers)
				return h.Tr(h.Th(g.Attr("scope", "row"), h.Code(g.Text(m.Name)), required(about.Required)), h.Td(d.typeNode(about.Schema)), h.Td(g.Text(about.Description)))
			})),
		)),
		d.media(r.Content),
	)
}

func (d *document) media(content members) g.Node {
	return g.Map(membersOf[media](content), func(m member[media]) g.Node {
		events := membersOf[schema](m.Value.Events)
		return g.Group{
			h.P(h.Code(g.Text(m.Name)), g.If(len(events) == 0, g.Group{g.Text(" "), d.typeNode(m.Value.Schema)})),
			g.If(len(events) == 0 && m.Value.Schema.isStructure(), d.schemaNode(m.Value.Schema)),
			g.If(len(events) > 0, h.Table(
				h.THead(h.Tr(th("Event"), th("Data"), th("Meaning"))),
				h.TBody(g.Map(events, func(e member[schema]) g.Node {
					return h.Tr(h.Th(g.Attr("scope", "row"), h.Code(g.Text(e.Name))), h.Td(d.typeNode(e.Value)), h.Td(g.Text(d.describe(e.Value))))
				})),
			)),
			g.Iff(m.Value.Example != nil, func() g.Node { return h.Pre(h.Code(g.Text(indented(m.Value.Example)))) }),
		}
	})
}

// schemaNode shows what a schema says beside its type, which stands before it.
func (d *document) schemaNode(s schema) g.Node {
	properties := membersOf[schema](s.Properties)
	return g.Group{
		g.If(s.Description != "", h.P(g.Text(s.Description))),
		g.If(len(properties) == 0 && !s.isStructure(), h.P(d.typeNode(s))),
		g.If(len(properties) == 0 && s.isStructure(), h.P(g.Text("No members."))),
		g.If(len(properties) > 0, h.Table(
			h.THead(h.Tr(th("Member"), th("Type"), th("Meaning"))),
			h.TBody(g.Map(properties, func(m member[schema]) g.Node {
				return h.Tr(
					h.Th(g.Attr("scope", "row"), h.Code(g.Text(m.Name)), required(s.requires(m.Name))),
					h.Td(d.typeNode(m.Value)),
					h.Td(g.Text(m.Value.Description), g.If(m.Value.isStructure(), d.schemaNode(m.Value.withoutDescription()))),
				)
			})),
		)),
		g.Iff(s.Example != nil, func() g.Node {
			return h.Details(h.Summary(g.Text("Example")), h.Pre(h.Code(g.Text(indented(s.Example)))))
		}),
	}
}

// typeNode is a schema in a few words, with links to others.
func (d *document) typeNode(s schema) g.Node {
	switch {
	case s.Ref != "":
		name := lastOf(s.Ref)
		return h.A(h.Href("#schema-"+name), g.Text(name))
	case len(s.AnyOf) > 0:
		return between(g.Map(s.AnyOf, d.typeNode), " or ")
	case s.Const != nil:
		return h.Code(g.Text(string(s.Const)))
	case len(s.Enum) > 0:
		var values []g.Node
		for _, value := range s.Enum {
			values = append(values, h.Code(g.Text(string(value))))
		}
		return between(values, " or ")
	}
	var words []g.Node
	for _, name := range s.Type {
		switch {
		case name == "array" && s.Items != nil:
			words = append(words, g.Group{g.Text("array of "), d.typeNode(*s.Items)})
		case name == "object" && s.others() != nil:
			words = append(words, g.Group{g.Text("object of "), d.typeNode(*s.others())})
		case name == "string" && s.Format != "":
			words = append(words, g.Text(s.Format))
		default:
			words = append(words, g.Text(name))
		}
	}
	return g.Group{between(words, " or "), g.If(s.limits() != "", h.Span(h.Class("note"), g.Text(" "+s.limits())))}
}

func section(id, title string, content ...g.Node) g.Node {
	return h.Section(h.ID(id), h.H2(g.Text(title)), g.Group(content))
}

// anchor is a heading that can be linked to.
func anchor(id, text string) g.Node { return h.A(h.Class("anchor"), h.Href("#"+id), g.Text(text)) }

func th(text string) g.Node { return h.Th(g.Attr("scope", "col"), g.Text(text)) }

func required(is bool) g.Node { return g.If(is, h.Span(h.Class("note"), g.Text(" required"))) }

func paragraphs(text string) g.Node {
	if text == "" {
		return nil
	}
	return g.Map(strings.Split(text, "\n\n"), func(p string) g.Node { return h.P(g.Text(p)) })
}

func between(nodes []g.Node, word string) g.Node {
	var all g.Group
	for i, node := range nodes {
		if i > 0 {
			all = append(all, g.Text(word))
		}
		all = append(all, node)
	}
	return all
}
