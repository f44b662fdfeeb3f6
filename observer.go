package gtf

import "time"

// Observer is the socket for metrics and traces: it is told what happened, after it was committed. Its method must
// return quickly, must not call the client, and is called by many goroutines at once.
type Observer interface {
	Observe(e Event)
}

// Event is one thing that happened. Which fields are filled depends on the kind.
type Event struct {
	Kind    EventKind
	ID      ID
	Type    string
	Queue   string
	From    Status        // EventTransition; empty for a new task
	Status  Status        // EventTransition
	Took    time.Duration // EventTransition to a terminal status: run time; EventStarted: time waited
	Count   int           // EventFlushed: tasks in the statement; EventPruned: rows; EventFenced: executions
	Err     error         // EventFailed
	Attempt int
}

// EventKind names what happened.
type EventKind string

const (
	EventTransition EventKind = "transition" // a status was written
	EventStarted    EventKind = "started"    // an execution began
	EventJoined     EventKind = "joined"     // a submit joined
	EventFlushed    EventKind = "flushed"    // progress was stored
	EventDeferred   EventKind = "deferred"   // a report was held back by the throttle
	EventBeat       EventKind = "beat"
	EventFenced     EventKind = "fenced" // this process gave up its claims
	EventPruned     EventKind = "pruned"
	EventStuck      EventKind = "stuck"  // a function ignores its ended context
	EventFailed     EventKind = "failed" // a background statement failed; it will be repeated
)
