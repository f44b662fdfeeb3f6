package gtf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"pgregory.net/rapid"
)

func TestSignalsOnTheWire(t *testing.T) {
	t.Parallel()
	t.Run("come back as they were, in texts within the limit", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			batch := rapid.SliceOf(rapid.Custom(anySignal)).Draw(t, "batch")
			limit := rapid.IntRange(1500, 8000).Draw(t, "limit")
			var got []gtf.Signal
			for _, text := range gtf.EncodeSignals(batch, limit) {
				if len(text) > limit || strings.ContainsRune(text, 0) {
					t.Fatalf("a text of %d bytes, the limit is %d", len(text), limit)
				}
				decoded, err := gtf.DecodeSignals(text)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, decoded...)
			}
			if !slices.Equal(got, batch) {
				t.Fatalf("sent %v, got %v", batch, got)
			}
		})
	})
	t.Run("become one for everything when they are too long", func(t *testing.T) {
		t.Parallel()
		texts := gtf.EncodeSignals([]gtf.Signal{{Kind: gtf.SignalWork, Queue: strings.Repeat("q", 100), Origin: "me"}}, 50)
		got, err := gtf.DecodeSignals(strings.Join(texts, ""))
		if want := []gtf.Signal{{Kind: gtf.SignalAny, Origin: "me"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
	t.Run("of a later version wake everybody", func(t *testing.T) {
		t.Parallel()
		got, err := gtf.DecodeSignals("=me\nzwhatever\n")
		if want := []gtf.Signal{{Kind: gtf.SignalAny, Origin: "me"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
	for _, bad := range []string{"=%zz\n", "w%zz\n", "f12\n", "fzz000000000000000000000000000000\n"} {
		t.Run("is refused: "+bad, func(t *testing.T) {
			t.Parallel()
			if got, err := gtf.DecodeSignals("*\n" + bad); err == nil || len(got) != 1 {
				t.Errorf("got %v, %v, want the first signal and an error", got, err)
			}
		})
	}
}

func anySignal(t *rapid.T) gtf.Signal {
	s := gtf.Signal{Origin: rapid.StringN(0, 5, 40).Draw(t, "origin")}
	s.Kind = rapid.SampledFrom([]gtf.SignalKind{gtf.SignalWork, gtf.SignalAbort, gtf.SignalFinished, gtf.SignalChanged, gtf.SignalAny}).Draw(t, "kind")
	switch s.Kind {
	case gtf.SignalWork:
		s.Queue = rapid.StringN(0, 100, 400).Draw(t, "queue")
	case gtf.SignalAny:
	default:
		s.ID = gtf.NewID()
	}
	return s
}

func FuzzDecodeSignals(f *testing.F) {
	f.Add("=me\nwdefault\nf01890000000070008000000000000000\n*\n")
	f.Fuzz(func(t *testing.T, text string) {
		batch, err := gtf.DecodeSignals(text)
		if err != nil {
			return
		}
		again, err := gtf.DecodeSignals(strings.Join(gtf.EncodeSignals(batch, 1<<20), ""))
		if err != nil || !slices.Equal(again, batch) {
			t.Errorf("%q became %v, then %v (%v)", text, batch, again, err)
		}
	})
}
