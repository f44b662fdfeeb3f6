package sqlitestore

import (
	"context"
	"os"
	"time"

	"github.com/globaltask/gtf"
)

// signals wakes the clients of one store directly, and those of other processes on the same file by watching it.
type signals struct {
	gtf.LocalSignals
	s *Store
}

func newSignals(s *Store) *signals {
	return &signals{LocalSignals: gtf.LocalSignals{Alone: true}, s: s}
}

// watchInterval is how soon a commit of another process is noticed. A look at the file's times is no statement: an idle
// process sends none for it.
const watchInterval = 100 * time.Millisecond

// clockTick is more than the granularity of file times.
const clockTick = 20 * time.Millisecond

// Listen passes on the signals of this process, and wakes everybody when another process has committed.
func (b *signals) Listen(ctx context.Context, l gtf.Listener) {
	if b.s.memory {
		b.LocalSignals.Listen(ctx, l)
		return
	}
	local := make(chan struct{})
	go func() {
		defer close(local)
		b.LocalSignals.Listen(ctx, l)
	}()
	b.watch(ctx, l)
	<-local
}

// watch compares the time of the log file, which every commit changes, and asks SQLite only when it moved. data_version
// changes with commits of other connections than the one that writes here: other processes.
func (b *signals) watch(ctx context.Context, l gtf.Listener) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	version, _ := b.dataVersion(ctx)
	var seen time.Time
	again := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		info, err := os.Stat(b.s.path + "-wal")
		if err != nil {
			continue // no log file: nobody has committed since the last checkpoint
		}
		at := info.ModTime()
		if at.Equal(seen) && !again {
			continue
		}
		// Another commit may still fall into the same tick of the file's clock: then ask once more at the next look.
		seen, again = at, time.Since(at).Abs() < clockTick
		if now, err := b.dataVersion(ctx); err == nil && now != version {
			version = now
			l.Signal(gtf.Signal{Kind: gtf.SignalAny})
		}
	}
}

func (b *signals) dataVersion(ctx context.Context) (version int64, err error) {
	err = b.s.write.peek(ctx, func(t *tx) error {
		_, err := t.row([]any{&version}, "PRAGMA data_version")
		return err
	})
	return version, err
}
