package pgstore

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// position is where a page ended: the value sorted by, a text or microseconds, and the id.
type position struct {
	Text string    `json:"t,omitempty"`
	At   int64     `json:"a,omitempty"`
	Time bool      `json:"m,omitempty"` // At is meant
	ID   string    `json:"id"`
	at   time.Time // read
}

// dest is where the value of a row is read into.
func (p *position) dest() any {
	if p.Time {
		return instant{&p.at}
	}
	return &p.Text
}

// value is the argument to continue from.
func (p *position) value() any {
	if p.Time {
		return time.UnixMicro(p.At)
	}
	return p.Text
}

func (p *position) cursor() string {
	if p.Time {
		p.At = p.at.UnixMicro()
	}
	raw, _ := json.Marshal(p) // texts and numbers: always encodes
	return base64.RawURLEncoding.EncodeToString(raw)
}

// The years 1 to 9999, in microseconds: what is stored lies far within, and PostgreSQL knows them.
const firstInstant, lastInstant = -62_135_596_800_000_000, 253_402_300_799_999_999

// parseCursor reads what cursor wrote for the same order. Anything else is the caller's mistake.
func parseCursor(text string, isTime bool) (*position, error) {
	p := &position{}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	if err == nil {
		_, err = gtf.ParseID(p.ID)
	}
	if err == nil && (p.Time != isTime || strings.ContainsRune(p.Text, 0) || p.At < firstInstant || p.At > lastInstant) {
		err = errors.New("of another order")
	}
	if err != nil {
		return nil, badCursor("is not one that a list gave out")
	}
	return p, nil
}

func badCursor(reason string) error {
	return &gtf.ValidationError{Problems: []gtf.Problem{{Field: "cursor", Reason: reason}}}
}
