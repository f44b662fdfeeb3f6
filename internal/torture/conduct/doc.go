// Package conduct runs a torture test: it starts the processes and the servers, does harm to them by a plan that a seed
// gives, heals everything, waits until every task has ended, and has the record checked.
//
//	options.go  what can be chosen
//	plan.go     the faults, by seed
//	conduct.go  from the first process to the verdict
//	stage.go    the store, the servers, the directory
//	process.go  one process after the other in each slot
//	faults.go   what is done to whom
//	watch.go    whether the database answers, and what time it is
//	verdict.go  reads the record, has it checked, tells
//
// It needs Linux: elsewhere Run says so.
package conduct
