package httpapi

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/globaltask/gtf"
)

const (
	maxMemories   = 16                     // written at once
	memoryTime    = 10 * time.Second       // for one
	memoryPatient = 200 * time.Millisecond // how long the request waits, so that its own answer has the name
)

// memory keeps the names of those who ask. A store that is slow to write, as SQLite is while others do, must not make the
// reads slow: whoever is not remembered in a moment is remembered behind the request's back.
type memory struct {
	client *gtf.Client
	log    *slog.Logger

	mu      sync.Mutex
	closed  bool
	writing int
	done    sync.WaitGroup
}

// keep remembers p, unless too many are being written; then the next request will do.
func (m *memory) keep(ctx context.Context, p gtf.Principal) {
	kept := make(chan struct{})
	if !m.begin(func() {
		defer close(kept)
		m.write(ctx, p)
	}) {
		return
	}
	patience := time.NewTimer(memoryPatient)
	defer patience.Stop()
	select {
	case <-kept:
	case <-patience.C:
	}
}

func (m *memory) begin(write func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.writing == maxMemories {
		return false
	}
	m.writing++
	m.done.Go(func() {
		write()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.writing--
	})
	return true
}

func (m *memory) write(ctx context.Context, p gtf.Principal) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), memoryTime)
	defer cancel()
	if err := m.client.Remember(ctx, p); err != nil {
		m.log.Warn("cannot remember who asks", "by", FormatPrincipal(p), "error", err)
	}
}

// close waits for what is being written, and takes no more.
func (m *memory) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.done.Wait()
}
