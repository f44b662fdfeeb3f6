package httpapi

import "github.com/globaltask/gtf/internal/web"

// What tests look at beside the API.
var (
	ParseRequest = parseList
	// Views are the shapes of answers, by the schema that describes them.
	Views = map[string]any{
		"Task": Task{}, "Properties": Properties{}, "Person": Person{}, "Subscriber": Subscriber{}, "Related": Related{}, "Attempt": Attempt{},
		"CancelAction": CancelAction{}, "TaskList": listAnswer{}, "Choices": valuesAnswer{}, "StatusChanges": changesAnswer{},
		"StatusChange": changeAnswer{}, "Logs": logsAnswer{}, "LogLine": logAnswer{}, "Canceled": cancelAnswer{}, "Info": Info{},
		"Filter": Filter{}, "Caller": Caller{}, "Limits": Limits{}, "Problem": web.Problem{},
	}
)

// CancelBuckets is of how many principals a handler knows when they cancelled.
func CancelBuckets(h *Handler) int {
	h.limits.mu.Lock()
	defer h.limits.mu.Unlock()
	return len(h.limits.buckets)
}
