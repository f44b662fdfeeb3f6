// Package journal is what each process of the torture test writes down: one file per process, one line per event, one write
// call per line. A process that is killed has written a line or it has not.
//
// Times are of the machine's monotonic clock, so that those of different processes can be compared. The clock goes on while
// a process is stopped.
package journal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Kind says what happened.
type Kind string

// Questions and answers are paired by Proc and Call.
const (
	// Of every process of the load.
	Born    Kind = "born"
	Enlist  Kind = "enlist"  // it is about to register as Worker
	Keeper  Kind = "keeper"  // it is about to ask for the housekeeping lease with Token
	Working Kind = "working" // the client is started
	Stall   Kind = "stall"   // it did not run from Since to At
	Fenced  Kind = "fenced"  // it has given up its claims
	Drain   Kind = "drain"   // it was told to end: no new work from here on
	Stopped Kind = "stopped" // Client.Stop returned, with Error if it was given up

	// Of submitters.
	Submit    Kind = "submit"    // Type, Key, Scope, By, How; of ScheduleMany one for each item
	Submitted Kind = "submitted" // Task and Joined, or Error: then nobody knows
	Cancel    Kind = "cancel"    // Task, By, Force
	Canceled  Kind = "canceled"  // Effect and Status, or Refused, or Error: then nobody knows
	Wait      Kind = "wait"      // Task, How
	Waited    Kind = "waited"    // Status with Result or Reason, or Error: the wait ended without an outcome

	// Of whoever executes.
	Start   Kind = "start"   // Task, Claim, Type
	Context Kind = "context" // the function's context has ended because of Cause
	End     Kind = "end"     // the function returns Result, or Error
	Abort   Kind = "abort"   // an abort handler runs
	Cleanup Kind = "cleanup" // a cleanup handler runs; Error is what it returns

	// Of the conductor.
	Fault  Kind = "fault"  // How, to Who, planned for For nanoseconds
	Healed Kind = "healed" // the fault with the same Call is over
	Spawn  Kind = "spawn"  // Who was started
	Dead   Kind = "dead"   // Who has ended; How says by what
	Outage Kind = "outage" // the database gave no answer from Since to At
	Lasts  Kind = "lasts"  // a transaction at the server for For nanoseconds; How is its state, Cause its last statement
	Clock  Kind = "clock"  // Wall is the wall clock's microsecond at At
)

// Event is one line. Which fields are filled depends on the kind.
type Event struct {
	At   int64  `json:"at"` // monotonic, nanoseconds
	Proc string `json:"proc"`
	Kind Kind   `json:"kind"`
	Call int64  `json:"call,omitempty"`

	Task    string `json:"task,omitempty"`
	Claim   int    `json:"claim,omitempty"`
	Type    string `json:"type,omitempty"`
	Key     string `json:"key,omitempty"`
	Scope   string `json:"scope,omitempty"`
	By      string `json:"by,omitempty"` // "" is the host
	How     string `json:"how,omitempty"`
	Joined  bool   `json:"joined,omitempty"`
	Force   bool   `json:"force,omitempty"`
	Effect  string `json:"effect,omitempty"`
	Status  string `json:"status,omitempty"`
	Result  string `json:"result,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Refused string `json:"refused,omitempty"`
	Cause   string `json:"cause,omitempty"`
	Error   string `json:"error,omitempty"`

	Worker string `json:"worker,omitempty"`
	Token  string `json:"token,omitempty"`
	Who    string `json:"who,omitempty"`
	For    int64  `json:"for,omitempty"`
	Since  int64  `json:"since,omitempty"`
	Wall   int64  `json:"wall,omitempty"`
}

const suffix = ".journal"

// Writer appends to the journal of one process. It may be used by many goroutines.
type Writer struct {
	proc string
	file *os.File
}

// Create begins the journal of a process.
func Create(dir, proc string) (*Writer, error) {
	file, err := os.OpenFile(filepath.Join(dir, proc+suffix), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("begin the journal of %s: %w", proc, err)
	}
	return &Writer{proc: proc, file: file}, nil
}

// Proc is the name of the process.
func (w *Writer) Proc() string { return w.proc }

// Write adds an event, with the time and the process filled in. A process that cannot keep its journal ends: what it does
// from here on could not be checked.
func (w *Writer) Write(e Event) {
	e.At, e.Proc = Now(), w.proc
	line, err := json.Marshal(e)
	if err == nil {
		_, err = w.file.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "panic: cannot write the journal of %s: %v\n", w.proc, err)
		os.Exit(3)
	}
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

// Read reads the journals of a directory, all events by time. A last line that was cut off is left out.
func Read(dir string) ([]Event, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the journals: %w", err)
		}
		for n, line := range bytes.Split(raw, []byte("\n")) {
			if len(line) == 0 {
				continue
			}
			var e Event
			if err := json.Unmarshal(line, &e); err != nil {
				if bytes.HasSuffix(raw, line) { // without a line break: cut off
					break
				}
				return nil, fmt.Errorf("read the journals: %s:%d: %w", name, n+1, err)
			}
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return events, nil
}

// Line is the event as people read it, with the time in seconds after zero.
func (e *Event) Line(zero int64) string {
	short := *e
	short.At, short.Proc, short.Kind = 0, "", ""
	rest, err := json.Marshal(short)
	if err != nil {
		rest = []byte(err.Error())
	}
	rest = bytes.Replace(rest, []byte(`"at":0,"proc":"","kind":""`), nil, 1)
	rest = bytes.Replace(rest, []byte(`{,`), []byte(`{`), 1)
	return fmt.Sprintf("%10.3f %-9s %-9s %s", float64(e.At-zero)/1e9, e.Proc, e.Kind, rest)
}
