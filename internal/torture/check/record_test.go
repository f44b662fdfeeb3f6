package check

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// clean is a record of a test in which all went well. Times are seconds; a _ in a value stands for a space.
//
//	TIME PROC KIND name=value…            an event of the journals
//	TIME table TASK FROM>TO name=value…   a change of the table of tasks
//	TIME lease TOKEN until=TIME           of the housekeeping lease
//	task TASK name=value…                 a task at the end
const clean = `
0.1 w1 enlist worker=W1
0.1 w1 keeper token=K1
0.1 w1 working
0.1 w2 enlist worker=W2
0.1 w2 keeper token=K2
0.1 w2 working
0.1 w3 enlist worker=W3
0.1 w3 working
0.2 s1 enlist worker=S1
0.3 lease K2 until=60

# a succeeds.
1.0 s1 submit call=1 type=quick key=ka by=ada
1.0 table a >pending key=ka
1.0 s1 submitted call=1 task=a
1.0 s1 wait call=2 task=a
1.1 table a pending>in_progress claim=1 worker=W1 key=ka
1.1 w1 start task=a claim=1
1.2 table a in_progress>in_progress claim=1 worker=W1 key=ka payload={"claim":1} progress=1000001
1.3 w1 end task=a claim=1 result={"claim":1}
1.3 table a in_progress>success claim=1 worker=W1 key=a
1.4 s1 waited call=2 task=a status=success result={"claim":1}
task a type=quick key=ka by=ada status=success attempt=1 max=1 result={"claim":1} subscribers=ada

# b is shared: ada creates it, bob joins it and leaves, cyd joins it and is killed before she hears of it.
2.0 s1 submit call=3 type=shared key=kb scope=shared by=ada
2.0 table b >pending key=kb
2.0 s1 submitted call=3 task=b
2.1 s1 submit call=4 type=shared key=kb scope=shared by=bob
2.1 s1 submitted call=4 task=b joined=true
2.2 s2 submit call=1 type=shared key=kb scope=shared by=cyd
2.2 conductor dead who=s2 how=killed
2.3 s1 cancel call=5 task=b by=bob
2.3 s1 canceled call=5 task=b effect=unsubscribe status=pending
2.4 table b pending>in_progress claim=1 worker=W2 key=kb
2.4 w2 start task=b claim=1
2.5 w2 end task=b claim=1 error=it_broke
2.5 table b in_progress>pending claim=1 key=kb
2.6 table b pending>in_progress claim=2 worker=W2 key=kb
2.6 w2 start task=b claim=2
2.7 w2 end task=b claim=2 result={"claim":2}
2.7 table b in_progress>success claim=2 worker=W2 key=b
task b type=shared key=kb scope=shared by=ada status=success attempt=2 max=2 result={"claim":2} subscribers=ada,cyd dedupe=2 attempts=it_broke

# c loses its worker.
3.0 s1 submit call=6 type=quick key=kc by=ada
3.0 table c >pending key=kc
3.0 s1 submitted call=6 task=c
3.1 table c pending>in_progress claim=1 worker=W1 key=kc
3.1 w1 start task=c claim=1
5.0 conductor fault call=1 how=kill who=w1
5.0 conductor dead who=w1 how=killed
7.2 table c in_progress>pending claim=1 key=kc
7.4 table c pending>in_progress claim=2 worker=W2 key=kc
7.4 w2 start task=c claim=2
7.5 w2 end task=c claim=2 result={"claim":2}
7.5 table c in_progress>success claim=2 worker=W2 key=c
task c type=quick key=kc by=ada status=success attempt=2 max=3 result={"claim":2} subscribers=ada attempts=worker_lost

# d is cancelled while it waits, and e while it runs.
8.0 s1 submit call=7 type=quick key=kd by=ada
8.0 table d >pending key=kd
8.0 s1 submitted call=7 task=d
8.1 s1 cancel call=8 task=d by=ada
8.1 table d pending>aborted key=d
8.2 s1 canceled call=8 task=d effect=abort status=aborted
8.3 s1 cancel call=9 task=d by=ada
8.3 s1 canceled call=9 task=d refused=finished
task d type=quick key=kd by=ada status=aborted max=3 reason=user aborter=ada subscribers=ada
9.0 s1 submit call=10 type=sleeper key=ke by=ada
9.0 table e >pending key=ke
9.0 s1 submitted call=10 task=e
9.0 s1 wait call=11 task=e
9.1 table e pending>in_progress claim=1 worker=W2 key=ke
9.1 w2 start task=e claim=1
9.3 s1 cancel call=12 task=e by=ada
9.3 table e in_progress>aborting claim=1 worker=W2 key=ke
9.3 s1 canceled call=12 task=e effect=abort status=aborting
9.4 w2 abort task=e claim=1
9.4 w2 context task=e claim=1 cause=the_task_was_aborted
9.5 w2 end task=e claim=1 error=stopped
9.6 table e aborting>aborted claim=1 worker=W2 key=e
9.7 s1 waited call=11 task=e status=aborted
task e type=sleeper key=ke by=ada status=aborted attempt=1 max=3 reason=user aborter=ada subscribers=ada

# f has a worker that is stopped, resumed and fenced.
10.0 s1 submit call=13 type=quick key=kf by=ada
10.0 table f >pending key=kf
10.0 s1 submitted call=13 task=f
10.1 table f pending>in_progress claim=1 worker=W3 key=kf
10.1 w3 start task=f claim=1
10.5 conductor fault call=2 how=stop who=w3
12.8 table f in_progress>pending claim=1 key=kf
12.9 table f pending>in_progress claim=2 worker=W2 key=kf
12.9 w2 start task=f claim=2
13.5 conductor healed call=2 how=stop who=w3
13.6 w3 fenced
13.7 w3 context task=f claim=1 cause=fenced
13.8 w3 end task=f claim=1 error=stopped
13.9 w2 cleanup task=f claim=2 error=cannot_clean_up
13.9 w2 end task=f claim=2 result={"claim":2}
14.0 table f in_progress>failure claim=2 worker=W2 key=f
task f type=quick key=kf by=ada status=failure attempt=2 max=3 error=cleanup_handler:_cannot_clean_up subscribers=ada attempts=worker_lost

# 0 waits too long in its queue; nobody was told that it exists. 1 runs inline.
14.0 s3 submit call=1 type=queued key=k0 by=dee
14.1 table 0 >pending key=k0
14.1 s3 submitted call=1 error=timeout
14.9 table 0 pending>timed_out key=0
task 0 type=queued key=k0 by=dee status=timed_out max=3 error=waited_longer_than_its_maximum_queue_time subscribers=dee
15.0 s1 submit call=14 type=quick key=k1 by=ada
15.0 table 1 >in_progress claim=1 worker=S1 key=k1
15.0 s1 submitted call=14 task=1
15.0 s1 start task=1 claim=1
15.1 s1 end task=1 claim=1 error=panic_in_attempt_1
15.1 table 1 in_progress>failure claim=1 worker=S1 key=1
task 1 type=quick key=k1 by=ada status=failure attempt=1 max=1 error=panic:_panic_in_attempt_1 subscribers=ada

16.0 w2 drain
16.1 w2 stopped
16.2 conductor dead who=w2 how=exited
20.0 conductor clock
`

