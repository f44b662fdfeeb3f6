package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const somewhere = "postgres://ada:s3cr3t@127.0.0.1:1/db"
	for _, tt := range []struct {
		name string
		url  string
		opts *pgstore.Options
		want string // in the text
	}{
		{"a schema with capitals", somewhere, &pgstore.Options{Schema: "Tasks"}, `schema is "Tasks"`},
		{"a schema that needs quotes", somewhere, &pgstore.Options{Schema: `a"b`}, "schema is"},
		{"a schema that begins with a digit", somewhere, &pgstore.Options{Schema: "1a"}, "schema is"},
		{"a schema with a dot", somewhere, &pgstore.Options{Schema: "a.b"}, "schema is"},
		{"a schema that is too long", somewhere, &pgstore.Options{Schema: strings.Repeat("a", 64)}, "at most 63"},
		{"a channel that is too long", somewhere, &pgstore.Options{ChannelPrefix: strings.Repeat("p", 61)}, "at most 63 bytes"},
		{"a schema whose channel is too long", somewhere, &pgstore.Options{Schema: strings.Repeat("a", 60)}, "shorten prefix or schema"},
		{"a channel with NUL", somewhere, &pgstore.Options{ChannelPrefix: "a\x00"}, "without NUL"},
		{"a statement timeout that is too short", somewhere, &pgstore.Options{StatementTimeout: time.Millisecond}, "at least 1s"},
		{"a negative statement timeout", somewhere, &pgstore.Options{StatementTimeout: -time.Second}, "at least 1s"},
		{"a port that is none", "postgres://ada:s3cr3t@127.0.0.1:x/db", nil, "open PostgreSQL"},
		{"an escape that is none", "postgres://ada:s3cr3t%zz@127.0.0.1/db", nil, "open PostgreSQL"},
		{"a password with a slash", "postgres://ada:s3cr3t/x@127.0.0.1/db", nil, "open PostgreSQL"},
		{"words with a port that is none", "host=127.0.0.1 password=s3cr3t port=x", nil, "open PostgreSQL"},
		{"an unknown setting of the pool", somewhere + "?pool_max_conns=x", nil, "open PostgreSQL"},
		{"an unknown TLS mode", somewhere + "?sslmode=x", nil, "open PostgreSQL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store, err := pgstore.Open(t.Context(), tt.url, tt.opts)
			if err == nil {
				closeStore(t, store)
				t.Fatal("it is opened")
			}
			if !strings.Contains(err.Error(), tt.want) || errors.Is(err, gtf.ErrUnavailable) {
				t.Errorf("error is %v, want %q in it", err, tt.want)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}

	t.Run("a listen URL that is none, without showing the password", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{"postgres://ada:s3cr3t@127.0.0.1:x/db", "postgres://ada:s3cr3t%zz@127.0.0.1/db"} {
			store, err := pgstore.Open(t.Context(), dbtest.Postgres(t), &pgstore.Options{Migrate: true, ListenURL: url})
			if err == nil {
				closeStore(t, store)
				t.Fatal("it is opened")
			}
			if strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "listen URL") {
				t.Errorf("error is %v, want one of the listen URL, without the password", err)
			}
		}
	})

	t.Run("a server that is not there, at once, with ErrUnavailable", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		closed := listener.Addr().String()
		_ = listener.Close()
		began := time.Now()
		_, err = pgstore.Open(t.Context(), "postgres://ada:s3cr3t@"+closed+"/db?sslmode=disable", nil)
		if !errors.Is(err, gtf.ErrUnavailable) || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), closed+"/db") {
			t.Errorf("error is %v, want ErrUnavailable with the address and without the password", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})

	t.Run("a server that does not answer, in the statement timeout", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.Proxy(t, dbtest.Postgres(t))
		proxy.Cut()
		began := time.Now()
		_, err := pgstore.Open(t.Context(), through, &pgstore.Options{StatementTimeout: time.Second})
		if took := time.Since(began); !errors.Is(err, gtf.ErrUnavailable) || took > 5*time.Second {
			t.Errorf("after %v: %v, want ErrUnavailable after 1s", took, err)
		}
	})

	t.Run("a context that has ended", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := pgstore.Open(ctx, dbtest.Postgres(t), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want context.Canceled", err)
		}
	})
}

