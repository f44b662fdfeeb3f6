package gtf

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"
)

// Store is the socket for databases: it keeps the tasks, and its rows are the truth. storetest is the suite that every
// store must pass.
//
// Every method may be called by many goroutines at once. A method that changes something is one transaction: an error
// means that nothing was written, except that the connection may break after the commit, so callers retry only what may
// be repeated. Stores do not retry and keep none of their arguments. Time that is stored or compared is the store's own
// clock; arguments are durations. A write may outlive the context of one caller, for callers share statements: the
// context given to a grouped method is the group's. Such a method (Submit, Update, Finish, Claim) does not wait for long
// for rows that other transactions hold, but returns [ErrLocked]; a store that cannot be reached is [ErrUnavailable].
type Store interface {
	Locker
	submitting
	executing
	deciding
	looking
	living
	housekeeping

	// Info says what the store is, for people.
	Info(ctx context.Context) (*StoreInfo, error)
	// Close releases the store after its clients have been stopped.
	Close() error
}

// submitting: create or join (S4).
type submitting interface {
	// Submit inserts each task, or joins the active one with the same dedup key: the unique index on the key decides. One
	// transaction for all. Joining raises the count and subscribes, and ignores the rest of the submission.
	Submit(ctx context.Context, subs []*Submission) ([]Submitted, error)
	// SubmitTx is the same within a transaction of the caller, who commits it (S4.7). It waits for other transactions that
	// hold one of the keys as long as ctx allows. A transaction of another store is a [*ValidationError].
	SubmitTx(ctx context.Context, tx Tx, subs []*Submission) ([]Submitted, error)
}

// executing: what a worker does. Every write carries the claim number; with an old one it changes nothing.
type executing interface {
	// Claim takes due pending tasks of mode async for a worker, in order of priority, due time and id, never more than
	// the free slots of each queue; it raises their claim number and sets worker and start.
	Claim(ctx context.Context, p *ClaimParams) (*Claimed, error)
	// Resume takes one pending sync task that is bound to the worker; nil if it is no longer pending.
	Resume(ctx context.Context, id ID, worker string) (*Job, error)
	// Update writes what running tasks report. The answer says of each whether the claim still held.
	Update(ctx context.Context, updates []Update) ([]bool, error)
	// Expire moves a running task to aborting because its time is over; false if it is no longer running under the claim.
	Expire(ctx context.Context, ref Ref) (bool, error)
	// Finish ends attempts: for each, one conditional statement picks the outcome by the row's status.
	Finish(ctx context.Context, finishes []Finish) ([]Finished, error)
}

// deciding: what a person does, under the row's lock.
type deciding interface {
	// Cancel locks the task, lets decide look at it, and does the deed. It returns the task as it is afterwards, and
	// [ErrNotFound] or the error of decide if nothing was done. A deed that is no longer possible cannot happen: the row
	// is locked from the look to the write.
	Cancel(ctx context.Context, id ID, decide func(*Task) (Deed, error)) (*Task, error)
}

// looking: reads. A viewer sees through the one predicate of S10.
type looking interface {
	// Get reads one task with its subscribers; ErrNotFound if there is none that the viewer sees.
	Get(ctx context.Context, id ID, v Viewer) (*Task, error)
	// Status reads the status alone; ErrNotFound as in Get.
	Status(ctx context.Context, id ID, v Viewer) (Status, error)
	// List reads a page with its count in one statement and its subscribers in a second, whatever its size. The parameters
	// are checked. A cursor that is not one of its own is a [*ValidationError].
	List(ctx context.Context, p *ListParams, v Viewer) (*TaskPage, error)
	// Distinct lists the values of a column among the tasks that the viewer sees, at most p.Limit, in order of their text.
	// For a viewer who does not see everything it may look at their newest 10,000 tasks only.
	Distinct(ctx context.Context, p *DistinctParams, v Viewer) ([]DistinctValue, error)
	// Changes reads tasks that were changed by transactions committed after a cursor: each at least once, as it is now. A
	// change may come again, none is left out, in whatever order transactions commit. A text that is no cursor is a
	// [*ValidationError].
	Changes(ctx context.Context, p *ChangesParams, v Viewer) (*Changes, error)
	// Look reads what waiters need, unfiltered; tasks that do not exist are left out.
	Look(ctx context.Context, ids []ID) ([]Look, error)
	// Logs reads the lines after a sequence number, oldest first, at most limit; ErrNotFound if the viewer does not see the
	// task.
	Logs(ctx context.Context, id ID, v Viewer, after int64, limit int) ([]LogLine, error)
	// Backlog counts the pending tasks by queue and type.
	Backlog(ctx context.Context) ([]Backlog, error)
}

