package riverengine_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/engine/riverengine"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/servers"
)

var work = gtf.Define[string, string]("riverengine.work", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem})

type function = func(ctx context.Context, in string) (string, error)

func echo(_ context.Context, in string) (string, error) { return in, nil }

// client makes one that has River deliver, and stops it when the test ends.
func (r *rig) client(t *testing.T, do function, queues ...string) *gtf.Client {
	t.Helper()
	slots := map[string]int{}
	for _, queue := range queues {
		slots[queue] = 2
	}
	c, err := gtf.New(r.store, &gtf.Config{
		Engine: r.engine, Handlers: []gtf.Handler{work.Handler(do)}, Logger: slog.New(slog.DiscardHandler), LookInterval: time.Second,
		LookPolling: 100 * time.Millisecond, Queues: slots,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return c
}

// start is client, started.
func (r *rig) start(t *testing.T, do function, queues ...string) *gtf.Client {
	t.Helper()
	c := r.client(t, do, queues...)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func schedule(t *testing.T, c *gtf.Client, opts *gtf.ScheduleOpts) *gtf.Handle[string] {
	t.Helper()
	h, err := work.Schedule(t.Context(), c, "in", opts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func wait(t *testing.T, h *gtf.Handle[string]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := h.Wait(ctx); err != nil {
		t.Fatalf("Wait: %v", err)
	}
}

// eventually looks again and again.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); !condition(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not after a minute", what)
		}
	}
}

func exec(t *testing.T, pool *pgxpool.Pool, query string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts riverengine.Options
		want string // of the error
	}{
		{"a schema that River cannot name", riverengine.Options{Schema: "my-river"}, "schema"},
		{"a poll more often than looks are allowed", riverengine.Options{FetchCooldown: time.Second, FetchPollInterval: time.Millisecond}, "FetchPollInterval"},
		{"a negative cooldown", riverengine.Options{FetchCooldown: -1}, "FetchCooldown"},
		{"a negative retention", riverengine.Options{Retention: -time.Hour}, "CompletedJobRetentionPeriod"},
		{"a slow look and no poll", riverengine.Options{FetchCooldown: 5 * time.Second}, ""},
		{"a schema of the caller's", riverengine.Options{Schema: "Jobs"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := riverengine.New(nil, &tt.opts)
			if tt.want == "" && err != nil {
				t.Errorf("New: %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("New gives error %v, want one about %s", err, tt.want)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	t.Run("may be called by several at once, and again", func(t *testing.T) {
		t.Parallel()
		pool := connect(t, dbtest.Postgres(t))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				e, err := riverengine.New(pool, &riverengine.Options{Schema: "Jobs", Logger: discard()})
				if err != nil {
					t.Error(err)
					return
				}
				for range 2 {
					if err := e.Migrate(t.Context()); err != nil {
						t.Errorf("Migrate: %v", err)
					}
				}
			})
		}
		all.Wait()
		exec(t, pool, `SELECT * FROM "Jobs".river_job`)
	})

	t.Run("is what errors name when the tables are missing", func(t *testing.T) {
		t.Parallel()
		r := open(t, nil)
		exec(t, r.pool, "DROP SCHEMA gtf_river CASCADE")
		_, err := work.Schedule(t.Context(), r.client(t, echo), "in", nil)
		if err == nil || !strings.Contains(err.Error(), "Engine.Migrate") {
			t.Errorf("Schedule: got error %v, want one that names Engine.Migrate", err)
		}
		err = r.engine.Deliver(t.Context(), map[string]int{"default": 1}, func(context.Context, gtf.ID) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "Engine.Migrate") {
			t.Errorf("Deliver: got error %v, want one that names Engine.Migrate", err)
		}
	})
}

func TestEnqueue(t *testing.T) {
	t.Parallel()
	t.Run("refuses what is no transaction of PostgreSQL", func(t *testing.T) {
		t.Parallel()
		e, err := riverengine.New(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Enqueue(t.Context(), notx{}, []gtf.Delivery{{}}); err == nil || !strings.Contains(err.Error(), "int") {
			t.Errorf("Enqueue in an int: got error %v, want one that says so", err)
		}
	})

	t.Run("gives jobs the due time of the task, by the database's clock", func(t *testing.T) {
		t.Parallel()
		r := open(t, nil)
		c := r.client(t, echo)
		schedule(t, c, nil)
		schedule(t, c, &gtf.ScheduleOpts{Delay: 3 * time.Second})
		schedule(t, c, &gtf.ScheduleOpts{Delay: time.Hour})
		joined := " j WHERE EXISTS (SELECT FROM gtf.tasks t WHERE t.id = (j.args->>'id')::uuid AND t.due_at = j.scheduled_at)"
		var n int
		if err := r.pool.QueryRow(t.Context(), "SELECT count(*) FROM gtf_river.river_job"+joined).Scan(&n); err != nil || n != 3 {
			t.Errorf("%d jobs have the due time of their task, want 3 (error %v)", n, err)
		}
		for where, want := range map[string]int{"state = 'available'": 2, "state = 'scheduled'": 1, "created_at BETWEEN now() - interval '1 minute' AND now()": 3} {
			if got := r.count(t, where); got != want {
				t.Errorf("%d jobs are %s, want %d", got, where, want)
			}
		}
	})

	t.Run("adds no job to one that waits for long", func(t *testing.T) {
		t.Parallel()
		r := open(t, nil)
		c := r.client(t, echo)
		var handles []*gtf.Handle[string]
		for range 3 {
			handles = append(handles, schedule(t, c, nil))
		}
		sweep := func(jobs int) {
			t.Helper()
			exec(t, r.pool, "UPDATE gtf.tasks SET due_at = due_at - interval '10 minutes', enqueued_at = enqueued_at - interval '10 minutes'")
			if n, err := r.store.Requeue(t.Context(), 5*time.Minute, 100); err != nil || n != 3 {
				t.Errorf("Requeue swept %d tasks, want 3 (error %v)", n, err)
			}
			if n := r.count(t, "true"); n != jobs {
				t.Errorf("there are %d jobs, want %d", n, jobs)
			}
		}
		sweep(3)
		exec(t, r.pool, "DELETE FROM gtf_river.river_job WHERE args->>'id' = $1", handles[0].ID.String())
		sweep(3)
		exec(t, r.pool, "UPDATE gtf_river.river_job SET state = 'running' WHERE args->>'id' = $1", handles[1].ID.String())
		sweep(4) // its process may be gone
		exec(t, r.pool, "UPDATE gtf_river.river_job SET state = 'completed', finalized_at = now() WHERE args->>'id' = $1", handles[2].ID.String())
		sweep(5)
		sweep(5)
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, h := range handles {
			wait(t, h)
		}
	})
}

type notx struct{}

// Unwrap gives none.
func (notx) Unwrap() any { return 7 }

func TestDeliver(t *testing.T) {
	t.Parallel()
	t.Run("goes on after the database was gone", func(t *testing.T) {
		t.Parallel()
		server := dbtest.OwnPostgres(t, nil)
		r := openAt(t, server.URL(), &riverengine.Options{Logger: discard()})
		c := r.start(t, echo)
		wait(t, schedule(t, c, nil))
		later := schedule(t, c, &gtf.ScheduleOpts{Delay: 3 * time.Second})
		if err := server.Restart(t.Context(), servers.Immediate); err != nil {
			t.Fatal(err)
		}
		wait(t, later)
		var h *gtf.Handle[string]
		eventually(t, "a task is scheduled", func() (ok bool) {
			var err error
			h, err = work.Schedule(t.Context(), c, "in", nil)
			return err == nil
		})
		wait(t, h)
	})

	t.Run("does not let River's cancel end a task", func(t *testing.T) {
		t.Parallel()
		log := &syncBuffer{}
		r := open(t, &riverengine.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
		begun, gate := make(chan struct{}), make(chan struct{})
		c := r.start(t, func(ctx context.Context, in string) (string, error) {
			close(begun)
			<-gate
			return in, ctx.Err()
		})
		h := schedule(t, c, nil)
		<-begun
		var id int64
		if err := r.pool.QueryRow(t.Context(), "SELECT id FROM gtf_river.river_job").Scan(&id); err != nil {
			t.Fatal(err)
		}
		if _, err := operator(t, r).JobCancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		eventually(t, "River has told the client", func() bool { return strings.Contains(log.String(), "cancelled remotely") })
		close(gate)
		wait(t, h)
	})

	t.Run("pauses with River's queue", func(t *testing.T) {
		t.Parallel()
		r := open(t, nil)
		wait(t, schedule(t, r.start(t, echo, "default"), nil)) // River knows the queue now
		rivers := operator(t, r)
		if err := rivers.QueuePause(t.Context(), "gtf-default", nil); err != nil {
			t.Fatal(err)
		}
		c := r.client(t, echo)
		h := schedule(t, c, nil)
		wait(t, schedule(t, r.start(t, echo, "default", "other"), &gtf.ScheduleOpts{Queue: "other"}))
		if task, err := c.Get(t.Context(), h.ID); err != nil || task.Status != gtf.StatusPending {
			t.Errorf("the task of the paused queue is %+v, want it pending (error %v)", task, err)
		}
		if err := rivers.QueueResume(t.Context(), "gtf-default", nil); err != nil {
			t.Fatal(err)
		}
		wait(t, h)
	})

	t.Run("clears away jobs whose process is gone", func(t *testing.T) {
		t.Parallel()
		r := open(t, nil)
		c := r.client(t, echo)
		done, waits := schedule(t, c, nil), schedule(t, c, nil)
		if _, err := done.Cancel(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		exec(t, r.pool, "UPDATE gtf_river.river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '25 hours', attempted_by = '{x}'")
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(t, waits)
		eventually(t, "no job runs", func() bool { return r.count(t, "state <> 'completed'") == 0 })
	})

	t.Run("has jobs that are done with deleted", func(t *testing.T) {
		t.Parallel()
		r := open(t, &riverengine.Options{Retention: time.Minute})
		c := r.client(t, echo)
		for range 3 {
			wait(t, schedule(t, r.start(t, echo), nil))
		}
		eventually(t, "all are done", func() bool { return r.count(t, "state = 'completed'") == 3 })
		exec(t, r.pool, "UPDATE gtf_river.river_job SET finalized_at = now() - interval '2 minutes'")
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "they are deleted", func() bool { return r.count(t, "true") == 0 })
	})

	t.Run("works behind a transaction pooler", func(t *testing.T) {
		t.Parallel()
		r := openAt(t, dbtest.PgBouncer(t, dbtest.Postgres(t))+"&default_query_exec_mode=cache_describe",
			&riverengine.Options{PollOnly: true, FetchPollInterval: 100 * time.Millisecond})
		c := r.start(t, echo)
		wait(t, schedule(t, c, nil))
		wait(t, schedule(t, c, &gtf.ScheduleOpts{Delay: time.Second}))
	})

	t.Run("shares tables with the application", func(t *testing.T) {
		t.Parallel()
		r := open(t, &riverengine.Options{Shared: true}) // in the schema public
		own := &ownWorker{done: make(chan struct{})}
		workers := river.NewWorkers()
		river.AddWorker(workers, own)
		app, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{
			Logger: discard(), Workers: workers, Queues: map[string]river.QueueConfig{"default": {MaxWorkers: 2}},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := r.start(t, echo)
		if _, err := app.Insert(t.Context(), ownArgs{}, nil); err != nil {
			t.Fatal(err)
		}
		wait(t, schedule(t, c, nil)) // gtf's client has looked, and leads nobody
		var leaders, others int
		if err := r.pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM river_leader), (SELECT count(*) FROM river_job WHERE kind = 'own' AND attempt = 0)").Scan(&leaders, &others); err != nil {
			t.Fatal(err)
		}
		if leaders != 0 || others != 1 {
			t.Errorf("there are %d leaders and %d jobs of the application untouched, want 0 and 1", leaders, others)
		}
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-own.done
		wait(t, schedule(t, c, &gtf.ScheduleOpts{Delay: 8 * time.Second})) // by the scheduler of the application's client
		if err := app.Stop(t.Context()); err != nil {
			t.Errorf("stop the application's client: %v", err)
		}
	})

	t.Run("keeps a panic of deliver to itself", func(t *testing.T) {
		t.Parallel()
		r := open(t, &riverengine.Options{Logger: discard(), FetchPollInterval: 100 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		calls := make(chan int, 10)
		n := 0
		returned := make(chan error, 1)
		go func() {
			returned <- r.engine.Deliver(ctx, map[string]int{"default": 1}, func(context.Context, gtf.ID) error {
				n++
				calls <- n
				if n == 1 {
					panic("a mistake")
				}
				return nil
			})
		}()
		schedule(t, r.client(t, echo), nil)
		for range 2 {
			<-calls
		}
		cancel()
		if err := <-returned; err != nil {
			t.Errorf("Deliver: %v", err)
		}
	})
}

// syncBuffer may be written and read at once.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is what was written.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

type ownArgs struct{}

// Kind implements river.JobArgs.
func (ownArgs) Kind() string { return "own" }

type ownWorker struct {
	river.WorkerDefaults[ownArgs]
	done chan struct{}
}

// Work implements river.Worker.
func (w *ownWorker) Work(context.Context, *river.Job[ownArgs]) error {
	close(w.done)
	return nil
}

// operator is somebody with River's tools.
func operator(t *testing.T, r *rig) *river.Client[pgx.Tx] {
	t.Helper()
	c, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{Logger: discard(), Schema: riverengine.DefaultSchema})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
