package gtf_test

import (
	"go/ast"
	"path"
)

// realSleeps finds each use of time.Sleep that may run by the real clock. One is fine inside a function literal that is
// passed to synctest.Test, or to a function of the same folder that calls it; and inside a function that calls
// synctest.Wait itself, because that panics outside a bubble.
func realSleeps(sources []source) (broken []string) {
	wrappers := map[string]bool{} // "folder name"
	for _, s := range sources {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil && mentions(s, f.Body, "testing/synctest", "Test", true) {
				wrappers[s.dir()+" "+f.Name.Name] = true
			}
		}
	}
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
			if refersTo(s, n, "time", "Sleep") && !inBubble(s, around, wrappers) {
				broken = append(broken, s.problem(n, "sleeps by the real clock: sleep inside the function given to synctest.Test"))
			}
			around = append(around, n)
			return true
		})
	}
	return broken
}

// inBubble looks at the nodes around one, outermost first.
func inBubble(s source, around []ast.Node, wrappers map[string]bool) bool {
	for i, n := range around {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil && mentions(s, n.Body, "testing/synctest", "Wait", false) {
				return true
			}
		case *ast.FuncLit:
			if mentions(s, n.Body, "testing/synctest", "Wait", false) {
				return true
			}
			call, ok := around[i-1].(*ast.CallExpr)
			if ok && n != call.Fun && (refersTo(s, call.Fun, "testing/synctest", "Test") || wrappers[s.dir()+" "+calledName(call)]) {
				return true
			}
		}
	}
	return false
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// mentions reports whether the body refers to pkg.name, in nested function literals only if deep.
func mentions(s source, body *ast.BlockStmt, pkg, name string, deep bool) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		if _, nested := n.(*ast.FuncLit); nested && !deep {
			return false
		}
		found = found || refersTo(s, n, pkg, name)
		return !found
	})
	return found
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