// living: the table of workers (S12).
type living interface {
	// Register adds a worker, or updates what a living one offers.
	Register(ctx context.Context, w *Worker) error
	// Beat records that the worker lives; false if its row was declared lost or is gone.
	Beat(ctx context.Context, id string, running int) (bool, error)
	// Held lists what the worker has claimed, with the tasks to abort among it.
	Held(ctx context.Context, id string) ([]Held, error)
	// Leave removes the worker.
	Leave(ctx context.Context, id string) error
	// Workers lists the rows, living first.
	Workers(ctx context.Context) ([]Worker, error)
}

// housekeeping: one client at a time does it; two at once do no harm (S13).
type housekeeping interface {
	// Reap declares workers lost that have been silent for longer than the timeout, and takes every active task bound to
	// a worker without a living row, at most limit: pending again or failed by S12.2.
	Reap(ctx context.Context, silence time.Duration, limit int) ([]Transition, error)
	// ExpireQueued ends pending tasks that waited longer than their maximum queue time, at most limit.
	ExpireQueued(ctx context.Context, limit int) ([]Transition, error)
	// Remember keeps names and e-mail addresses of people. Where a task was stored without the name of its creator, of a
	// subscriber or of who aborted it, reads fill in what is remembered.
	Remember(ctx context.Context, people []Principal) error
	// Prune deletes up to limit terminal tasks that ended longer ago than age, oldest first.
	Prune(ctx context.Context, age time.Duration, limit int) (int, error)
}

// SignalSource is implemented by stores that bring signals of their own; Config.Signals overrides them.
type SignalSource interface {
	Signals() Signals
}

// Wide is implemented by stores that gain from several grouped statements of one kind at once; others get one.
type Wide interface {
	InFlight() int
}

// Tx is a transaction of the caller, made by the store's package from what its driver gives: pgstore.Tx, pgstore.SQLTx,
// sqlitestore.Tx.
type Tx interface {
	// Unwrap is the driver's transaction: a pgx.Tx or *sql.Tx.
	Unwrap() any
}

// Submission is one task to create, or to join.
type Submission struct {
	ID           ID
	DedupKey     string
	Type         string
	Key          string
	Name         string
	Scope        Scope
	Mode         Mode
	Worker       string // ModeSync: the process; the row is inserted claimed by it
	Queue        string
	Priority     int
	Delay        time.Duration // until it is due; a caller's instant is DueAt
	DueAt        time.Time     // zero: by Delay
	MaxQueueTime time.Duration // 0: none
	Timeout      time.Duration // 0: none
	Abortable    bool          // as declared
	PerClient    bool
	MaxAttempts  int
	Backoff      Backoff
	Input        json.RawMessage
	By           Principal // zero: nobody is subscribed
	Client       string    // with PerClient: the caller's client
	Trace        string    // of the span that submits, for its executor; at most 1 KiB, empty: none
}

// Submitted answers a Submission.
type Submitted struct {
	ID      ID // ours, or that of the task joined
	Created bool
}

// Backoff spaces attempts: Base doubles with each one up to Max, with up to a half of it taken off at random.
type Backoff struct {
	Base time.Duration
	Max  time.Duration
}

// Delay is the pause after an attempt, counted from 1: Base doubled each time up to Max, less up to a half of it by random,
// a number from 0 to 1.
func (b Backoff) Delay(attempt int, random float64) time.Duration {
	d := b.Max
	if shift := attempt - 1; shift < 62 && b.Base<<shift>>shift == b.Base {
		d = min(b.Base<<shift, b.Max)
	}
	return d - time.Duration(random*float64(d)/2)
}

// ClaimParams is what a worker has to offer.
type ClaimParams struct {
	Worker string
	Queues []QueueSlots
	Types  []string
	Only   []ID // not empty: only these, whatever their queue; Queues is not looked at
}

