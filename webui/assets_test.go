package webui_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/globaltask/gtf/webui"
)

func gzipped(t *testing.T, text string) int {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if _, err := io.WriteString(zip, text); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

func TestAssets(t *testing.T) {
	t.Parallel()
	t.Run("stay within their budgets", func(t *testing.T) {
		t.Parallel()
		sums := map[string]int{}
		for name, size := range webui.AssetSizes() {
			sums[filepath.Ext(name)] += size
		}
		for kind, most := range map[string]int{".js": 14 << 10, ".css": 10 << 10, ".svg": 4 << 10} {
			if sums[kind] == 0 || sums[kind] > most {
				t.Errorf("%s has %d bytes compressed, want at most %d", kind, sums[kind], most)
			}
		}
	})
	t.Run("are kept for ever under their hash, and no longer under another", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		src, _ := attr(w.one(w.get("grace", "/ops/tasks").doc, "script"), "src")
		for path, kept := range map[string]bool{src: true, strings.Replace(src, "/assets/", "/assets/x", 1): false} {
			a := w.get("", path) // nobody has to be signed in
			if a.status != http.StatusOK || strings.Contains(a.header.Get("Cache-Control"), "immutable") != kept {
				t.Errorf("%s is %d, %s", path, a.status, a.header.Get("Cache-Control"))
			}
			if got := a.header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
				t.Errorf("%s is %s", path, got)
			}
		}
		if a := w.get("", "/ops/assets/x/nothing.js"); a.status != http.StatusNotFound {
			t.Errorf("an unknown file is %d", a.status)
		}
	})
	t.Run("are sent compressed to those who take it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		src := href(w.one(w.get("grace", "/ops/tasks").doc, "link", "rel", "stylesheet"))
		zipped := w.get("", src, "Accept-Encoding", "br, gzip")
		read, err := gzip.NewReader(strings.NewReader(zipped.text))
		if err != nil {
			t.Fatalf("%s: %v", zipped.header.Get("Content-Encoding"), err)
		}
		plain, err := io.ReadAll(read)
		if err != nil || string(plain) != w.get("", src).text {
			t.Errorf("compressed it is another file: %v", err)
		}
	})
	t.Run("have every icon that pages name", func(t *testing.T) {
		t.Parallel()
		sprite, err := os.ReadFile("assets/icons.svg")
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile(`p\.icon\("([a-z_]+)"\)`)
		for file, source := range sources(t) {
			for _, found := range named.FindAllStringSubmatch(source, -1) {
				if !strings.Contains(string(sprite), `id="`+found[1]+`"`) {
					t.Errorf("%s: there is no icon %s", file, found[1])
				}
			}
		}
	})
}

// sources are the Go files of the package.
func sources(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	texts := map[string]string{}
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			texts[name] = string(source)
		}
	}
	return texts
}

func TestNothingIsRaw(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`\b(g\.Rawf?|h\.StyleAttr|h\.StyleEl|h\.Style)\(`)
	for file, source := range sources(t) {
		if found := forbidden.FindString(source); found != "" {
			t.Errorf("%s has %s: nothing goes into a page unescaped or with a style of its own", file, found)
		}
	}
}
