// Package report defines a type of task for those who schedule it and those who do it. It has no code to run, so that the
// web process does not link what only the worker needs.
package report

import "github.com/globaltask/gtf"

// Input says which report.
type Input struct {
	Name string `json:"name"`
}

// Output says where it is.
type Output struct {
	File string `json:"file"`
}

// Render makes a report. Everybody who asks for the same one follows the same task.
var Render = gtf.Define[Input, Output]("report.render", &gtf.DefineOpts[Input]{
	Abortable: true,
	Key:       func(in Input) string { return in.Name },
	Name:      func(in Input) string { return "Report " + in.Name },
	Scope:     gtf.ScopeShared,
})
