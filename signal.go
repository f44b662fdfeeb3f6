package gtf

import (
	"context"
	"errors"
	"sync"
)

// Signals is the socket for wake-ups between processes. A signal carries an id and only wakes: it may be lost, doubled
// or late, and whoever gets one reads the row (S9.1). signaltest is the suite that every transport must pass.
type Signals interface {
	// Publish sends a batch to every listener of every process, this one's included. The client calls it from one
	// goroutine, after the commit. An error costs latency only; the client logs it and goes on.
	Publish(ctx context.Context, batch []Signal) error
	// Listen hands signals to l until ctx ends, and then returns promptly; after that l is not called. It reconnects by itself, with back-off, for
	// ever. It may be called several times, each call a listener of its own.
	Listen(ctx context.Context, l Listener)
}

// TxSignals is implemented by signals that can be sent within a transaction of the caller, to arrive when it commits.
type TxSignals interface {
	PublishTx(ctx context.Context, tx Tx, batch []Signal) error
}

// Listener receives. Its methods must not block; the transport may call them from several goroutines.
type Listener interface {
	// Signal delivers one signal.
	Signal(s Signal)
	// Link tells whether signals of other processes arrive from now on: nil, or why they do not. It is called when that is
	// first known and at each change. After nil the client looks once for what it may have missed; after an error it polls.
	// A transport that does not reach other processes gives an error if there can be any.
	Link(err error)
}

// Signal is one wake-up.
type Signal struct {
	Kind   SignalKind
	ID     ID     // the task; zero for SignalWork and SignalAny
	Queue  string // SignalWork
	Origin string // the client that sent it, so that it can skip its own
}

// SignalKind says who should look.
type SignalKind string

const (
	SignalWork     SignalKind = "work"     // a queue has work
	SignalAbort    SignalKind = "abort"    // a running task should abort
	SignalFinished SignalKind = "finished" // a task ended
	SignalChanged  SignalKind = "changed"  // a task changed: for watchers
	SignalAny      SignalKind = "any"      // something happened: everybody looks
)

// LocalSignals connects the clients of one process. It is the default where a store brings nothing better.
type LocalSignals struct {
	// Alone says that no other process can change the store, so that no polling is needed.
	Alone bool

	mu        sync.Mutex
	listeners map[*localListener]struct{}
}

var _ Signals = (*LocalSignals)(nil)

var errLocalOnly = errors.New("no transport between processes is configured")

type localListener struct {
	Listener
	busy sync.WaitGroup // deliveries under way; added to under the lock, while the listener is registered
}

// Publish hands the batch to every listener before it returns.
func (b *LocalSignals) Publish(_ context.Context, batch []Signal) error {
	b.mu.Lock()
	to := make([]*localListener, 0, len(b.listeners))
	for l := range b.listeners {
		l.busy.Add(1)
		to = append(to, l)
	}
	b.mu.Unlock() // deliver outside the lock: a listener may publish
	for _, l := range to {
		for _, s := range batch {
			l.Signal(s)
		}
		l.busy.Done()
	}
	return nil
}

// Listen adds a listener until ctx ends. After it has returned nothing more is delivered.
func (b *LocalSignals) Listen(ctx context.Context, l Listener) {
	entry := &localListener{Listener: l}
	b.mu.Lock()
	if b.listeners == nil {
		b.listeners = map[*localListener]struct{}{}
	}
	b.listeners[entry] = struct{}{}
	b.mu.Unlock()
	if b.Alone {
		l.Link(nil)
	} else {
		l.Link(errLocalOnly)
	}
	<-ctx.Done()
	b.mu.Lock()
	delete(b.listeners, entry)
	b.mu.Unlock()
	entry.busy.Wait()
}
