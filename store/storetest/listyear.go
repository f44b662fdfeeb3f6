package storetest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/globaltask/gtf"
)

// People of the year: one with 200,000 of a million tasks, one with 20, and 5,000 others with some hundred each.
var (
	manyTasks = gtf.Principal{Kind: gtf.KindUser, ID: "many", Name: "Mary Many"}
	fewTasks  = gtf.Principal{Kind: gtf.KindUser, ID: "few", Name: "Fred Few"}
)

const (
	retiredType = "old.import"   // none since half a year
	rareType    = "audit.yearly" // one in ten thousand
	people5000  = 5000
)

var (
	yearTypes = func() []string {
		types := make([]string, 20)
		for i := range types {
			types[i] = fmt.Sprintf("%s.%s", []string{"report", "mail", "image", "sync", "bill"}[i%5], []string{"make", "send", "check", "clean"}[i/5])
		}
		types[18], types[19] = retiredType, rareType
		return types
	}()
	yearWords = []string{
		"annual", "monthly", "weekly", "daily", "quarterly", "northern", "southern", "European", "Asian", "customer", "supplier", "invoice",
		"sales", "stock", "ledger", "payroll", "traffic", "dashboard", "summary", "detail", "forecast", "budget", "returns", "orders",
		"shipping", "press", "survey", "campaign", "newsletter", "backup", "archive", "index", "thumbnail", "gallery", "contract",
		"lease", "claim", "policy", "audit", "risk", "margin", "cost", "revenue", "profit", "Übersicht", "tax", "energy", "water", "waste",
	}
)

// year makes tasks that were created at even intervals in a year that ends now; what is random is the same each time.
type year struct {
	size          int
	end           time.Time
	subscriptions int // of the tasks given so far
}

func newYear(size int) *year {
	return &year{size: size, end: time.Now().UTC().Truncate(time.Microsecond)}
}

func (y *year) created(i int) time.Time {
	return y.end.Add(-time.Duration(y.size-i) * (365 * 24 * time.Hour / time.Duration(y.size))).Truncate(time.Microsecond)
}

// id is a UUID of version 7 for the time of creation.
func (y *year) id(i int) gtf.ID {
	rng := rand.New(rand.NewPCG(7, uint64(i)))
	var id gtf.ID
	binary.BigEndian.PutUint64(id[:8], uint64(y.created(i).UnixMilli())<<16|0x7000|rng.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], rng.Uint64()&(1<<62-1)|1<<63)
	return id
}

func (y *year) tasks() iter.Seq[*gtf.Task] {
	return func(yield func(*gtf.Task) bool) {
		for i := range y.size {
			t := y.task(i)
			y.subscriptions += len(t.Subscribers)
			if !yield(t) {
				return
			}
		}
	}
}

func (y *year) task(i int) *gtf.Task {
	rng := rand.New(rand.NewPCG(1, uint64(i)))
	one := func(in int) bool { return rng.IntN(in) == 0 }
	t := &gtf.Task{
		ID: y.id(i), Type: yearTypes[rng.IntN(18)], Mode: gtf.ModeAsync, Queue: gtf.DefaultQueue, Priority: 5, MaxAttempts: 1,
		CreatedAt: y.created(i), Scope: gtf.ScopePrivate, Version: 3, Attempt: 1,
	}
	t.DueAt, t.ChangedAt, t.DedupKey = t.CreatedAt, t.CreatedAt, t.ID.String()
	switch {
	case one(10_000):
		t.Type = rareType
	case i < y.size/2 && one(10):
		t.Type = retiredType
	}
	switch n := rng.IntN(100); {
	case n < 5:
		t.Scope = gtf.ScopeSystem
	case n < 30:
		t.Scope = gtf.ScopeShared
	}
	switch n := rng.IntN(1000); {
	case n == 0:
		t.Queue = "rare"
	case n < 200:
		t.Queue = "bulk"
	}
	t.Key = t.ID.String()
	if !one(3) {
		t.Key = fmt.Sprintf("report-%d", rng.IntN(50_000))
	}
	t.Name = fmt.Sprintf("%s %s %d", yearWords[rng.IntN(len(yearWords))], yearWords[rng.IntN(len(yearWords))], rng.IntN(1000))
	if one(20_000) {
		t.Name = "zebra " + t.Name
	}
	y.attach(t, rng, i)
	y.live(t, rng, i)
	return t
}

