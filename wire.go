package gtf

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// signalLetters begin the lines of the wire form.
var signalLetters = map[SignalKind]byte{SignalWork: 'w', SignalAbort: 'a', SignalFinished: 'f', SignalChanged: 'c', SignalAny: '*'}

// EncodeSignals writes a batch as texts of at most limit bytes each, for transports that carry text: a line for each signal,
// of a letter and the id or the queue, and before them a line that begins with = for the client that sent them. A signal
// longer than the limit is replaced by SignalAny.
func EncodeSignals(batch []Signal, limit int) []string {
	var texts []string
	var text strings.Builder
	origin := ""
	for _, s := range batch {
		line := encodeSignal(s)
		from := "=" + url.QueryEscape(s.Origin) + "\n"
		if len(from)+len(line) > limit {
			line = encodeSignal(Signal{Kind: SignalAny})
		}
		if text.Len() > 0 && s.Origin == origin && text.Len()+len(line) <= limit {
			text.WriteString(line)
			continue
		}
		if text.Len()+len(from)+len(line) > limit {
			texts = append(texts, text.String())
			text.Reset()
		}
		text.WriteString(from)
		text.WriteString(line)
		origin = s.Origin
	}
	if text.Len() > 0 {
		texts = append(texts, text.String())
	}
	return texts
}

func encodeSignal(s Signal) string {
	rest := ""
	switch s.Kind {
	case SignalWork:
		rest = url.QueryEscape(s.Queue)
	case SignalAbort, SignalFinished, SignalChanged:
		rest = hex.EncodeToString(s.ID[:])
	}
	return string(signalLetters[s.Kind]) + rest + "\n"
}

// DecodeSignals reads what EncodeSignals wrote. Lines of a later version become SignalAny: whoever hears one looks. The
// error of a text that is something else comes with the signals before it.
func DecodeSignals(text string) ([]Signal, error) {
	var batch []Signal
	origin := ""
	for line := range strings.Lines(text) {
		letter, rest := line[0], strings.TrimSuffix(line[1:], "\n")
		if letter == '=' {
			var err error
			if origin, err = url.QueryUnescape(rest); err != nil {
				return batch, fmt.Errorf("decode signals: origin: %w", err)
			}
			continue
		}
		s, err := decodeSignal(letter, rest)
		if err != nil {
			return batch, fmt.Errorf("decode signals: %w", err)
		}
		s.Origin = origin
		batch = append(batch, s)
	}
	return batch, nil
}

func decodeSignal(letter byte, rest string) (Signal, error) {
	s := Signal{Kind: SignalAny}
	for kind, l := range signalLetters {
		if l == letter {
			s.Kind = kind
		}
	}
	switch s.Kind {
	case SignalWork:
		queue, err := url.QueryUnescape(rest)
		if err != nil {
			return s, fmt.Errorf("queue: %w", err)
		}
		s.Queue = queue
	case SignalAbort, SignalFinished, SignalChanged:
		if len(rest) != hex.EncodedLen(len(s.ID)) {
			return s, fmt.Errorf("an id has %d digits", len(rest))
		}
		if _, err := hex.Decode(s.ID[:], []byte(rest)); err != nil {
			return s, fmt.Errorf("id: %w", err)
		}
	}
	return s, nil
}
