package gtf_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestNewID(t *testing.T) {
	t.Parallel()
	t.Run("is a UUID of version 7, and never the same", func(t *testing.T) {
		t.Parallel()
		made := map[gtf.ID]bool{}
		for range 10_000 {
			id := gtf.NewID()
			if !uuid7.MatchString(id.String()) || id.IsZero() {
				t.Fatalf("%s is no UUID of version 7", id)
			}
			made[id] = true
		}
		if len(made) != 10_000 {
			t.Errorf("%d different ids of 10,000", len(made))
		}
	})
	t.Run("sorts by the time it was made, as bytes and as text", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			var ids []gtf.ID
			for i := range 3000 {
				ids = append(ids, gtf.NewID())
				time.Sleep(time.Microsecond + time.Duration(i)*997)
			}
			if !slices.IsSortedFunc(ids, func(a, b gtf.ID) int { return slices.Compare(a[:], b[:]) }) {
				t.Error("the ids are not in order")
			}
			if !slices.IsSortedFunc(ids, func(a, b gtf.ID) int { return strings.Compare(a.String(), b.String()) }) {
				t.Error("their texts are not in order")
			}
		})
	})
	t.Run("holds the milliseconds since 1970", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) { // begins at 2000-01-01 00:00:00 UTC
			if got := gtf.NewID().String()[:13]; got != "00dc6acf-ac00" {
				t.Errorf("got %s", got)
			}
		})
	})
}

func TestParseID(t *testing.T) {
	t.Parallel()
	const text = "01890a5d-ac96-774b-bcce-b302099a8057"
	id, err := gtf.ParseID(strings.ToUpper(text))
	if err != nil || id.String() != text {
		t.Errorf("got %s, %v, want %s", id, err, text)
	}
	for _, bad := range []string{
		"", "x", text[:35], text + "0", strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", "_"), "{" + text[1:35] + "}",
		strings.Replace(text, "a", "g", 1), "urn:uuid:" + text, " " + text[1:], strings.Repeat("-", 36), strings.Repeat("é", 18), strings.Repeat("\x00", 36),
	} {
		if id, err := gtf.ParseID(bad); err == nil || !id.IsZero() {
			t.Errorf("ParseID(%q) = %s, %v, want an error", bad, id, err)
		}
	}
	var long error
	if _, long = gtf.ParseID(strings.Repeat("x", 10_000)); long == nil || len(long.Error()) > 200 {
		t.Errorf("the error of a long text is as long")
	}
}

func TestIDInJSON(t *testing.T) {
	t.Parallel()
	type pair struct {
		ID  gtf.ID         `json:"id"`
		Map map[gtf.ID]int `json:"map"`
	}
	id := gtf.NewID()
	raw := must[[]byte](t)(json.Marshal(pair{id, map[gtf.ID]int{id: 1}}))
	if want := `{"id":"` + id.String() + `","map":{"` + id.String() + `":1}}`; string(raw) != want {
		t.Errorf("got %s, want %s", raw, want)
	}
	var back pair
	if err := json.Unmarshal(raw, &back); err != nil || back.ID != id || back.Map[id] != 1 {
		t.Errorf("got %+v, %v", back, err)
	}
	before := back.ID
	if err := json.Unmarshal([]byte(`{"id":"no"}`), &back); err == nil || back.ID != before {
		t.Errorf("bad text was read: %v, %s", err, back.ID)
	}
}

func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"", "01890a5d-ac96-774b-bcce-b302099a8057", "01890A5D-AC96-774B-BCCE-B302099A8057", strings.Repeat("-", 36), strings.Repeat("é", 18)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := gtf.ParseID(text)
		if err == nil && id.String() != strings.ToLower(text) {
			t.Errorf("%q was read as %s", text, id)
		}
		if err != nil && !id.IsZero() {
			t.Errorf("%q gave an error and the id %s", text, id)
		}
		if back, err := gtf.ParseID(id.String()); err != nil || back != id {
			t.Errorf("%s does not read back: %s, %v", id, back, err)
		}
	})
}
