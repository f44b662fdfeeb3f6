package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/globaltask/gtf"
)

// taskData is what an event of a task says.
type taskData struct {
	ID       gtf.ID     `json:"id"`
	Version  int64      `json:"version"`
	Status   gtf.Status `json:"status"`
	Progress *float64   `json:"progress"` // 0 to 1, null if unknown
	Current  *int64     `json:"progress_current"`
	Total    *int64     `json:"progress_total"`
}

// taskEvent is a nudge. It has no id: only behind the last event of a batch is everything before the cursor sent.
func taskEvent(c *gtf.Change) []byte {
	data := taskData{ID: c.ID, Version: c.Version, Status: c.Status}
	data.Progress, data.Current, data.Total = c.Progress.Parts()
	return encode("task", "", data)
}

func helloEvent(cursor string) []byte { return encode("hello", cursor, struct{}{}) }

func resetEvent(cursor string) []byte { return encode("reset", cursor, struct{}{}) }

// ended is the id of the event end: an EventSource that comes back with it is told to give up.
const ended = "end"

func endEvent(id gtf.ID) []byte {
	return encode("end", ended, struct {
		ID gtf.ID `json:"id"`
	}{id})
}

// byeEvent tells when to come back, in the way of an EventSource and in that of a script.
func byeEvent(after time.Duration) []byte {
	ms := after.Milliseconds()
	return append(retry(after), encode("bye", "", struct {
		Retry int64 `json:"retry"`
	}{ms})...)
}

// retry is no event, but how long an EventSource waits before it comes back by itself.
func retry(after time.Duration) []byte {
	return fmt.Appendf(nil, "retry: %d\n\n", after.Milliseconds())
}

// position is no event, but where an EventSource goes on.
func position(cursor string) []byte { return fmt.Appendf(nil, "id: %s\n\n", cursor) }

// comment is no event, but keeps connections open.
func comment() []byte { return []byte(": alive\n\n") }

func encode(name, id string, data any) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	text, _ := json.Marshal(data) // numbers, ids and names: always JSON
	fmt.Fprintf(&b, "data: %s\n\n", text)
	return b.Bytes()
}
