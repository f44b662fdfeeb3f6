package term

import (
	"testing"

	"github.com/globaltask/gtf"
)

func TestLookOf(t *testing.T) {
	t.Run("knows every status, in as many columns", func(t *testing.T) {
		for _, s := range gtf.Statuses() {
			look := LookOf(s)
			if _, ok := looks[s]; !ok {
				t.Errorf("%s has no look", s)
			}
			if Width(look.Glyph) != 1 || Width(look.Word) > WordWidth || Width(look.Badge()) != WordWidth+2 {
				t.Errorf("%s takes %d columns as %q, want %d", s, Width(look.Badge()), look.Badge(), WordWidth+2)
			}
		}
	})
	t.Run("shows another as it is, harmlessly", func(t *testing.T) {
		if got, want := LookOf("paused\x1b"), (Look{"?", "paused\uFFFD", Plain}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}
