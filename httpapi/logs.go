package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/globaltask/gtf"
)

// logs answers with what a task has logged, oldest first: {count, dropped, next, result: [{seq, at, level, text}]}. ?after= is
// the next of an earlier answer, ?limit= at most 10,000, default 1,000.
func (h *Handler) logs(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	var bad []gtf.Problem
	number := func(name string, least, most int64) int64 {
		text := query.Get(name)
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < least || n > most {
			reason := "is not a whole number from " + strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10)
			bad = append(bad, gtf.Problem{Field: name, Reason: reason})
		}
		return n
	}
	after, limit := number("after", 0, 1<<53), number("limit", 1, gtf.MaxLogLines)
	if len(bad) > 0 {
		return &gtf.ValidationError{Problems: bad}
	}
	t, err := h.task(r)
	if err != nil {
		return err
	}
	lines, err := h.client.Logs(r.Context(), t.ID, after, int(limit))
	if err != nil {
		return err
	}
	answer := logsAnswer{Count: t.Logged.Lines, Dropped: t.Logged.Dropped, Next: after, Result: make([]logAnswer, len(lines))}
	for i, line := range lines {
		answer.Result[i] = logAnswer{Seq: line.Seq, At: line.At.UTC(), Level: line.Level.String(), Text: line.Text}
		answer.Next = line.Seq
	}
	return send(w, answer)
}

type logsAnswer struct {
	Count   int         `json:"count"`   // lines that are kept
	Dropped int64       `json:"dropped"` // lines that are not, or no longer
	Next    int64       `json:"next"`    // for ?after=
	Result  []logAnswer `json:"result"`
}

type logAnswer struct {
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}
