package pgstore_test

import (
	"testing"

	"github.com/globaltask/gtf/store/pgstore"
)

// FuzzChangeCursor wants every text refused that was not handed out, and what is read to be what was written.
func FuzzChangeCursor(f *testing.F) {
	long := pgstore.LongCursor()
	if again, err := pgstore.ReadCursor(long); err != nil || again != long {
		f.Fatalf("%q is read as %q, %v", long, again, err)
	}
	f.Add(long)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if again, err := pgstore.ReadCursor(text); err == nil && again != text {
			t.Errorf("%q is read as what is written %q", text, again)
		}
	})
}
