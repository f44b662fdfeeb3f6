package sqlitestore_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestSubmitTx(t *testing.T) {
	t.Parallel()
	t.Run("makes another writer wait, which is told so after five seconds", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gtf.db")
		store := open(t, path)
		tx, commit, _ := begin(t, path)
		sub, late := submission(`1`), submission(`2`)
		if _, err := store.SubmitTx(t.Context(), tx, []*gtf.Submission{sub}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := store.Submit(t.Context(), []*gtf.Submission{late})
		if took := time.Since(began); !errors.Is(err, gtf.ErrLocked) || took < 4*time.Second || took > 30*time.Second {
			t.Errorf("Submit beside a caller's transaction gives %v after %v, want ErrLocked after 5s", err, took)
		}
		commit()
		if done, err := store.Submit(t.Context(), []*gtf.Submission{late}); err != nil || !done[0].Created {
			t.Errorf("Submit after its end answers %+v, %v", done, err)
		}
		if looks, err := store.Look(t.Context(), []gtf.ID{sub.ID, late.ID}); err != nil || len(looks) != 2 {
			t.Errorf("%d of 2 tasks are there (%v)", len(looks), err)
		}
	})

	t.Run("of a transaction that has ended is an error", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "gtf.db")
		store := open(t, path)
		tx, commit, _ := begin(t, path)
		commit()
		if _, err := store.SubmitTx(t.Context(), tx, []*gtf.Submission{submission(`1`)}); err == nil {
			t.Error("it gave none")
		}
	})
}
