package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

//go:embed assets
var embedded embed.FS

// assets are what pages load. One hash of all names the folder that browsers find them in, so that they are kept for ever and
// modules find each other.
type assets struct {
	hash  string
	files map[string]*asset
}

type asset struct {
	kind        string
	plain, gzip []byte
}

var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// builtIn reads and compresses them once.
var builtIn = sync.OnceValue(func() *assets {
	a := &assets{files: map[string]*asset{}}
	sum := sha256.New()
	entries, err := fs.ReadDir(embedded, "assets")
	for _, entry := range entries {
		name := entry.Name()
		var plain []byte
		if plain, err = embedded.ReadFile("assets/" + name); err != nil {
			break
		}
		a.files[name] = &asset{kind: kinds[path.Ext(name)], plain: plain, gzip: compress(plain)}
		for _, part := range [][]byte{[]byte(name), plain} {
			_, _ = sum.Write([]byte(strconv.Itoa(len(part)) + ":")) // a hash takes everything
			_, _ = sum.Write(part)
		}
	}
	if err != nil {
		panic("webui: " + err.Error()) // what is embedded can be read
	}
	a.hash = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:9])
	return a
})

func compress(plain []byte) []byte {
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = zip.Write(plain)
	}
	if err == nil {
		err = zip.Close()
	}
	if err != nil {
		panic("webui: " + err.Error()) // a buffer takes everything
	}
	return b.Bytes()
}

// serve answers for ever what has the hash of now. Another hash is that of another version, whose page is still open or was
// just loaded from another process: it gets what there is, and does not keep it.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	file := a.files[r.PathValue("name")]
	if file == nil {
		http.Error(w, "there is nothing here", http.StatusNotFound)
		return
	}
	head := w.Header()
	head.Set("Content-Type", file.kind)
	head.Set("Vary", "Accept-Encoding")
	if r.PathValue("hash") == a.hash {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := file.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		head.Set("Content-Encoding", "gzip")
		body = file.gzip
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // who has gone does not need it
}

// asset is a link to a file.
func (p *page) asset(name string) string { return p.href("/assets/" + p.u.assets.hash + "/" + name) }

// icon is a glyph of the sprite. It says nothing by itself: there are words beside it.
func (p *page) icon(name string) g.Node {
	return g.El("svg", h.Class("i"), h.Aria("hidden", "true"), g.El("use", h.Href(p.asset("icons.svg")+"#"+name)))
}