func TestSchema(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)

	t.Run("that is missing is ErrSchema and names the remedy", func(t *testing.T) {
		t.Parallel()
		_, err := pgstore.Open(t.Context(), url, &pgstore.Options{Schema: "missing"})
		if !errors.Is(err, gtf.ErrSchema) || !strings.Contains(err.Error(), "gtf migrate") || !strings.Contains(err.Error(), "missing") {
			t.Errorf("error is %v, want ErrSchema that names gtf migrate and the schema", err)
		}
	})

	t.Run("that is older is ErrSchema, and is mended by Migrate; a newer one is accepted", func(t *testing.T) {
		t.Parallel()
		opts := &pgstore.Options{Schema: "ages"}
		closeStore(t, openURL(t, url, opts))
		conn := connect(t, url)
		exec(t, conn, "UPDATE ages.migrations SET version_id = 0")
		_, err := pgstore.Open(t.Context(), url, opts)
		if !errors.Is(err, gtf.ErrSchema) || !strings.Contains(err.Error(), "gtf migrate") {
			t.Errorf("an older schema: %v, want ErrSchema that names gtf migrate", err)
		}
		exec(t, conn, "DROP SCHEMA ages CASCADE")
		exec(t, conn, "CREATE SCHEMA ages") // as an administrator may have done
		if _, err := pgstore.Open(t.Context(), url, opts); !errors.Is(err, gtf.ErrSchema) {
			t.Errorf("an empty schema: %v, want ErrSchema", err)
		}
		closeStore(t, openURL(t, url, opts))
		exec(t, conn, "INSERT INTO ages.migrations (version_id, is_applied) VALUES (99, true)")
		for _, migrate := range []bool{false, true} {
			store, err := pgstore.Open(t.Context(), url, &pgstore.Options{Schema: "ages", Migrate: migrate})
			if err != nil {
				t.Fatalf("a newer schema, migrate %v: %v", migrate, err)
			}
			if info := must[*gtf.StoreInfo](t)(store.Info(t.Context())); info.Schema != 99 {
				t.Errorf("the schema is at %d, want 99", info.Schema)
			}
			closeStore(t, store)
		}
	})

	t.Run("is migrated once by many at once", func(t *testing.T) {
		t.Parallel()
		for round := range 3 {
			opts := &pgstore.Options{Schema: fmt.Sprint("race_", round), Migrate: true}
			together(8, func(int) {
				store, err := pgstore.Open(t.Context(), url, opts)
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				defer closeStore(t, store)
				if err := store.Migrate(t.Context()); err != nil {
					t.Errorf("Migrate again: %v", err)
				}
			})
			conn := connect(t, url)
			if n := count(t, conn, "SELECT count(*) FROM "+opts.Schema+".migrations WHERE version_id = 1"); n != 1 {
				t.Errorf("step 1 was applied %d times", n)
			}
			if n := count(t, conn, "SELECT count(*) FROM "+opts.Schema+".migrations WHERE version_id = 0"); n > 1 {
				t.Logf("the beginning is on record %d times", n) // goose's own row; harmless
			}
		}
	})

	t.Run("may be a word that SQL reserves", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"user", "select", "gtf_2", "_", strings.Repeat("a", 59)} {
			store := openURL(t, url, &pgstore.Options{Schema: name})
			c := startClient(t, store, does(echo))
			if got := must[string](t)(schedule(t, c, name, nil).Wait(within(t))); got != name {
				t.Errorf("in schema %s the output is %q", name, got)
			}
			if _, err := store.Info(t.Context()); err != nil {
				t.Errorf("in schema %s: %v", name, err)
			}
		}
	})

	t.Run("does not see the tasks and signals of another", func(t *testing.T) {
		t.Parallel()
		here, there := openURL(t, url, &pgstore.Options{Schema: "here"}), openURL(t, url, &pgstore.Options{Schema: "there"})
		a, b := startClient(t, here, does(echo)), newClient(t, there, nil)
		h := schedule(t, a, "key", nil)
		must[string](t)(h.Wait(within(t)))
		if page := must[*gtf.TaskPage](t)(b.List(t.Context(), nil)); page.Count != 0 {
			t.Errorf("the other schema shows %d tasks", page.Count)
		}
		if workers := must[[]gtf.Worker](t)(there.Workers(t.Context())); len(workers) != 0 {
			t.Errorf("the other schema shows %d workers", len(workers))
		}
		e, control := listen(t, there), listen(t, here)
		e.linked(t, 0)
		control.linked(t, 0)
		s := gtf.Signal{Kind: gtf.SignalChanged, ID: gtf.NewID()}
		eventually(t, "heard", func() bool {
			_ = here.Signals().Publish(within(t), []gtf.Signal{s})
			return control.has(s)
		})
		e.hears(t, there) // whatever came before this has come
		if e.has(s) {
			t.Error("the other schema hears the signals")
		}
	})

	t.Run("without leave to make one is an error of the database", func(t *testing.T) {
		t.Parallel()
		store, err := pgstore.Open(t.Context(), url+andOption(url)+"default_transaction_read_only=on", &pgstore.Options{Schema: "nowhere", Migrate: true})
		if err == nil {
			closeStore(t, store)
		}
		if !errors.Is(err, gtf.ErrReadOnly) {
			t.Errorf("Migrate of a read-only database: %v, want ErrReadOnly", err)
		}
	})

	t.Run("of a read-only database can be read, and not written", func(t *testing.T) {
		t.Parallel()
		opts := &pgstore.Options{Schema: "readonly"}
		h := schedule(t, newClient(t, openURL(t, url, opts), nil), "key", nil)
		store, err := pgstore.Open(t.Context(), url+andOption(url)+"default_transaction_read_only=on", opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeStore(t, store) })
		c := newClient(t, store, does(echo))
		if _, err := c.Get(t.Context(), h.ID); err != nil {
			t.Errorf("Get: %v", err)
		}
		for what, do := range map[string]func() error{
			"Schedule": func() error { _, err := work.Schedule(within(t), c, "other", nil); return err },
			"Run":      func() error { _, err := work.Run(within(t), c, "other", nil); return err },
			"Cancel":   func() error { _, err := c.Cancel(within(t), h.ID, nil); return err },
			"Start":    func() error { return c.Start(within(t)) },
			"Lock":     func() error { _, err := c.Lock(within(t), "name", nil); return err },
		} {
			if err := do(); !errors.Is(err, gtf.ErrReadOnly) {
				t.Errorf("%s: %v, want ErrReadOnly", what, err)
			}
		}
	})
}

