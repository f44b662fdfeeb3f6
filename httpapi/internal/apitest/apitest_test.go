package apitest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/globaltask/gtf/httpapi/internal/apitest"
)

// recorder takes what Check reports.
type recorder struct {
	testing.TB
	found []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.found = append(r.found, fmt.Sprintf(format, args...))
}

const id = "0198c0de-7000-7000-8000-000000000001"

func TestCheck(t *testing.T) {
	t.Parallel()
	problem := func(status int) string {
		return fmt.Sprintf(`{"message":"m","type":"about:blank","title":"t","status":%d}`, status)
	}
	const status, cancel = "/api/v1/task/" + id + "/status", "/api/v1/task/" + id + "/cancel"
	tests := []struct {
		name   string
		method string
		path   string
		body   string
		code   int
		kind   string
		answer string
		want   string // "": nothing is wrong
	}{
		{"an answer as documented", "GET", status, "", 200, "application/json", `{"status":"success"}`, ""},
		{"an answer to HEAD", "HEAD", status, "", 200, "application/json", "", ""},
		{"a field too many", "GET", status, "", 200, "application/json", `{"status":"success","input":1}`, "additional properties 'input' not allowed"},
		{"a field too few", "GET", status, "", 200, "application/json", `{}`, "missing property 'status'"},
		{"a value that is not listed", "GET", status, "", 200, "application/json", `{"status":"lost"}`, "value must be one of"},
		{"another type", "GET", status, "", 200, "text/plain", `{"status":"success"}`, `does not have the type "text/plain"`},
		{"no JSON", "GET", status, "", 200, "application/json", `{`, "the body is not JSON"},
		{"a status that is not documented", "GET", status, "", 409, "application/problem+json", problem(409), "does not have this status"},
		{"a problem as documented", "GET", status, "", 404, "application/problem+json", problem(404), ""},
		{"a problem with more", "GET", status, "", 404, "application/problem+json", `{"message":"m","type":"about:blank","title":"t","status":404,"x":1}`, "'x' not allowed"},
		{"a missing header", "GET", status, "", 401, "application/problem+json", problem(401), `"WWW-Authenticate" missing`},
		{"a body where there is none", "GET", "/api/v1/task/" + id, "", 304, "", "x", "has no body"},
		{"an unknown path", "GET", "/api/v1/tasks", "", 404, "application/problem+json", problem(404), ""},
		{"an unknown path that is answered", "GET", "/api/v1/tasks", "", 200, "application/json", "{}", "no such path"},
		{"an unknown path and no problem", "GET", "/api/v1/tasks", "", 404, "text/plain", "gone", `type "text/plain"`},
		{"an unknown path and half a problem", "GET", "/api/v1/tasks", "", 404, "application/problem+json", "{}", "missing properties"},
		{"an unknown method", "DELETE", status, "", 404, "application/problem+json", problem(404), ""},
		{"an unknown method that is answered", "DELETE", status, "", 200, "application/json", "{}", "no such method"},
		{"an unknown method without Allow", "DELETE", status, "", 405, "application/problem+json", problem(405), "Allow is missing"},
		{"a body too large where none is wanted", "GET", status, "x", 413, "application/problem+json", problem(413), ""},
		{"a bad request that is taken", "GET", "/api/v1/task/" + id + "/logs?limit=0", "", 200, "application/json",
			`{"count":0,"dropped":0,"next":0,"result":[]}`, "does not allow to ask"},
		{"an empty parameter", "GET", "/api/v1/task/" + id + "/logs?limit=", "", 200, "application/json", `{"count":0,"dropped":0,"next":0,"result":[]}`, ""},
		{"a path that is no UUID and is taken", "GET", "/api/v1/task/x/status", "", 200, "application/json", `{"status":"success"}`, "does not allow to ask"},
		{"a bad request that is refused", "POST", cancel, `{"force":1}`, 400, "application/problem+json", problem(400), ""},
		{"a bad body that is taken", "POST", cancel, `{"force":1}`, 200, "application/json", `{}`, "does not allow to ask"},
		{"a stream", "GET", "/api/v1/task/events", "", 200, "text/event-stream", "event: hello\nid: 1\ndata: {}\n\n: alive\n\nid: 2\n\nevent: ta", ""},
		{"a stream that is cut early", "GET", "/api/v1/task/events", "", 200, "text/event-stream", "event: hel", ""},
		{"an unknown event", "GET", "/api/v1/task/events", "", 200, "text/event-stream", "event: end\ndata: {}\n\n", "does not know its name"},
		{"an event with more", "GET", "/api/v1/task/events", "", 200, "text/event-stream", "event: bye\ndata: {\"retry\":1,\"x\":2}\n\n", "'x' not allowed"},
		{"an event that is no JSON", "GET", "/api/v1/task/events", "", 200, "text/event-stream", "event: bye\ndata: {\n\n", "not JSON"},
		{"a line that is none of an event", "GET", "/api/v1/task/events", "", 200, "text/event-stream", "evnt: bye\n\n", `begins with "evnt"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found := &recorder{TB: t}
			handler := apitest.Check(found, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, err := io.ReadAll(r.Body); string(body) != tt.body || err != nil {
					t.Errorf("the handler reads %q, %v, want %q", body, err, tt.body)
				}
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.code)
				_, _ = io.WriteString(w, tt.answer)
			}))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.code || w.Body.String() != tt.answer {
				t.Errorf("the client gets %d %q, want %d %q", w.Code, w.Body, tt.code, tt.answer)
			}
			switch all := strings.Join(found.found, "\n"); {
			case tt.want == "" && all != "":
				t.Errorf("Check reports %s", all)
			case !strings.Contains(all, tt.want):
				t.Errorf("Check reports %q, want %q", all, tt.want)
			}
		})
	}
}
