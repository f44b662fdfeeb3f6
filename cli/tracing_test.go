package cli

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes what processes send by OTLP.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	spans []sent
}

type sent struct {
	*v1.Span
	resource map[string]string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var batch collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &batch)
		}
		if err != nil || req.Method != http.MethodPost || req.URL.Path != "/v1/traces" {
			t.Errorf("%s %s is no batch of spans: %v", req.Method, req.URL.Path, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, of := range batch.GetResourceSpans() {
			for _, scope := range of.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					r.spans = append(r.spans, sent{span, textOf(of.GetResource().GetAttributes())})
				}
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func textOf(attributes []*common.KeyValue) map[string]string {
	text := map[string]string{}
	for _, a := range attributes {
		text[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return text
}

// span waits for the one of this name.
func (r *receiver) span(t *testing.T, name string) sent {
	t.Helper()
	var found []sent
	eventually(t, "the span "+name+" is sent", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		found = nil
		for _, s := range r.spans {
			if s.GetName() == name {
				found = append(found, s)
			}
		}
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d spans %q were sent, want 1", len(found), name)
	}
	return found[0]
}

func TestTracing(t *testing.T) { onEachDatabase(t, testTracing) }

func testTracing(t *testing.T, newFixture func(*testing.T) *fixture) {
	t.Run("makes one trace from schedule to the end in another process", func(t *testing.T) {
		t.Parallel()
		f, r := newFixture(t), newReceiver(t)
		f.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL}
		scheduling := f.start("schedule", "test.echo", "--input", `{"text":"hello"}`)
		if code := scheduling.code(); code != ExitOK {
			t.Fatalf("schedule exits with %d: %s", code, scheduling.errs.String())
		}
		submit := r.span(t, "schedule test.echo")
		f.env = append(f.env, "OTEL_SERVICE_NAME=exports")
		worker := f.worker()
		eventually(t, "the task succeeds", func() bool { return f.statuses()["success"] == 1 })
		worker.signal(syscall.SIGTERM)
		if code := worker.code(); code != ExitOK {
			t.Errorf("the worker exits with %d", code)
		}
		attempt := r.span(t, "test.echo")

		if !bytes.Equal(submit.GetTraceId(), attempt.GetTraceId()) || len(submit.GetTraceId()) != 16 {
			t.Errorf("the traces are %x and %x, want the same", submit.GetTraceId(), attempt.GetTraceId())
		}
		if !bytes.Equal(attempt.GetParentSpanId(), submit.GetSpanId()) {
			t.Errorf("the attempt is below %s, want %s", hex.EncodeToString(attempt.GetParentSpanId()), hex.EncodeToString(submit.GetSpanId()))
		}
		id := strings.TrimSpace(scheduling.out.String())
		for _, s := range []sent{submit, attempt} {
			if got := textOf(s.GetAttributes())["messaging.message.id"]; got != id {
				t.Errorf("span %q is of task %q, want %q", s.GetName(), got, id)
			}
		}
		if got := textOf(attempt.GetAttributes())["gtf.task.status"]; got != "success" {
			t.Errorf("the attempt ended as %q, want success", got)
		}
		if attempt.GetEndTimeUnixNano() < submit.GetEndTimeUnixNano() {
			t.Error("the attempt ended before the submit")
		}
		if submit.resource["service.name"] != "tool" || attempt.resource["service.name"] != "exports" || attempt.resource["service.version"] != "v1.2.3" {
			t.Errorf("the services are %v and %v, want tool and exports, v1.2.3", submit.resource, attempt.resource)
		}
	})

	t.Run("says that run has failed", func(t *testing.T) {
		t.Parallel()
		f, r := newFixture(t), newReceiver(t)
		f.env = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + r.URL + "/v1/traces"}
		if code := f.start("run", "test.fail").code(); code != ExitFailed {
			t.Errorf("run exits with %d, want %d", code, ExitFailed)
		}
		submit, attempt := r.span(t, "run test.fail"), r.span(t, "test.fail")
		if !bytes.Equal(attempt.GetParentSpanId(), submit.GetSpanId()) {
			t.Error("the attempt is not below the submit")
		}
		if got := attempt.GetStatus(); got.GetCode() != v1.Status_STATUS_CODE_ERROR || got.GetMessage() != "it broke" {
			t.Errorf("the state is %v, want the error", got)
		}
	})
}

func TestTracingAway(t *testing.T) {
	t.Parallel()

	t.Run("holds up no command, and is told of once", func(t *testing.T) {
		t.Parallel()
		f, r := newFixture(t), newReceiver(t)
		r.Close()
		f.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL}
		p := f.start("run", "test.echo", "--log-level", "warn")
		if code := p.code(); code != ExitOK {
			t.Errorf("without a collector run exits with %d, want 0", code)
		}
		if got := strings.Count(p.errs.String(), "traces not sent"); got != 1 {
			t.Errorf("%d lines say that traces were not sent, want 1: %s", got, p.errs.String())
		}
	})

	t.Run("is where there is no endpoint, and where it is switched off", func(t *testing.T) {
		t.Parallel()
		for _, off := range []string{"OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT="} {
			f, r := newFixture(t), newReceiver(t)
			f.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, off}
			if code := f.start("schedule", "test.echo").code(); code != ExitOK {
				t.Errorf("schedule exits with %d", code)
			}
			r.mu.Lock()
			if len(r.spans) != 0 {
				t.Errorf("with %s %d spans were sent", off, len(r.spans))
			}
			r.mu.Unlock()
		}
	})
}