// andOption is what stands before a further parameter of a URL.
func andOption(url string) string {
	if strings.Contains(url, "?") {
		return "&"
	}
	return "?"
}

func TestNew(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	pool := must[*pgxpool.Pool](t)(pgxpool.New(t.Context(), url))
	defer pool.Close()
	if _, err := pgstore.New(t.Context(), pool, nil); !errors.Is(err, gtf.ErrSchema) {
		t.Errorf("without a schema: %v, want ErrSchema", err)
	}
	if _, err := pgstore.New(t.Context(), pool, &pgstore.Options{Schema: "Bad"}); err == nil {
		t.Error("a bad option gives no error")
	}
	store := must[*pgstore.Store](t)(pgstore.New(t.Context(), pool, &pgstore.Options{Migrate: true}))
	c := must[*gtf.Client](t)(gtf.New(store, does(echo)))
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	must[string](t)(schedule(t, c, "key", nil).Wait(within(t)))
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	closeStore(t, store)
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("the caller's pool after Close: %v", err)
	}
	eventually(t, "given back every connection", func() bool { return pool.Stat().AcquiredConns() == 0 })
}

func TestInfo(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	info := must[*gtf.StoreInfo](t)(openURL(t, url, nil).Info(t.Context()))
	if info.Kind != "postgresql" || info.Schema != 2 || info.Bytes == 0 || info.Version == "" || !strings.HasPrefix(info.Where, "127.0.0.1:") ||
		!strings.Contains(url, info.Where) {
		t.Errorf("info of %s is %+v", url, info)
	}
}
