package gtf_test

import (
	"go/ast"
	"path"
)

// realSleeps finds each use of time.Sleep that may run by the real clock. One is fine inside a function literal that is
// passed to synctest.Test, or to a function of the same folder that ends up there; and inside a function that calls
// synctest.Wait itself, because that panics outside a bubble.
func realSleeps(sources []source) (broken []string) {
	makers := bubbleMakers(sources)
	for _, s := range sources {
		if kind, _ := placeOf(s.dir()); !s.isTest() && kind != placeSuite {
			continue
		}
		if spec := imports(s)["time"]; spec != nil && spec.Name != nil && spec.Name.Name == "." {
			broken = append(broken, s.problem(spec, "imports time by a dot, which hides its sleeps"))
		}
		var around []ast.Node
		ast.Inspect(s.file, func(n ast.Node) bool {
			if n == nil {
				around = around[:len(around)-1]
				return true
			}
			if refersTo(s, n, "time", "Sleep") && !inBubble(s, around, makers) {
				broken = append(broken, s.problem(n, "sleeps by the real clock: sleep inside the function given to synctest.Test"))
			}
			around = append(around, n)
			return true
		})
	}
	return broken
}

// bubbleMakers collects, as "folder name", the functions that call synctest.Test or each other.
func bubbleMakers(sources []source) map[string]bool {
	makers := map[string]bool{}
	for grown := true; grown; {
		grown = false
		for _, s := range sources {
			for _, decl := range s.file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok || f.Recv != nil || f.Body == nil || makers[s.dir()+" "+f.Name.Name] {
					continue
				}
				if anywhere(f.Body, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					return ok && makesBubble(s, call, makers)
				}) {
					makers[s.dir()+" "+f.Name.Name] = true
					grown = true
				}
			}
		}
	}
	return makers
}

func makesBubble(s source, call *ast.CallExpr, makers map[string]bool) bool {
	name, ok := call.Fun.(*ast.Ident)
	return ok && makers[s.dir()+" "+name.Name] || refersTo(s, call.Fun, "testing/synctest", "Test")
}

// inBubble looks at the nodes around one, outermost first.
func inBubble(s source, around []ast.Node, makers map[string]bool) bool {
	for i, n := range around {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil && waits(s, n.Body) {
				return true
			}
		case *ast.FuncLit:
			call, ok := around[i-1].(*ast.CallExpr)
			if waits(s, n.Body) || ok && n != call.Fun && makesBubble(s, call, makers) {
				return true
			}
		}
	}
	return false
}

// waits reports whether the body itself, not a function literal in it, refers to synctest.Wait.
func waits(s source, body *ast.BlockStmt) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		_, nested := n.(*ast.FuncLit)
		found = found || refersTo(s, n, "testing/synctest", "Wait")
		return !nested && !found
	})
	return found
}

func anywhere(body *ast.BlockStmt, holds func(ast.Node) bool) bool {
	for n := range ast.Preorder(body) {
		if holds(n) {
			return true
		}
	}
	return false
}

// refersTo reports whether n is the selector pkg.name, under whatever name the file imports the package.
func refersTo(s source, n ast.Node, pkg, name string) bool {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	from, ok := selector.X.(*ast.Ident)
	spec := imports(s)[pkg]
	if !ok || spec == nil {
		return false
	}
	if spec.Name != nil {
		return from.Name == spec.Name.Name
	}
	return from.Name == path.Base(pkg)
}
