// Package gtf runs long tasks that people can see.
//
// A program defines types of tasks. gtf stores each run as a task, executes it here or on another machine, shows its
// progress, lets callers join it instead of starting it twice, and lets people cancel it.
//
// # Define
//
// A [Definition] is a name, an input and an output type, and a policy. It is declared once, as a package variable:
//
//	var Export = gtf.Define[ExportInput, ExportOutput]("report.export", &gtf.DefineOpts[ExportInput]{
//		Scope: gtf.ScopeShared,
//		Key:   func(in ExportInput) string { return in.Report },
//	})
//
// A [Handler] binds it to the function that does the work, an ordinary function or method. Inside, [FromContext] gives the
// [Execution]: progress, payload, log lines, and what to do on abort and at the end.
//
// # Submit
//
// A [Client] on a [Store] submits: [Definition.Schedule] stores the task for a worker, [Definition.Run] does the work in this
// process. A submit with the key of an active task joins it. Who acts comes from the context, by [WithPrincipal].
//
// # Execute
//
// [Client.Start] makes the process a worker for the types it has handlers for. One heartbeat per process keeps its claims;
// a process that dies loses them, and one that is cut off stops before they are given away.
//
// # Watch and cancel
//
// [Handle.Wait] and [Handle.Watch] follow a task, [Client.Get] and [Client.List] show what a principal may see, and
// [Client.Cancel] aborts a task or takes the caller off it, by one table of rules ([DecideCancel]).
//
// # Three sentences that carry everything
//
// The row is the truth: signals and locks may lose everything, and a sweep still gets it right. Signals only wake: they
// carry an id, never data. One writer decides: a unique index decides who creates, a claim number who may finish, a row
// lock what a cancel means.
//
// # Sockets
//
// [Store], [Engine], [Signals], [Locker] and [Observer] can be replaced. Beside each lies a folder with its plugs and the suite that
// every plug must pass.
package gtf