// QueueSlots is one queue and how many more tasks of it the worker can run.
type QueueSlots struct {
	Queue string
	Free  int
}

// Claimed answers a claim.
type Claimed struct {
	Jobs []*Job
	// Next is how long until the first task becomes due that these queues and types could take; 0 if unknown or none.
	// Filled only if a queue had fewer due tasks than slots.
	Next time.Duration
}

// Job is a claimed task as its executor needs it.
type Job struct {
	Ref
	Type        string
	Key         string
	Name        string
	Scope       Scope
	Mode        Mode
	Queue       string
	MaxAttempts int
	Backoff     Backoff
	Timeout     time.Duration
	Abortable   bool // as declared
	Input       json.RawMessage
	Payload     json.RawMessage
	By          Principal
	Trace       string        // as submitted
	Waited      time.Duration // from when it could be claimed to the claim
}

// Ref is the right to write a running task: its id and claim number. The claim number is also the number of the attempt.
type Ref struct {
	ID    ID
	Claim int64
}

// Update is what a running task reports; zero fields are left alone.
type Update struct {
	Ref
	Progress       *Progress
	Payload        json.RawMessage // whole, already merged
	Abortable      bool            // true: an abort handler now exists
	TimeoutWarning bool
	Logs           []LogLine // without Seq: the store numbers them
	LogsDropped    int       // lines lost before the first of Logs
}

// LogLine is one line a task logged. A store may take from At only how long ago that was, and keep the time of its own clock.
type LogLine struct {
	Seq   int64 // from 1, with gaps where lines were dropped
	At    time.Time
	Level slog.Level
	Text  string // message and attributes, at most 8 KiB
}

// What a store keeps of a task's log lines (S6.6): the last ones within both limits.
const (
	MaxLogLines = 10_000
	MaxLogBytes = 1 << 20
)

// Finish ends an attempt.
type Finish struct {
	Update
	Running  Outcome // if the row is in_progress
	Aborting Outcome // if the row is aborting
}

// Outcome is what becomes of an attempt.
type Outcome struct {
	Status    Status // pending for another attempt; empty: aborted or timed_out, by the row's abort reason
	Error     string
	ErrorType string
	Stack     string
	Result    json.RawMessage
	Delay     time.Duration // pending: until due
}

// Finished answers a Finish.
type Finished struct {
	Held   bool // false: the claim was lost and nothing was written
	Status Status
}

// Deed is what becomes of a cancel.
type Deed struct {
	Kind   DeedKind
	By     Principal // who asks; for DeedLeave and DeedDetach also who goes
	Client string    // DeedDetach: the client that goes
}

// DeedKind names the deeds.
type DeedKind int

const (
	DeedNone   DeedKind = iota // nothing to write
	DeedAbort                  // pending becomes aborted; in_progress becomes aborting
	DeedLeave                  // remove the subscriber
	DeedDetach                 // remove one of the subscriber's clients
)

// Look is what waiters and executors need to know of a task.
type Look struct {
	Ref
	Type        string
	Status      Status
	AbortReason AbortReason
	Version     int64
	Error       string
	Result      json.RawMessage // of a success
}

// Held is one claim of a worker.
type Held struct {
	Ref
	Status      Status
	AbortReason AbortReason
}

// Worker is one process that executes.
type Worker struct {
	ID        string
	Host      string
	PID       int
	Version   string
	Queues    map[string]int // slots by queue; empty for a process that only runs inline
	Types     []string
	Running   int
	StartedAt time.Time
	BeatAt    time.Time
	Silence   time.Duration // since the last beat, by the store's clock
	Lost      bool
}

// Transition is one change of status made by housekeeping.
type Transition struct {
	ID       ID
	Type     string
	Queue    string
	From, To Status
	Worker   string
}

// Backlog counts pending tasks.
type Backlog struct {
	Queue  string
	Type   string
	Due    int           // could be claimed now
	Later  int           // waiting for their due time
	Oldest time.Duration // how long the oldest could have been claimed
}

// StoreInfo says what a store is.
type StoreInfo struct {
	Kind    string // "sqlite"
	Where   string // without secrets
	Version string // of the database
	Schema  int64  // the migration it is at
	Bytes   int64  // 0 if unknown
}
