package pgstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globaltask/gtf"
)

// signals go by NOTIFY and come by LISTEN, each listener on a connection of its own.
type signals struct {
	s       *Store
	channel string
	config  *pgx.ConnConfig // of listening connections
	silence time.Duration   // before a connection is tested again
}

var _ gtf.TxSignals = (*signals)(nil)

// How listening connections are kept.
const (
	publishTime     = 2 * time.Millisecond // that a batch takes at least
	maxNotification = 7900                 // bytes; PostgreSQL takes less than 8000
	selfTest        = 3 * time.Second      // for a notification to oneself to come back
	silenceBefore   = 30 * time.Second
	retryMin        = 100 * time.Millisecond
	retryMax        = 5 * time.Second
)

func newSignals(s *Store) (*signals, error) {
	b := &signals{s: s, channel: s.opts.ChannelPrefix + s.opts.Schema, config: s.pool.Config().ConnConfig, silence: silenceBefore}
	if s.opts.ListenURL != "" {
		config, err := pgxpool.ParseConfig(s.opts.ListenURL) // a pool's parameters do no harm
		if err != nil {
			return nil, fmt.Errorf("listen URL: %w", err)
		}
		b.config = config.ConnConfig
	}
	b.config.DefaultQueryExecMode = pgx.QueryExecModeExec // single statements: nothing to prepare
	return b, nil
}

const notify = `SELECT pg_notify($1, n) FROM unnest($2::text[]) AS n`

// Publish sends a batch in one statement, whose commit is its own. It then takes its time: what its caller has to send
// meanwhile comes together in the next one.
func (b *signals) Publish(ctx context.Context, batch []gtf.Signal) error {
	if len(batch) == 0 {
		return nil
	}
	over := time.NewTimer(publishTime)
	defer over.Stop()
	if err := b.notify(ctx, gtf.EncodeSignals(batch, maxNotification)); err != nil {
		return err
	}
	select {
	case <-over.C:
	case <-ctx.Done():
	}
	return nil
}

// notify does not wait for the disk, as a commit would, though nothing is stored.
func (b *signals) notify(ctx context.Context, messages []string) error {
	ctx, cancel := context.WithTimeout(ctx, b.s.opts.StatementTimeout)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue("SELECT set_config('synchronous_commit', 'off', true)")
	batch.Queue(notify, b.channel, messages)
	return explain(b.s.pool.SendBatch(ctx, batch).Close())
}

// PublishTx sends a batch with the caller's transaction.
func (b *signals) PublishTx(ctx context.Context, of gtf.Tx, batch []gtf.Signal) error {
	tx, err := b.s.executor(of)
	if err != nil || len(batch) == 0 {
		return err
	}
	return explain(tx.run(ctx, statement{query: notify, args: []any{b.channel, gtf.EncodeSignals(batch, maxNotification)}}))
}

// Listen connects, again and again with back-off, until ctx ends.
func (b *signals) Listen(ctx context.Context, l gtf.Listener) {
	for pause := retryMin; ctx.Err() == nil; pause = min(2*pause, retryMax) {
		heard, err := b.listen(ctx, l)
		if ctx.Err() != nil {
			return
		}
		l.Link(err)
		if heard {
			pause = retryMin
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause - rand.N(pause/4)):
		}
	}
}

// listen hands signals on until the connection breaks, and tells whether any could be heard before.
func (b *signals) listen(ctx context.Context, l gtf.Listener) (heard bool, err error) {
	conn, err := b.connect(ctx)
	if err != nil {
		return false, fmt.Errorf("listen: %w", explain(err))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // it may be broken
	}()
	for {
		// A silent connection may be dead, or never have heard anything: it is tested.
		if err := b.test(ctx, conn, l); err != nil {
			return heard, fmt.Errorf("listen: %w", err)
		}
		if !heard {
			heard = true
			l.Link(nil)
		}
		if err := b.relay(ctx, conn, l); err != nil {
			return heard, fmt.Errorf("listen: %w", explain(err))
		}
	}
}

func (b *signals) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, b.s.opts.StatementTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, b.config)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{b.channel}.Sanitize()); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// test sends a notification from another connection, as others do, and waits for it, handing on what else comes. From the
// same one it would come back even through a pooler.
func (b *signals) test(ctx context.Context, conn *pgx.Conn, l gtf.Listener) error {
	test, cancel := context.WithTimeout(ctx, selfTest)
	defer cancel()
	token := "?" + gtf.NewID().String()
	if err := b.notify(test, []string{token}); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(test)
		switch {
		case err != nil && ctx.Err() == nil && test.Err() != nil:
			return b.silent(ctx, conn)
		case err != nil:
			return explain(err)
		case n.Payload == token:
			return nil
		}
		b.deliver(l, n.Payload)
	}
}

// silent says why a notification has not come back.
func (b *signals) silent(ctx context.Context, conn *pgx.Conn) error {
	look, cancel := context.WithTimeout(ctx, selfTest)
	defer cancel()
	if pooled, err := behindPooler(look, conn); err != nil {
		return explain(err)
	} else if pooled {
		return errPooler
	}
	return errSilent
}

// relay hands signals on until there has been silence.
func (b *signals) relay(ctx context.Context, conn *pgx.Conn, l gtf.Listener) error {
	for {
		quiet, cancel := context.WithTimeout(ctx, b.silence)
		n, err := conn.WaitForNotification(quiet)
		expired := ctx.Err() == nil && quiet.Err() != nil
		cancel()
		switch {
		case err == nil:
			b.deliver(l, n.Payload)
		case expired && !conn.IsClosed():
			return nil
		default:
			return err
		}
	}
}

func (b *signals) deliver(l gtf.Listener, payload string) {
	if payload != "" && payload[0] == '?' {
		return // the test of another process
	}
	batch, err := gtf.DecodeSignals(payload)
	if err != nil || len(batch) == 0 { // somebody else writes to this channel
		batch = append(batch, gtf.Signal{Kind: gtf.SignalAny})
	}
	for _, s := range batch {
		l.Signal(s)
	}
}