// attach says who created the task and who else subscribed: a fifth more than there are tasks.
func (y *year) attach(t *gtf.Task, rng *rand.Rand, i int) {
	anybody := func() gtf.Principal {
		n := rng.IntN(people5000)
		return gtf.Principal{Kind: gtf.KindUser, ID: fmt.Sprint(n), Name: fmt.Sprintf("Person %d", n)}
	}
	subscribe := func(p gtf.Principal) {
		t.Subscribers = append(t.Subscribers, gtf.Subscriber{Kind: p.Kind, ID: p.ID, Name: p.Name, Since: t.CreatedAt})
	}
	t.CreatedBy = anybody()
	switch step := max(1, y.size/20); {
	case i%step == step/2:
		t.CreatedBy = fewTasks
		t.Scope = gtf.ScopePrivate
	case rng.IntN(1000) < 208: // less those that the next lines take away
		t.CreatedBy = manyTasks
	}
	if t.CreatedBy == fewTasks || rng.IntN(50) > 0 { // otherwise the creator has left
		subscribe(t.CreatedBy)
	}
	if t.Scope == gtf.ScopeShared {
		for range rng.IntN(3) { // rarely the same one twice
			if p := anybody(); p != t.CreatedBy && (len(t.Subscribers) == 0 || t.Subscribers[len(t.Subscribers)-1].ID != p.ID) {
				subscribe(p)
			}
		}
	}
}

// live says what became of the task: 5 in 100 failed, 1 was aborted, 1 in 1,000 timed out, and of the last some are active.
func (y *year) live(t *gtf.Task, rng *rand.Rand, i int) {
	left := y.size - i
	switch {
	case left <= 150:
		t.Status, t.Attempt, t.Version = gtf.StatusPending, 0, 1
		return
	case left <= 200:
		t.Status = gtf.StatusInProgress
		if left%10 == 0 {
			t.Status, t.AbortReason = gtf.StatusAborting, gtf.AbortByUser
		}
		t.Worker, t.StartedAt = "worker", t.CreatedAt.Add(time.Second)
		t.ChangedAt = t.StartedAt
		return
	}
	t.Status, t.Result = gtf.StatusSuccess, json.RawMessage(fmt.Sprintf(`{"rows":%d}`, rng.IntN(1_000_000)))
	switch n := rng.IntN(1000); {
	case n == 0:
		t.Status, t.Result, t.AbortReason = gtf.StatusTimedOut, nil, gtf.AbortByTimeout
	case n <= 10:
		t.Status, t.Result, t.AbortReason, t.AbortedBy, t.AbortedAt = gtf.StatusAborted, nil, gtf.AbortByUser, t.CreatedBy, t.CreatedAt
	case n <= 60:
		t.Status, t.Result, t.Error, t.ErrorType = gtf.StatusFailure, nil, "connection refused by the other side", "*net.OpError"
	}
	t.Worker = "worker"
	t.StartedAt = t.CreatedAt.Add(time.Duration(rng.IntN(60_000)) * time.Millisecond)
	t.EndedAt = t.StartedAt.Add(time.Duration(rng.IntN(600_000)) * time.Millisecond)
	if t.Status == gtf.StatusAborted && rng.IntN(3) == 0 { // before it began
		t.Worker, t.StartedAt, t.Attempt, t.EndedAt = "", time.Time{}, 0, t.CreatedAt.Add(time.Minute)
	}
	t.ChangedAt = t.EndedAt
	t.Progress = gtf.Progress{Form: gtf.FormTotal, Ratio: 1, Current: 10, Total: 10}
}
