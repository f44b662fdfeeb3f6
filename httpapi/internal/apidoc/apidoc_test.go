package apidoc_test

import (
	"strings"
	"testing"

	"github.com/globaltask/gtf/httpapi/internal/apidoc"
)

// What the document of the API itself looks like is seen in the tests of package httpapi.
func TestPage(t *testing.T) {
	t.Parallel()
	t.Run("shows texts as they are", func(t *testing.T) {
		t.Parallel()
		html, _, err := apidoc.Page([]byte(`{"info": {"title": "<script>", "description": "a & b"}, "paths": {}, "components": {}}`))
		if err != nil {
			t.Fatal(err)
		}
		if text := string(html); strings.Contains(text, "<script>") || !strings.Contains(text, "&lt;script&gt;") || !strings.Contains(text, "<p>a &amp; b</p>") {
			t.Errorf("the page is %s", text)
		}
	})
	t.Run("keeps the order of the document", func(t *testing.T) {
		t.Parallel()
		html, _, err := apidoc.Page([]byte(`{"components": {"schemas": {"Zebra": {"type": "string"}, "Ape": {"type": ["integer", "null"], "maximum": 3}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		text := string(html)
		zebra, ape := strings.Index(text, `<section id="schema-Zebra">`), strings.Index(text, `<section id="schema-Ape">`)
		if zebra < 0 || ape < zebra || !strings.Contains(text, `integer or null<span class="note"> to 3</span>`) {
			t.Errorf("the page is %s", text)
		}
	})
	t.Run("refuses what is no document", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "[]", `{"paths": 1}`} {
			if _, _, err := apidoc.Page([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "read the OpenAPI document: ") {
				t.Errorf("Page(%q): %v, want an error", text, err)
			}
		}
	})
}
