package gtf_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

type in struct{ N int }
type out struct{ N int }

var double = gtf.Define[in, out]("double", &gtf.DefineOpts[in]{Scope: gtf.ScopeSystem})

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	store, err := sqlitestore.Open(ctx, filepath.Join(t.TempDir(), "a.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c, err := gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{double.Handler(func(ctx context.Context, i in) (out, error) {
		gtf.FromContext(ctx).Progress(1, 2)
		gtf.FromContext(ctx).Logger().Info("hello", "n", i.N)
		return out{2 * i.N}, nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	h, err := double.Schedule(ctx, c, in{4}, nil)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	o, err := h.Wait(ctx)
	t.Log(o, err, time.Since(start))
	o, err = double.Run(ctx, c, in{5}, nil)
	t.Log(o, err)
	task, err := c.Get(ctx, h.ID)
	t.Logf("%+v %v", task, err)
	lines, err := c.Logs(ctx, h.ID, 0, 0)
	t.Logf("%+v %v", lines, err)
	page, err := c.List(ctx, nil)
	t.Logf("%+v %v", page, err)
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}
