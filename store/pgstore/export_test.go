package pgstore

import (
	"testing"
	"time"
)

// ForgetMarks has the next claims begin at the front, for tests that move what is stored back in time.
func (s *Store) ForgetMarks() {
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	s.marks.lanes = nil
}

// TestAfter has listening connections test themselves after a shorter silence. It must be called before Listen.
func (s *Store) TestAfter(silence time.Duration) { s.sigs.silence = silence }

// Later is a cursor as a database gives it that is a billion transactions ahead.
func Later(t *testing.T, cursor string) string {
	t.Helper()
	c, err := parseChangeCursor(cursor)
	if err != nil {
		t.Fatal(err)
	}
	c.seen = snapshot{xmin: c.seen.xmin + 1e9, xmax: c.seen.xmax + 1e9}
	return c.String()
}

// ReadCursor reads a cursor of changes and writes it again.
func ReadCursor(text string) (string, error) {
	c, err := parseChangeCursor(text)
	return c.String(), err
}

// LongCursor is one in the middle of parts.
func LongCursor() string {
	c := changeCursor{era: "16385/00000001", seen: snapshot{xmin: 1 << 40, xmax: 1<<40 + 3, running: []uint64{1 << 40, 1<<40 + 2}}, at: place{xid: 12}}
	c.upTo = &snapshot{xmin: 1<<40 + 2, xmax: 1<<40 + 9, running: []uint64{1<<40 + 2}}
	return c.String()
}
