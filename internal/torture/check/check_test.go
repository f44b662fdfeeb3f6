package check

import (
	"strings"
	"testing"
)

// edited is a record with some lines replaced; an old line must be there, and the new ones go to its place.
func edited(t *testing.T, edits ...string) *Record {
	t.Helper()
	text := clean
	for i := 0; i < len(edits); i += 2 {
		if strings.Count(text, edits[i]) != 1 {
			t.Fatalf("the record has %q %d times", edits[i], strings.Count(text, edits[i]))
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return read(t, text)
}

func TestCheck(t *testing.T) {
	t.Run("passes a clean record", func(t *testing.T) {
		violations, figures := Check(edited(t))
		for _, v := range violations {
			t.Errorf("%s: %s\n%s", v.Rule, v.Text, strings.Join(v.Lines, "\n"))
		}
		if figures.Tasks != 8 || figures.Starts != 9 || figures.Again != 3 || figures.Lost != 2 || figures.Fences != 1 || figures.Stray != 0 {
			t.Errorf("the figures are %+v", *figures)
		}
	})
}

func TestCheckFinds(t *testing.T) {
	const (
		endA   = "1.3 table a in_progress>success claim=1 worker=W1 key=a\n"
		takenC = "7.2 table c in_progress>pending claim=1 key=kc\n"
		taskA  = "task a type=quick key=ka by=ada status=success attempt=1 max=1 result={\"claim\":1} subscribers=ada\n"
		taskB  = "status=success attempt=2 max=2 result={\"claim\":2} subscribers=ada,cyd dedupe=2"
	)
	tests := []struct {
		name  string
		rule  string
		edits []string
	}{
		{"a task that is still running", ruleEnds, []string{endA, "", "status=success attempt=1 max=1 result={\"claim\":1}", "status=in_progress attempt=1 max=1"}},
		{"a task that was accepted and is gone", ruleEnds, []string{taskA, ""}},
		{"a task that was deleted", ruleEnds, []string{endA, endA + "1.4 table a success>\n"}},
		{"a task that no trigger has seen", ruleEnds, []string{taskA, taskA + "task 9 type=quick key=k9 by=ada status=success attempt=1 max=1\n"}},

		{"a success with the result of another claim", ruleOutcome, []string{"1.3 w1 end task=a claim=1 result={\"claim\":1}", "1.3 w1 end task=a claim=1 result={\"claim\":2}"}},
		{"a success of a function that failed", ruleOutcome, []string{"1.3 w1 end task=a claim=1 result={\"claim\":1}", "1.3 w1 end task=a claim=1 error=no"}},
		{"a success of a function that has not returned", ruleOutcome, []string{"1.3 w1 end task=a claim=1 result={\"claim\":1}\n", ""}},
		{"a success that nothing ran for", ruleOutcome, []string{"1.1 w1 start task=a claim=1\n", "", "1.3 w1 end task=a claim=1 result={\"claim\":1}\n", ""}},
		{"a failure that nothing explains", ruleOutcome, []string{"error=panic:_panic_in_attempt_1", "error=who_knows"}},
		{"a failure without an error", ruleOutcome, []string{" error=panic:_panic_in_attempt_1", ""}},
		{"a lost worker that was never lost", ruleOutcome, []string{"dedupe=2 attempts=it_broke", "dedupe=2 attempts=worker_lost"}},
		{"a lost attempt", ruleOutcome, []string{"status=success attempt=2 max=3 result={\"claim\":2} subscribers=ada attempts=worker_lost", "status=success attempt=2 max=3 result={\"claim\":2} subscribers=ada attempts=worker_lost|worker_lost|worker_lost"}},
		{"an abort that nobody asked for", ruleOutcome, []string{"status=aborted max=3 reason=user aborter=ada", "status=aborted max=3"}},
		{"a task that waited too long and ran", ruleOutcome, []string{"status=timed_out max=3", "status=timed_out attempt=1 max=3"}},
		{"a timeout without a limit", ruleOutcome, []string{"error=waited_longer_than_its_maximum_queue_time", "error=why"}},
		{"a failure with a result", ruleOutcome, []string{"error=panic:_panic_in_attempt_1", "error=panic:_panic_in_attempt_1 result={}"}},
		{"a success after an abort that was noticed", ruleOutcome, []string{
			"9.5 w2 end task=e claim=1 error=stopped", "9.5 w2 end task=e claim=1 result={}", "9.6 table e aborting>aborted", "9.6 table e aborting>success",
			"status=aborted attempt=1 max=3 reason=user aborter=ada", "status=success attempt=1 max=3 result={}",
		}},

		{"an attempt that was begun twice", ruleOnce, []string{"1.1 w1 start task=a claim=1\n", "1.1 w1 start task=a claim=1\n1.1 w2 start task=a claim=1\n"}},
		{"more starts than attempts", ruleOnce, []string{"status=success attempt=2 max=2", "status=success attempt=2 max=1"}},
		{"two runs at a time", ruleAlone, []string{"2.5 w2 end task=b claim=1 error=it_broke", "2.65 w2 end task=b claim=1 error=it_broke"}},
		{"an old run that goes on after it was resumed", ruleAlone, []string{"13.7 w3 context task=f claim=1 cause=fenced\n", "", "13.8 w3 end task=f claim=1 error=stopped\n", ""}},
		{"a run without a claim", ruleClaim, []string{"1.1 w1 start task=a claim=1\n", "1.1 w1 start task=a claim=1\n1.1 w1 start task=a claim=2\n1.2 w1 end task=a claim=2\n"}},
		{"a run with another process's claim", ruleClaim, []string{"1.1 w1 start task=a claim=1\n", "1.1 w2 start task=a claim=1\n"}},
		{"a run before its claim", ruleClaim, []string{"1.1 w1 start task=a claim=1\n", "1.02 w1 start task=a claim=1\n"}},
		{"a run that outlives its claim", ruleClaim, []string{"1.3 w1 end task=a claim=1 result={\"claim\":1}", "1.5 w1 end task=a claim=1 result={\"claim\":1}"}},
		{"a context that a fence leaves alive", ruleFence, []string{"9.1 w2 start task=e claim=1\n", "9.1 w2 start task=e claim=1\n9.15 w2 fenced\n", "9.4 w2 context", "12.4 w2 context", "9.5 w2 end task=e", "12.5 w2 end task=e"}},
		{"a process that does not notice that it is cut off", ruleFence, []string{"9.1 w2 start task=e claim=1\n", "9.1 w2 start task=e claim=1\n9.15 conductor fault call=7 how=cut who=w2\n", "9.4 w2 context", "13.4 w2 context", "9.5 w2 end task=e", "13.5 w2 end task=e"}},

		{"a step that the table forbids", ruleSteps, []string{"8.1 table d pending>aborted", "8.1 table d pending>success"}},
		{"a status that comes from nowhere", ruleSteps, []string{"7.4 table c pending>in_progress", "7.4 table c in_progress>in_progress"}},
		{"a task that is born finished", ruleSteps, []string{"1.0 table a >pending key=ka\n", "1.0 table a >success key=a\n"}},
		{"a claim that goes back", ruleSteps, []string{"2.6 table b pending>in_progress claim=2", "2.6 table b pending>in_progress claim=0"}},
		{"a terminal row that changes", ruleSealed, []string{endA, endA + "1.4 table a success>success claim=1 worker=W1 key=a sealed=yes\n"}},
		{"a finished task that begins again", ruleSealed, []string{endA, endA + "1.4 table a success>pending claim=1 key=ka\n"}},
		{"two active tasks with one key", ruleKeys, []string{"2.4 table b pending", "2.4 table c >pending key=kb\n2.4 table b pending", "3.0 table c >pending key=kc\n", ""}},
		{"a finished task that keeps its key", ruleKeys, []string{endA, "1.3 table a in_progress>success claim=1 worker=W1 key=ka\n"}},
		{"a payload of an old claim", ruleOldClaims, []string{takenC, takenC + "7.45 table c pending>pending claim=2 key=kc payload={\"claim\":1}\n"}},
		{"a progress of an old claim", ruleOldClaims, []string{"progress=1000001", "progress=2000001"}},

		{"a task of a dead worker that is taken late", ruleReaped, []string{"7.2 table c", "8.8 table c", "7.4 table c", "8.9 table c", "7.4 w2 start task=c", "8.9 w2 start task=c", "7.5 w2 end task=c", "8.95 w2 end task=c", "7.5 table c", "8.95 table c"}},
		{"a task of a dead worker that is never taken", ruleReaped, []string{takenC, "", "7.4 table c pending>in_progress claim=2 worker=W2 key=kc\n", "", "7.5 table c in_progress>success claim=2 worker=W2 key=c\n", ""}},
		{"a task that a fence leaves behind", ruleReaped, []string{"2.4 w2 start task=b claim=1\n", "2.4 w2 start task=b claim=1\n2.4 w2 fenced\n", "2.5 table b", "7.5 table b"}},
		{"a process that stops with a task", ruleStop, []string{"16.1 w2 stopped", "9.3 w2 stopped"}},
		{"a process that has stopped and starts a task", ruleStop, []string{"16.1 w2 stopped", "13.0 w2 stopped"}},

		{"a transaction that is left open", ruleLocks, []string{"20.0 conductor clock", "20.0 conductor lasts worker=77 how=idle_in_transaction for=6.5"}},

		{"a wait without an end", ruleWaits, []string{"1.4 s1 waited call=2 task=a status=success result={\"claim\":1}\n", ""}},
		{"a wait with another status", ruleWaits, []string{"9.7 s1 waited call=11 task=e status=aborted", "9.7 s1 waited call=11 task=e status=success"}},
		{"a wait with another result", ruleWaits, []string{"status=success result={\"claim\":1}\ntask a", "status=success result={\"claim\":2}\ntask a"}},
		{"a wait with another reason", ruleWaits, []string{"9.7 s1 waited call=11 task=e status=aborted", "9.7 s1 waited call=11 task=e status=aborted reason=other"}},
		{"a wait that ends before the task", ruleWaits, []string{"9.7 s1 waited", "9.4 s1 waited"}},
		{"a wait that hears of the end late", ruleWaits, []string{"9.7 s1 waited", "13.9 s1 waited"}},
		{"a wait for a task that is not found", ruleWaits, []string{"waited call=11 task=e status=aborted", "waited call=11 task=e refused=not_found"}},
		{"a client that stops by itself", ruleWaits, []string{"waited call=11 task=e status=aborted", "waited call=11 task=e refused=stopped"}},

		{"a lost subscription", ruleFollowers, []string{taskA, strings.Replace(taskA, " subscribers=ada", "", 1)}},
		{"a lost subscription of one who joins again", ruleFollowers, []string{"2.4 table b pending", "2.35 s1 submit call=70 type=shared key=kb scope=shared by=bob\n2.35 s1 submitted call=70 task=b joined=true\n2.4 table b pending", "dedupe=2", "dedupe=3"}},
		{"one who has left and still follows", ruleFollowers, []string{"subscribers=ada,cyd", "subscribers=ada,bob,cyd"}},
		{"a stranger", ruleFollowers, []string{"subscribers=ada,cyd", "subscribers=ada,cyd,eve"}},

		{"a start after an abort", ruleCancels, []string{"8.3 s1 cancel call=9 task=d by=ada\n", "8.3 s1 cancel call=9 task=d by=ada\n8.3 w2 start task=d claim=1\n"}},
		{"an abort that is forgotten", ruleCancels, []string{"status=aborted max=3 reason=user aborter=ada", "status=success max=3 result={}"}},
		{"an abort of a running task that fails by it", ruleCancels, []string{"status=aborted attempt=1 max=3 reason=user aborter=ada", "status=failure attempt=1 max=3 error=stopped"}},
		{"an abort of a running task that times out", ruleCancels, []string{"status=aborted attempt=1 max=3 reason=user aborter=ada", "status=timed_out attempt=1 max=3 reason=user"}},
		{"an attempt after an abort", ruleCancels, []string{"9.6 table e aborting", "9.55 w2 start task=e claim=2\n9.6 table e aborting"}},
		{"finished before the end", ruleCancels, []string{"8.3 s1 cancel call=9 task=d by=ada\n8.3 s1 canceled call=9", "8.0 s1 cancel call=9 task=d by=ada\n8.0 s1 canceled call=9"}},
		{"an abort of neither kind", ruleCancels, []string{"task=d effect=abort status=aborted", "task=d effect=abort status=pending"}},

		{"a join that is not counted", ruleCounts, []string{taskB, strings.Replace(taskB, "dedupe=2", "dedupe=0", 1)}},
		{"a join that nobody made", ruleCounts, []string{taskB, strings.Replace(taskB, "dedupe=2", "dedupe=3", 1)}},
		{"a task that was created twice", ruleCounts, []string{"submitted call=4 task=b joined=true", "submitted call=4 task=b"}},
		{"a task that nobody created", ruleCounts, []string{"14.0 s3 submit call=1 type=queued key=k0 by=dee\n", ""}},
		{"a join of a finished task", ruleCounts, []string{"2.1 s1 submit call=4", "2.9 s1 submit call=4", "2.1 s1 submitted call=4", "2.9 s1 submitted call=4"}},
		{"a join of something else", ruleCounts, []string{"2.1 s1 submit call=4 type=shared key=kb", "2.1 s1 submit call=4 type=shared key=other"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			violations, _ := Check(edited(t, tt.edits...))
			found := false
			for _, v := range violations {
				found = found || v.Rule == tt.rule
			}
			if !found {
				t.Errorf("found %v, want %q", violations, tt.rule)
			}
		})
	}
}

func TestCheckForgives(t *testing.T) {
	tests := []struct {
		name  string
		edits []string
	}{
		{"a wait of a process that was killed", []string{
			"1.4 s1 waited call=2 task=a status=success result={\"claim\":1}\n", "", "20.0 conductor clock", "19.0 conductor dead who=s1 how=killed\n20.0 conductor clock",
		}},
		{"a wait of a process that was stopped", []string{"9.7 s1 waited", "13.9 s1 waited", "20.0 conductor clock", "13.8 s1 stall since=9.8\n20.0 conductor clock"}},
		{"a wait whose caller gave up", []string{"waited call=2 task=a status=success result={\"claim\":1}", "waited call=2 task=a refused=deadline"}},
		{"a wait of a process that was told to end", []string{
			"waited call=2 task=a status=success result={\"claim\":1}", "waited call=2 task=a refused=stopped", "20.0 conductor clock", "19.0 s1 drain\n20.0 conductor clock",
		}},
		{"a leave of which nobody knows", []string{
			"canceled call=5 task=b effect=unsubscribe status=pending", "canceled call=5 task=b error=timeout",
		}},
		{"a task that is taken late because the database was away", []string{
			"7.2 table c", "11.2 table c", "7.4 table c", "11.4 table c", "7.4 w2 start task=c", "11.4 w2 start task=c", "7.5 w2 end task=c",
			"11.5 w2 end task=c", "7.5 table c", "11.5 table c", "# d is cancelled", "9.7 conductor outage since=6.0\n# d is cancelled",
		}},
		{"a task that is taken late because the housekeeper was stopped", []string{
			"0.3 lease K2 until=60", "0.3 lease K1 until=9.5",
			"7.2 table c", "11.0 table c", "7.4 table c", "11.4 table c", "7.4 w2 start task=c", "11.4 w2 start task=c", "7.5 w2 end task=c",
			"11.5 w2 end task=c", "7.5 table c", "11.5 table c",
		}},
		{"a process that the machine did not let run", []string{"10.5 conductor fault call=2 how=stop who=w3\n", "", "13.6 w3 fenced", "13.6 w3 stall since=10.5\n13.6 w3 fenced"}},
		{"an old claim that begins late in a process that was stopped", []string{
			"10.1 w3 start task=f claim=1\n", "", "13.6 w3 fenced", "13.55 w3 start task=f claim=1\n13.6 w3 fenced",
		}},
		{"a function that has returned by the time its process notices that it is lost", []string{
			"10.1 w3 start task=f claim=1\n", "10.1 w3 start task=f claim=1\n13.55 w3 end task=f claim=1 result={}\n", "13.6 w3 fenced\n", "",
			"13.7 w3 context task=f claim=1 cause=fenced\n", "", "13.8 w3 end task=f claim=1 error=stopped\n", "",
		}},
		{"what a process stops with after it has given up its claims", []string{
			"10.1 w3 start task=f claim=1\n", "10.1 w3 start task=f claim=1\n10.2 w3 fenced\n10.25 w3 context task=f claim=1 cause=fenced\n10.3 w3 stopped\n",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			violations, _ := Check(edited(t, tt.edits...))
			for _, v := range violations {
				t.Errorf("%s: %s\n%s", v.Rule, v.Text, strings.Join(v.Lines, "\n"))
			}
		})
	}
}

func TestSpans(t *testing.T) {
	some := []span{{10, 20}, {15, 30}, {40, 50}, {60, 60}}
	if got := union(some); len(got) != 2 || got[0] != (span{10, 30}) || got[1] != (span{40, 50}) {
		t.Errorf("union gave %v", got)
	}
	if got := inverse(some, span{0, 45}); len(got) != 2 || got[0] != (span{0, 10}) || got[1] != (span{30, 40}) {
		t.Errorf("inverse gave %v", got)
	}
	if got := common(some, []span{{25, 45}}); len(got) != 2 || got[0] != (span{25, 30}) || got[1] != (span{40, 45}) {
		t.Errorf("common gave %v", got)
	}
	if got := calm(12, 8, some); got != 38 {
		t.Errorf("calm from 12 for 8 gave %d, want 38", got)
	}
	if got := calm(12, 12, some); got != 62 {
		t.Errorf("calm from 12 for 12 gave %d, want 62", got)
	}
}
