package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestLogLines(t *testing.T) {
	t.Parallel()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(all["docs/operations.md"], "\n## Log lines\n")
	explained := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (info|warn|error) \\|").FindAllStringSubmatch(section, -1) {
		explained[m[1]] = m[2]
	}
	logged := logLines(t)
	t.Run("are explained if an operator sees them", func(t *testing.T) {
		t.Parallel()
		for line, levels := range logged {
			if !slices.Contains(levels, explained[line]) {
				t.Errorf("docs/operations.md explains %q at level %q, want one of %v", line, explained[line], levels)
			}
		}
	})
	t.Run("exist if they are explained", func(t *testing.T) {
		t.Parallel()
		for line := range explained {
			if logged[line] == nil {
				t.Errorf("docs/operations.md explains %q, and nothing logs it", line)
			}
		}
	})
}

// logLines finds what the library and the commands log above debug: the message of each call of a method named after a
// level on something called log, and of each variable called level.
func logLines(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, pattern := range []string{"*.go", "cli/*.go", "httpapi/*.go", "httpapi/*/*.go", "httpapi/internal/*/*.go", "internal/web/*.go", "store/*/*.go"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for n := range ast.Preorder(file) {
				if call, ok := n.(*ast.CallExpr); ok {
					if message, levels := logLine(call); levels != nil {
						found[message] = append(found[message], levels...)
					}
				}
			}
		}
	}
	if len(found) < 15 {
		t.Fatalf("found only %q", found)
	}
	return found
}

func logLine(call *ast.CallExpr) (message string, levels []string) {
	if len(call.Args) == 0 {
		return "", nil
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", nil
	}
	switch fn := call.Fun.(type) {
	case *ast.SelectorExpr:
		name := strings.ToLower(fn.Sel.Name)
		if isLogger(fn.X) && slices.Contains([]string{"info", "warn", "error"}, name) {
			levels = []string{name}
		}
	case *ast.Ident:
		if fn.Name == "level" { // debug or more
			levels = []string{"info", "warn", "error"}
		}
	}
	message, _ = strconv.Unquote(literal.Value) // the parser has checked it
	return message, levels
}

// isLogger goes by the name: log, c.log.
func isLogger(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "log"
	case *ast.SelectorExpr:
		return x.Sel.Name == "log"
	}
	return false
}
