package gtf_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The rules that keep the tree readable. A rule that is wrong is changed here, with its reason in docs/decisions.
var (
	goRules = []struct {
		name   string
		broken func([]source) []string
	}{
		{"a package imports only what its place allows", brokenImports},
		{"only cmd, cli, examples, internal and tests know two plugs", twoPlugs},
		{"one file of each folder holds the package comment", brokenPackageComments},
		{"a file stays under 500 lines, a test file under 800", longFiles},
		{"tests sleep only in a synctest bubble", realSleeps},
		{"what the root exports is documented", undocumented},
		{"no clock of a process reaches a shared store", processClocks},
	}
	textRules = []textRule{
		// Written so that the patterns do not find themselves.
		{"nothing is left to be done", regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`), "do it, or file an issue"},
		{"no file names a package registry", regexp.MustCompile(`\b(proxy\.golang\.org|sum\.golang\.org|goproxy\.(io|cn)|registry\.npmjs\.org|` +
			`pypi\.org|files\.pythonhosted\.org|(static\.)?crates\.io|repo1?\.maven\.(apache\.)?org|(deb|security)\.debian\.org)\b`),
			"machines differ in the registry they use"},
		{"no file names a path of one machine", regexp.MustCompile(`(^|[^\w.~}$)-])/(work|root)/`), "make it relative, or take it from the environment"},
	}
)

type textRule struct {
	name   string
	found  *regexp.Regexp
	remedy string
}

func TestArchitecture(t *testing.T) {
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range goRules {
		t.Run(rule.name, func(t *testing.T) {
			for _, broken := range rule.broken(all.sources) {
				t.Error(broken)
			}
		})
	}
	for _, rule := range textRules {
		t.Run(rule.name, func(t *testing.T) {
			for _, name := range slices.Sorted(maps.Keys(all.texts)) {
				for n, line := range strings.Split(all.texts[name], "\n") {
					if found := rule.found.FindString(line); found != "" {
						t.Errorf("%s:%d: has %q: %s", name, n+1, strings.TrimSpace(found), rule.remedy)
					}
				}
			}
		})
	}
	t.Run("every direct dependency has a reason", func(t *testing.T) {
		const reasons = "docs/decisions/0005-dependencies.md"
		for _, dependency := range unexplained(all.texts["go.mod"], all.texts[reasons]) {
			t.Errorf("go.mod: requires %s, which %s does not mention", dependency, reasons)
		}
	})
}

// The rules have to notice something, or they would pass an empty tree.
func TestArchitectureNotices(t *testing.T) {
	const sleepy = `package p_test
		import ("testing"; "testing/synctest"; "time")
		func TestBad(t *testing.T) { time.Sleep(1) }
		func TestGood(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }
		func bubble(t *testing.T, f func()) { synctest.Test(t, func(t *testing.T) { f() }) }
		func rigged(t *testing.T, f func()) { bubble(t, f) }
		func TestWrapped(t *testing.T) { rigged(t, func() { go func() { time.Sleep(1) }() }) }
		func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }`
	tests := []struct {
		name   string
		broken func([]source) []string
		path   string
		text   string
		want   string // "": nothing
	}{
		{"the root and its own kind", brokenImports, "x.go", `package gtf; import "encoding/json"`, ""},
		{"a vendor in the root", brokenImports, "x.go", `package gtf; import "example.com/x"`, "x.go:1: imports example.com/x"},
		{"a package of the module in the root", brokenImports, "x.go", `package gtf; import "` + module + `/internal/y"`, "internal/y"},
		{"tests of the root", brokenImports, "x_test.go", `package gtf; import "` + module + `/store/a"`, ""},
		{"a plug and its vendor", brokenImports, "store/a/x.go", `package a; import ("example.com/x"; "` + module + `")`, ""},
		{"a plug and its own parts", brokenImports, "store/a/x.go", `package a; import "` + module + `/store/a/internal/b"`, ""},
		{"a plug and what plugs share", brokenImports, "store/a/x.go", `package a; import "` + module + `/internal/redisclient"`, ""},
		{"what plugs share and the root", brokenImports, "internal/redisclient/x.go", `package x; import "` + module + `"`, "x.go:1: imports"},
		{"a plug and another", brokenImports, "store/a/x.go", `package a; import "` + module + `/lock/b"`, "lock/b"},
		{"a suite and a vendor", brokenImports, "lock/locktest/x.go", `package locktest; import "example.com/x"`, "example.com/x"},
		{"a suite and the root", brokenImports, "lock/locktest/x.go", `package locktest; import ("testing"; "` + module + `")`, ""},
		{"a face and a plug", brokenImports, "httpapi/x.go", `package httpapi; import "` + module + `/store/a"`, "store/a"},
		{"a binary with two plugs", twoPlugs, "cmd/x/x.go", `package main; import ("` + module + `/store/a"; "` + module + `/lock/b")`, ""},
		{"anything else with two plugs", twoPlugs, "gtftest/x.go", `package x; import ("` + module + `/store/a"; "` + module + `/lock/b")`, "lock/b, store/a"},
		{"a folder without package comment", brokenPackageComments, "a/x.go", "package x", "a: no file"},
		{"a package comment in the wrong file", brokenPackageComments, "a/y.go", "// Package x is.\npackage x", "a/y.go"},
		{"a package comment", brokenPackageComments, "a/x.go", "// Package x is.\npackage x", ""},
		{"a long file", longFiles, "x.go", "package x" + strings.Repeat("\n", 500), "x.go: has 500 lines"},
		{"a long test", longFiles, "x_test.go", "package x" + strings.Repeat("\n", 500), ""},
		{"a generated file", longFiles, "x.go", "// Code generated by x. DO NOT EDIT.\n\npackage x" + strings.Repeat("\n", 500), ""},
		{"only the sleep outside", realSleeps, "a/x_test.go", sleepy, "a/x_test.go:3: "},
		{"a sleep in a subtest", realSleeps, "a/x_test.go", `package x; import ("testing"; "testing/synctest"; "time")
			func Run(t *testing.T) { synctest.Test(t, func(t *testing.T) {}) }
			func TestSub(t *testing.T) { t.Run("x", func(t *testing.T) { time.Sleep(1) }) }`, "x_test.go:3: "},
		{"a sleep by another name", realSleeps, "a/atest/x_test.go", `package x; import . "time"; func f() { Sleep(1) }`, "x_test.go:1: "},
		{"a suite that sleeps", realSleeps, "store/storetest/x.go", `package x; import z "time"; var nap = z.Sleep`, "x.go:1: "},
		{"an instant for a store", processClocks, "store.go", "package gtf\ntype Update struct {\nAt time.Time\n}", "store.go:3: Update.At is"},
		{"the instant of a caller", processClocks, "store.go", "package gtf\ntype Submission struct {\nDueAt time.Time\n}", ""},
		{"a clock in the shared store", processClocks, "store/pgstore/x.go", "package pgstore\nvar now = time.Now()", "x.go:2: asks the clock"},
		{"an exported type without comment", undocumented, "x.go", "package gtf\ntype T int", "x.go:2: T has no doc comment"},
		{"an exported method without comment", undocumented, "x.go", "package gtf\nfunc (t *T[X]) M() {}", "x.go:2: T.M has no"},
		{"constants with comments of their own", undocumented, "x.go", "package gtf\nconst (\nA = 1 // first\n// B is second.\nB = 2\n)", ""},
		{"constants of a type", undocumented, "x.go", "package gtf\nconst (\nA T = iota\nB\n)", ""},
		{"a constant of none", undocumented, "x.go", "package gtf\nconst (\nA T = 1\nB = 2\n)", "B has no"},
		{"what nobody sees", undocumented, "x.go", "package gtf\nfunc (t t) M() {}\ntype t int\nvar _ = 1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := parse(tt.path, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			got := tt.broken([]source{s})
			if tt.want == "" && len(got) == 0 {
				return
			}
			if tt.want == "" || len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want one with %q", got, tt.want)
			}
		})
	}
	for _, text := range []string{"// TO" + "DO: later", "https://crates" + ".io/x", "cd /wo" + "rk/main", "file:///ro" + "ot/x"} {
		if !slices.ContainsFunc(textRules, func(r textRule) bool { return r.found.MatchString(text) }) {
			t.Errorf("no rule for texts finds %q", text)
		}
	}
	mod := "go 1.26.0\nrequire example.com/one v1.0.0\nrequire (\n\texample.com/two/a v2.0.0\n\texample.com/three v1.0.0 // indirect\n)\n"
	if got, want := unexplained(mod, "- `example.com/two`: because"), []string{"example.com/one"}; !slices.Equal(got, want) {
		t.Errorf("unexplained dependencies: got %q, want %q", got, want)
	}
}

const module = "github.com/globaltask/gtf"

// source is one Go file of the module.
type source struct {
	path  string // from the root, with slashes
	fset  *token.FileSet
	file  *ast.File
	lines int
}

type files struct {
	sources []source
	texts   map[string]string // by path, every file that is text
}

// tree reads the repository once. Folders that .gitignore names are left out; so is the Go code of testdata and of
// nested modules, which have rules of their own.
var tree = sync.OnceValues(func() (*files, error) {
	all := &files{texts: map[string]string{}}
	var foreign []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return ignoreMissing(err)
		case d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules"}, d.Name()):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return ignoreMissing(err)
		}
		if !bytes.ContainsRune(text[:min(len(text), 8000)], 0) {
			all.texts[filepath.ToSlash(name)] = string(text)
		}
		if d.Name() == "go.mod" && name != "go.mod" {
			foreign = append(foreign, path.Dir(filepath.ToSlash(name))+"/")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(all.texts)) {
		ours := path.Ext(name) == ".go" && !strings.Contains("/"+name, "/testdata/") &&
			!slices.ContainsFunc(foreign, func(dir string) bool { return strings.HasPrefix(name, dir) })
		if !ours {
			continue
		}
		s, err := parse(name, all.texts[name])
		if err != nil {
			return nil, err
		}
		all.sources = append(all.sources, s)
	}
	return all, nil
})

// ignoreMissing forgives files of other tests that come and go while the tree is read.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func parse(name, text string) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{name, fset, file, strings.Count(text, "\n")}, err
}

func (s source) dir() string  { return path.Dir(s.path) }
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) problem(at ast.Node, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.fset.Position(at.Pos()).Line, fmt.Sprintf(format, args...))
}

// place is what a folder is, by its path.
type place int

const (
	placeOther place = iota
	placeRoot
	placePlug  // store/sqlitestore
	placeSuite // store/storetest
	placeFace  // httpapi
	placeHub   // may know several plugs
)

// placeOf tells what a folder is, and the folder of the plug, suite, face or hub it belongs to.
func placeOf(dir string) (place, string) {
	first, rest, deeper := strings.Cut(dir, "/")
	switch first {
	case ".":
		return placeRoot, "."
	case "store", "engine", "signal", "lock", "observer":
		second, _, _ := strings.Cut(rest, "/")
		switch {
		case !deeper:
			return placeOther, first
		case strings.HasSuffix(second, "test"):
			return placeSuite, first + "/" + second
		}
		return placePlug, first + "/" + second
	case "httpapi", "webui":
		return placeFace, first
	case "cmd", "cli", "examples", "internal":
		return placeHub, first
	}
	return placeOther, first
}

// folderOf tells the folder of an import of this module: "." for the root.
func folderOf(imported string) (dir string, ours bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// shared are parts of several plugs. They know nothing of gtf, so that no plug sees another by them.
var shared = []string{"internal/redisclient"}

// betweenFaces is what the faces share.
const betweenFaces = "internal/web"

func imports(s source) map[string]*ast.ImportSpec {
	found := map[string]*ast.ImportSpec{}
	for _, spec := range s.file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		found[name] = spec
	}
	return found
}

func brokenImports(sources []source) (broken []string) {
	for _, s := range sources {
		if s.isTest() {
			continue
		}
		kind, home := placeOf(s.dir())
		for imported, spec := range imports(s) {
			first, _, _ := strings.Cut(imported, "/")
			dir, ours := folderOf(imported)
			vendor := strings.Contains(first, ".") && !ours
			inside := ours && (dir == home || strings.HasPrefix(dir, home+"/"))
			why := ""
			switch kind {
			case placeHub:
				if ours && slices.Contains(shared, s.dir()) {
					why = "what plugs share imports its vendor only"
				}
			case placeRoot:
				if vendor || ours {
					why = "the root imports only the standard library"
				}
			case placePlug:
				if ours && dir != "." && !inside && !slices.Contains(shared, dir) {
					why = "a plug imports the root and its vendor"
				}
			case placeSuite:
				if vendor || ours && dir != "." && !inside {
					why = "a suite imports the root and the standard library"
				}
			case placeFace:
				if ours && dir != "." && !inside && dir != betweenFaces && (home != "webui" || !strings.HasPrefix(dir+"/", "httpapi/")) {
					why = "a face imports the root"
				}
			}
			if why != "" {
				broken = append(broken, s.problem(spec, "imports %s: %s", imported, why))
			}
		}
	}
	return broken
}

func twoPlugs(sources []source) (broken []string) {
	known := map[string]map[string]bool{}
	for _, s := range sources {
		kind, home := placeOf(s.dir())
		if s.isTest() || kind == placeHub {
			continue
		}
		if known[home] == nil {
			known[home] = map[string]bool{}
		}
		for imported := range imports(s) {
			if dir, ours := folderOf(imported); ours {
				if kind, plug := placeOf(dir); kind == placePlug {
					known[home][plug] = true
				}
			}
		}
	}
	for home, plugs := range known {
		if len(plugs) > 1 {
			broken = append(broken, fmt.Sprintf("%s: knows %s", home, strings.Join(slices.Sorted(maps.Keys(plugs)), ", ")))
		}
	}
	return broken
}

func brokenPackageComments(sources []source) (broken []string) {
	holders := map[string][]string{}
	for _, s := range sources {
		if s.isTest() {
			continue
		}
		held := holders[s.dir()]
		if s.file.Doc.Text() != "" {
			held = append(held, s.path)
			if name := path.Base(s.path); name != "doc.go" && name != s.file.Name.Name+".go" {
				broken = append(broken, s.path+": holds the package comment, which belongs in doc.go or in the file named after the package")
			}
		}
		holders[s.dir()] = held
	}
	for dir, held := range holders {
		switch len(held) {
		case 0:
			broken = append(broken, dir+": no file has the package comment")
		case 1:
		default:
			broken = append(broken, dir+": several files have a package comment: "+strings.Join(held, ", "))
		}
	}
	return broken
}

func longFiles(sources []source) (broken []string) {
	for _, s := range sources {
		limit := 500
		if s.isTest() {
			limit = 800
		}
		if s.lines >= limit && !ast.IsGenerated(s.file) {
			broken = append(broken, fmt.Sprintf("%s: has %d lines, the limit is %d: split it by topic", s.path, s.lines, limit))
		}
	}
	return broken
}

// undocumented finds exported names of the root without a doc comment. Constants of an exported type are explained by
// the type, and methods like Error and String by the interface they belong to.
func undocumented(sources []source) (broken []string) {
	known := []string{"Error", "Is", "String", "Unwrap"}
	for _, s := range sources {
		if s.dir() != "." || s.isTest() {
			continue
		}
		check := func(at *ast.Ident, owner string, comments ...*ast.CommentGroup) {
			written := slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c.Text() != "" })
			if at.IsExported() && !written {
				broken = append(broken, s.problem(at, "%s has no doc comment", owner+at.Name))
			}
		}
		for _, decl := range s.file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				receiver := receiverOf(decl)
				switch {
				case receiver == "":
					check(decl.Name, "", decl.Doc)
				case ast.IsExported(receiver) && !slices.Contains(known, decl.Name.Name):
					check(decl.Name, receiver+".", decl.Doc)
				}
			case *ast.GenDecl:
				typed := false // by the constant's own type, or by that which iota repeats
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						check(spec.Name, "", decl.Doc, spec.Doc)
					case *ast.ValueSpec:
						if len(spec.Values) > 0 {
							typ, named := spec.Type.(*ast.Ident)
							typed = decl.Tok == token.CONST && named && typ.IsExported()
						}
						for _, name := range spec.Names {
							if !typed {
								check(name, "", decl.Doc, spec.Doc, spec.Comment)
							}
						}
					}
				}
			}
		}
	}
	return broken
}

// receiverOf names the type of a method, without star and parameters; empty for a function.
func receiverOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// unexplained lists what go.mod requires for itself and no `name` in the text stands for: a module, or several by their
// common beginning.
func unexplained(mod, text string) (missing []string) {
	names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1)
	for line := range strings.Lines(mod) {
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) != 2 || !strings.Contains(fields[0], ".") {
			continue // of the others, "// indirect" makes four
		}
		if !slices.ContainsFunc(names, func(name []string) bool {
			return fields[0] == name[1] || strings.HasPrefix(fields[0], name[1]+"/")
		}) {
			missing = append(missing, fields[0])
		}
	}
	return missing
}
