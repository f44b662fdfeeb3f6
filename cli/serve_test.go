package cli

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
)

// server is a process of serve, and a client of it who is an admin.
type server struct {
	*process
	url    string
	token  string
	client *http.Client
}

func (f *fixture) serve(args ...string) *server {
	f.t.Helper()
	s := &server{token: auth.NewToken()}
	hash, err := auth.HashToken(s.token)
	if err != nil {
		f.t.Fatal(err)
	}
	entry := auth.Token{ID: "ada", Role: auth.RoleAdmin, Hash: hash}
	s.process = f.start(append(append([]string{"serve", "--listen", "127.0.0.1:0", "--json", "--auth-tokens", entry.String()}, quick...), args...)...)
	s.url = "http://" + s.address("listening")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}
	f.t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

// address is where the process listens, by its own line.
func (s *server) address(line string) string {
	s.t.Helper()
	s.says(fmt.Sprintf(`"msg":%q`, line))
	return s.logged(line)[0].text("address")
}

// logged are the lines of the log with a message.
func (s *server) logged(message string) []object {
	s.t.Helper()
	var found []object
	for line := range strings.Lines(s.errs.String()) {
		if !strings.HasSuffix(line, "\n") {
			continue // half of one
		}
		if o := decodeLines(s.t, line)[0]; o["msg"] == message {
			found = append(found, o)
		}
	}
	return found
}

// request makes one of the server's admin.
func (s *server) request(method, path, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	return r
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	last   bool // on its connection
	text   string
	body   object // nil if it is none
}

func (s *server) do(r *http.Request) reply {
	s.t.Helper()
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	got := reply{status: resp.StatusCode, header: resp.Header, last: resp.Close, text: string(raw)}
	_ = json.Unmarshal(raw, &got.body) // a body that is no object has no fields
	return got
}

func (s *server) get(path string) (int, object) {
	s.t.Helper()
	got := s.do(s.request(http.MethodGet, path, ""))
	return got.status, got.body
}

func TestServe(t *testing.T) { onEachDatabase(t, testServe) }

func testServe(t *testing.T, newFixture func(*testing.T) *fixture) {
	t.Run("tells its health", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		s := f.serve()
		if code, body := s.get("/healthz"); code != http.StatusOK || body["status"] != "ok" {
			t.Errorf("/healthz answers %d %v", code, body)
		}
		eventually(t, "/readyz has nothing to say", func() bool { // that signals do not arrive yet, at first
			code, body := s.get("/readyz")
			if code != http.StatusOK || body["status"] != "ready" {
				t.Fatalf("/readyz answers %d %v", code, body)
			}
			return fmt.Sprint(body["problems"]) == "[]"
		})
		f.ok("schedule", "test.echo", "--queue", "other")
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(fmt.Sprint(body["problems"]), "test.echo") {
			t.Errorf("/readyz answers %d %v, want it to name test.echo", code, body)
		}
		stranger := s.request(http.MethodGet, "/readyz", "")
		stranger.Header.Del("Authorization")
		if got := s.do(stranger); got.status != http.StatusOK || strings.Contains(got.text, "test.echo") || got.body["problems"] != nil {
			t.Errorf("/readyz answers a stranger %d %s, want no more than how it is", got.status, got.text)
		}
	})

	t.Run("shows and cancels tasks, and writes down who did", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		s := f.serve()
		id := f.ok("schedule", "test.wait", "--input", `{"key":"a"}`)
		f.untilRunning(1)
		if code, body := s.get("/api/v1/task/"); code != http.StatusOK || body["count"] != 1.0 {
			t.Errorf("the list is %d %v", code, body)
		}
		stranger := s.request(http.MethodGet, "/api/v1/task/", "")
		stranger.Header.Del("Authorization")
		if got := s.do(stranger); got.status != http.StatusUnauthorized || got.body["request_id"] != got.header.Get("X-Request-Id") {
			t.Errorf("a stranger gets %d %v", got.status, got.body)
		}
		for path, want := range map[string]int{
			"/": 200, "/tasks/" + id: 200, "/nothing": 404, "/metrics": 404, "/debug/pprof/": 404, "/api/v2/": 404, "/api/v1/openapi.json": 200,
		} {
			if code, body := s.get(path); code != want {
				t.Errorf("%s is %d %v, want %d", path, code, body, want)
			}
		}
		r := s.request(http.MethodPost, "/api/v1/task/"+id+"/cancel?secret", `{"force":true}`)
		r.Header.Set("X-Request-Id", "of.the-proxy_1")
		r.Header.Set("Content-Type", "application/json")
		if got := s.do(r); got.status != http.StatusOK || got.body["action"] == nil {
			t.Errorf("the cancel is answered with %d %v", got.status, got.body)
		}
		eventually(t, "the task is aborted", func() bool { return f.statuses()["aborted"] == 1 })
		lines := s.logged("request")
		if len(lines) != 1 { // the others only looked
			t.Fatalf("the requests logged are %v, want the cancel", lines)
		}
		line := lines[0]
		if line["by"] != "ada" || line["auth"] != "token" || line["request"] != "of.the-proxy_1" || line["method"] != "POST" ||
			line["status"] != 200.0 || line["path"] != "/api/v1/task/"+id+"/cancel" || line["level"] != "INFO" {
			t.Errorf("the line of the cancel is %v", line)
		}
	})

	t.Run("ends event streams on SIGTERM, then tasks, then itself", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		s := f.serve()
		f.ok("schedule", "test.hold", "--input", fmt.Sprintf(`{"until":%q}`, f.path("go on")))
		f.untilRunning(1)
		resp, err := s.client.Do(s.request(http.MethodGet, "/api/v1/task/events", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		events := bufio.NewReader(resp.Body)
		if _, err := events.ReadString('\n'); err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("the stream is %v: %v", resp.Header, err)
		}
		s.signal(syscall.SIGTERM)
		rest, err := io.ReadAll(events)
		if err != nil || !strings.Contains(string(rest), "retry:") {
			t.Errorf("the stream ends with %q and %v, want a hint when to come back", rest, err)
		}
		if code, body := s.get("/readyz"); code != http.StatusServiceUnavailable || body["status"] != "stopping" {
			t.Errorf("/readyz answers %d %v, want 503 and stopping", code, body)
		}
		if got := s.do(s.request(http.MethodGet, "/api/v1/task/", "")); got.status != http.StatusOK || !got.last {
			t.Errorf("while tasks finish the list is %d, and the connection stays: %v", got.status, !got.last)
		}
		touch(t, f.path("go on"))
		if code := s.code(); code != ExitOK {
			t.Errorf("serve exits with %d, want 0", code)
		}
		if got := f.statuses(); got["success"] != 1 {
			t.Errorf("the tasks are %v, want a success", got)
		}
	})

	t.Run("with serve.work=false leaves the work to others", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		s := f.serve("--serve-work=false")
		id := f.ok("schedule", "test.echo")
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(fmt.Sprint(body["problems"]), "no worker is alive") {
			t.Errorf("/readyz answers %d %v", code, body)
		}
		if code, body := s.get("/api/v1/task/" + id + "/status"); code != http.StatusOK || body["status"] != "pending" {
			t.Errorf("the status is %d %v, want pending", code, body)
		}
		if got := f.objects("workers"); len(got) != 0 {
			t.Errorf("the workers are %v, want none", got)
		}
		f.worker(quick...)
		eventually(t, "the task is done", func() bool {
			_, body := s.get("/api/v1/task/" + id + "/status")
			return body["status"] == "success"
		})
		s.signal(syscall.SIGTERM)
		if code := s.code(); code != ExitOK {
			t.Errorf("serve exits with %d, want 0", code)
		}
	})
}

func TestServeLeavesAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.serve()
	f.ok("schedule", "test.hold", "--input", `{"until":"/does/not/come"}`)
	f.untilRunning(1)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://")) // a client that never says what it wants
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /api/v1/task/x/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGTERM)
	s.says("stopping")
	began := time.Now()
	s.signal(syscall.SIGTERM)
	if code := s.code(); code != ExitFailed {
		t.Errorf("serve exits with %d, want 1: it has left a task behind", code)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("leaving at once took %v", took)
	}
}

func TestServeUnderAPath(t *testing.T) {
	t.Parallel()
	s := newFixture(t).serve("--serve-base", "/tasks/gtf", "--serve-metrics-token", key32)
	for path, want := range map[string]int{
		"/tasks/gtf/api/v1/task/": 200, "/api/v1/task/": 404, "/tasks/gtf": 200, "/tasks/gtfapi/v1/task/": 404,
		"/healthz": 200, "/readyz": 200, "/metrics": 404, "/tasks/gtf/metrics": 401,
	} {
		if code, body := s.get(path); code != want {
			t.Errorf("%s is %d %v, want %d", path, code, body, want)
		}
	}
	s.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.Path, "/tasks/gtf/") {
			t.Errorf("it leads out of the base, to %s", r.URL)
		}
		return http.ErrUseLastResponse
	}
	for _, path := range []string{"/tasks/gtf/api", "/tasks/gtf/api/v1/task//", "/tasks/gtf//api/", "/tasks/gtf/auth/demo/"} {
		s.get(path)
	}
}

func TestServeLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.serve("--serve-cors-origins", "https://pages.example.com")
	r := s.request(http.MethodPost, "/api/v1/task/x/cancel", strings.Repeat(" ", 1<<20))
	if got := s.do(r); got.status != http.StatusRequestEntityTooLarge || got.body["message"] == nil {
		t.Errorf("a large body is answered with %d %v", got.status, got.body)
	}
	r = s.request(http.MethodGet, "/api/v1/task/", "")
	r.Header.Set("X-Large", strings.Repeat("x", 40<<10))
	if got := s.do(r); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a large header is answered with %d", got.status)
	}
	for range 10 {
		f.ok("schedule", "test.echo", "--delay", "1h")
	}
	r = s.request(http.MethodGet, "/api/v1/task/", "")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Origin", "https://pages.example.com")
	h := s.do(r).header
	if h.Get("Content-Encoding") != "gzip" || h.Get("Access-Control-Allow-Origin") != "https://pages.example.com" ||
		h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the list of 10 tasks has the header %v", h)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.serve("--serve-admin-listen", "127.0.0.1:0", "--serve-pprof", "--serve-metrics-token", key32)
	admin := *s
	admin.url = "http://" + s.address("listening for operators")
	f.ok("schedule", "test.echo", "--wait")
	stranger := gtf.NewID().String()
	s.get("/api/v1/task/")
	s.get("/api/v1/task/" + stranger)
	s.get("/nothing/of/the/kind")

	for header, want := range map[string]int{"Bearer " + key32: 200, "bearer " + key32: 200, "Bearer x" + key32: 401, "Basic " + key32: 401, "": 401} {
		r := s.request(http.MethodGet, "/metrics", "")
		r.Header.Set("Authorization", header)
		if got := s.do(r); got.status != want {
			t.Errorf("with %q the metrics are %d, want %d", header, got.status, want)
		}
	}
	page := admin.do(admin.request(http.MethodGet, "/metrics", "")).text
	for _, want := range []string{
		`gtf_build_info{goversion="go`, `version="v1.2.3"} 1`, "\ngo_goroutines ", "\nprocess_open_fds ",
		`gtf_http_requests_total{method="GET",route="/api/v1/task/{uuid}",status="404"} 1`,
		`gtf_http_requests_total{method="GET",route="/api/v1/task/{$}",status="200"} 1`,
		`gtf_http_requests_total{method="GET",route="none",status="404"} 1`,
		`gtf_http_request_seconds_count{method="GET",route="/metrics"} 5`,
		`gtf_task_transitions_total{status="success",type="test.echo"} 1`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(page, "/nothing/of/the/kind") || strings.Contains(page, stranger) {
		t.Error("a label has what a client wrote")
	}
	if t.Failed() {
		t.Log(page)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/debug/pprof/": 200, "/debug/pprof/goroutine": 200, "/api/v1/task/": 404} {
		if code, _ := admin.get(path); code != want {
			t.Errorf("%s of the admin address is %d, want %d", path, code, want)
		}
	}
	if code, _ := s.get("/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("everybody gets profiles: %d", code)
	}
}

// selfSigned writes a certificate of httptest into files.
func selfSigned(t *testing.T, f *fixture) (cert, key string) {
	t.Helper()
	borrowed := httptest.NewUnstartedServer(http.NotFoundHandler())
	borrowed.StartTLS()
	defer borrowed.Close()
	pair := borrowed.TLS.Certificates[0]
	raw, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = f.path("cert.pem"), f.path("key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cert, key := selfSigned(t, f)
	s := f.serve("--serve-tls-cert", cert, "--serve-tls-key", key)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	if code, body := s.get("/api/v1/task/"); code != http.StatusOK {
		t.Errorf("the list is %d %v", code, body)
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the broken certificate is noticed", func() bool {
		s.client.CloseIdleConnections()
		code, _ := s.get("/healthz")
		return code == http.StatusOK && strings.Contains(s.errs.String(), "cannot read the new certificate")
	})
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cert, key := selfSigned(t, f)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		args []string
		want int
		says string
	}{
		{[]string{"--listen", "127.0.0.1"}, ExitUsage, "listen"},
		{[]string{"--listen", taken.Addr().String()}, ExitFailed, "listen"},
		{[]string{"--listen", "127.0.0.1:0", "--serve-admin-listen", taken.Addr().String()}, ExitFailed, "serve.admin_listen"},
		{[]string{"--serve-base", "gtf"}, ExitUsage, "serve.base"},
		{[]string{"--serve-base", "/gtf/"}, ExitUsage, "serve.base"},
		{[]string{"--serve-pprof"}, ExitUsage, "serve.admin_listen"},
		{[]string{"--serve-tls-cert", cert}, ExitUsage, "serve.tls_key"},
		{[]string{"--serve-tls-key", key}, ExitUsage, "serve.tls_cert"},
		{[]string{"--serve-tls-cert", key, "--serve-tls-key", key}, ExitUsage, "key.pem"},
		{[]string{"--serve-metrics-token-file", "/does/not/exist"}, ExitUsage, "/does/not/exist"},
		{[]string{"--listen", "127.0.0.1:0", "--serve-cors-origins", "pages.example.com"}, ExitUsage, "pages.example.com"},
		{[]string{"--listen", "0.0.0.0:0", "--serve-tls-cert", cert, "--serve-tls-key", key}, ExitUsage, "loopback"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			a := f.run(append([]string{"serve"}, tt.args...)...)
			if a.code != tt.want || !strings.Contains(a.err, tt.says) {
				t.Errorf("exit code %d, errors %q, want %d and %q", a.code, a.err, tt.want, tt.says)
			}
		})
	}
}