var limits = Limits{
	Heartbeat: 300 * time.Millisecond, Fence: time.Second, WorkerTimeout: 2 * time.Second, Resumed: time.Second, Slack: time.Second,
	Told: 4 * time.Second, Idle: 6 * time.Second, Skew: 50 * time.Millisecond,
}

// read makes a record of a text.
func read(t *testing.T, text string) *Record {
	t.Helper()
	r := &Record{Limits: limits}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		head, values := fields, map[string]string{}
		for i, f := range fields {
			if name, value, ok := strings.Cut(f, "="); ok && i > 1 {
				values[name] = strings.ReplaceAll(value, "_", " ")
				head = head[:min(len(head), i)]
			}
		}
		switch {
		case head[0] == "task":
			r.Tasks = append(r.Tasks, readTask(t, fields[1], values))
		case head[1] == "table":
			r.Changes = append(r.Changes, readChange(t, head, values))
		case head[1] == "lease":
			r.Leases = append(r.Leases, Lease{At: when(t, head[0]), Token: head[2], Until: when(t, values["until"])})
		default:
			r.Events = append(r.Events, readEvent(t, head, values))
		}
	}
	return r
}

func when(t *testing.T, text string) int64 {
	t.Helper()
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(seconds * 1e9)
}

func number(values map[string]string, name string) int64 {
	n, _ := strconv.ParseInt(values[name], 10, 64) // none is 0
	return n
}

// idOf gives a task of one digit or letter an id, which is also what the table and the journals call it.
func idOf(name string) string { return fmt.Sprintf("00000000-0000-7000-8000-%012s", name) }

func readEvent(t *testing.T, head []string, values map[string]string) journal.Event {
	t.Helper()
	fields := map[string]any{}
	for name, value := range values {
		switch name {
		case "call", "claim", "joined":
			fields[name] = json.RawMessage(value)
		case "since", "for":
			fields[name] = when(t, value)
		case "task":
			fields[name] = idOf(value)
		default:
			fields[name] = value
		}
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	e := journal.Event{}
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	e.At, e.Proc, e.Kind = when(t, head[0]), head[1], journal.Kind(head[2])
	return e
}

func readChange(t *testing.T, head []string, values map[string]string) Change {
	t.Helper()
	from, to, ok := strings.Cut(head[3], ">")
	if !ok {
		t.Fatalf("%q is no change", head)
	}
	key := values["key"]
	if len(key) == 1 {
		key = idOf(key)
	}
	return Change{
		At: when(t, head[0]), Task: idOf(head[2]), From: gtf.Status(strings.ReplaceAll(from, " ", "_")), To: gtf.Status(to), Key: key,
		Claim: int(number(values, "claim")), Worker: values["worker"], Payload: values["payload"], Progress: number(values, "progress"),
		Sealed: values["sealed"] != "",
	}
}

func readTask(t *testing.T, name string, values map[string]string) *gtf.Task {
	t.Helper()
	id, err := gtf.ParseID(idOf(name))
	if err != nil {
		t.Fatal(err)
	}
	task := &gtf.Task{
		ID: id, Type: values["type"], Key: values["key"], Scope: gtf.Scope(values["scope"]),
		Status: gtf.Status(strings.ReplaceAll(values["status"], " ", "_")), CreatedBy: gtf.Principal{ID: values["by"]},
		Attempt: int(number(values, "attempt")), MaxAttempts: int(number(values, "max")), DedupeCount: int(number(values, "dedupe")),
		Error: values["error"], AbortReason: gtf.AbortReason(values["reason"]), AbortedBy: gtf.Principal{ID: values["aborter"]},
	}
	if values["result"] != "" {
		task.Result = json.RawMessage(values["result"])
	}
	for who := range strings.SplitSeq(values["subscribers"], ",") {
		if who != "" {
			task.Subscribers = append(task.Subscribers, gtf.Subscriber{ID: who})
		}
	}
	for what := range strings.SplitSeq(values["attempts"], "|") {
		if what != "" {
			task.Attempts = append(task.Attempts, gtf.Attempt{Error: what})
		}
	}
	return task
}
