package gtf_test

import (
	"go/ast"
	"slices"
)

// instantsGiven are the fields of type time.Time that a client may hand to a store: a due time that a caller gave, and when a
// line was logged, of which the store takes only how long ago that was. Everything else is a duration, or an answer.
var instantsGiven = map[string][]string{
	"Submission": {"DueAt"},
	"LogLine":    {"At"},
	"Worker":     {"StartedAt", "BeatAt"}, // answers of Workers
	"Delivery":   {"DueAt"},               // given by the store to an engine
}

// processClocks finds ways for the clock of a process into a store that many machines share (design.md, "Time"): instants in
// the types of the store's socket, and calls of time.Now in pgstore outside of marks.go, which compares only its own.
func processClocks(sources []source) (broken []string) {
	for _, s := range sources {
		if s.isTest() {
			continue
		}
		switch {
		case s.dir() == "." && (s.path == "store.go" || s.path == "engine.go"):
			ast.Inspect(s.file, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				if fields, ok := spec.Type.(*ast.StructType); ok {
					broken = append(broken, strangeInstants(s, spec.Name.Name, fields)...)
				}
				return true
			})
		case s.dir() == "store/pgstore" && s.path != "store/pgstore/marks.go":
			ast.Inspect(s.file, func(n ast.Node) bool {
				if call, ok := n.(*ast.SelectorExpr); ok && isTimeNow(call) {
					broken = append(broken, s.problem(call, "asks the clock of the process: use statement_timestamp()"))
				}
				return true
			})
		}
	}
	return broken
}

func isTimeNow(sel *ast.SelectorExpr) bool {
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "time" && sel.Sel.Name == "Now"
}

func strangeInstants(s source, owner string, fields *ast.StructType) (broken []string) {
	for _, field := range fields.Fields.List {
		sel, ok := field.Type.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Time" {
			continue
		}
		for _, name := range field.Names {
			if !slices.Contains(instantsGiven[owner], name.Name) {
				broken = append(broken, s.problem(name, "%s.%s is an instant of some process: hand a duration to stores", owner, name.Name))
			}
		}
	}
	return broken
}
