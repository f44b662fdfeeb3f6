package pgstore

// ForgetMarks has the next claims begin at the front, for tests that move what is stored back in time.
func (s *Store) ForgetMarks() {
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	s.marks.lanes = nil
}
