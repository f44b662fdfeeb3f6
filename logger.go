package gtf

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logHandler turns slog records into log lines of a task: the message, then the attributes as key=value.
type logHandler struct {
	sink func(LogLine)
	mu   *sync.Mutex
	buf  *bytes.Buffer
	text slog.Handler // writes the attributes into buf
}

func newLogHandler(sink func(LogLine)) *logHandler {
	buf := &bytes.Buffer{}
	text := slog.NewTextHandler(buf, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey && a.Value.String() == "") {
				return slog.Attr{}
			}
			return a
		},
	})
	return &logHandler{sink: sink, mu: &sync.Mutex{}, buf: buf, text: text}
}

// Enabled keeps every line.
func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle adds one line.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	at, level, text := r.Time, r.Level, r.Message
	attrs := slog.NewRecord(time.Time{}, r.Level, "", 0) // without time and message: attributes only
	r.Attrs(func(a slog.Attr) bool { attrs.AddAttrs(a); return true })
	h.mu.Lock()
	h.buf.Reset()
	err := h.text.Handle(ctx, attrs)
	if rest := strings.TrimRight(h.buf.String(), "\n"); rest != "" {
		text = strings.TrimLeft(text+" "+rest, " ")
	}
	h.mu.Unlock()
	h.sink(LogLine{At: at.UTC(), Level: level, Text: clean(text, maxLogLine)})
	return err
}

// WithAttrs keeps attributes for every line.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.sink, h.mu, h.buf, h.text.WithAttrs(attrs)}
}

// WithGroup puts later attributes below a name.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.sink, h.mu, h.buf, h.text.WithGroup(name)}
}
