package pgstore

import "time"

// ForgetMarks has the next claims begin at the front, for tests that move what is stored back in time.
func (s *Store) ForgetMarks() {
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	s.marks.lanes = nil
}

// TestAfter has listening connections test themselves after a shorter silence. It must be called before Listen.
func (s *Store) TestAfter(silence time.Duration) { s.sigs.silence = silence }
