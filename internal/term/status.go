package term

import "github.com/globaltask/gtf"

// Look is how a status is shown.
type Look struct {
	Glyph string // one column
	Word  string
	Style Style
}

var looks = map[gtf.Status]Look{
	gtf.StatusPending:    {"◷", "Pending", Dim},
	gtf.StatusInProgress: {"◐", "In progress", Accent},
	gtf.StatusAborting:   {"◧", "Aborting", Warning},
	gtf.StatusSuccess:    {"✓", "Success", Good},
	gtf.StatusFailure:    {"✗", "Failed", Bad},
	gtf.StatusAborted:    {"■", "Aborted", Warning},
	gtf.StatusTimedOut:   {"⧖", "Timed out", Bad},
}

// WordWidth is how wide the widest word of a status is.
const WordWidth = len("In progress")

// LookOf a status. One that is not known, say of a newer version, shows as it is stored.
func LookOf(s gtf.Status) Look {
	if l, ok := looks[s]; ok {
		return l
	}
	return Look{"?", OneLine(string(s)), Plain}
}

// Badge is the glyph and the word, equally wide for all statuses.
func (l Look) Badge() string { return l.Glyph + " " + Pad(l.Word, WordWidth) }
