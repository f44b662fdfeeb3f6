package sqlitestore

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/globaltask/gtf"
)

// position is where a page ended: the value sorted by, a text or microseconds, and the creation of the task.
type position struct {
	Value   any    `json:"v"`
	Created int64  `json:"c"`
	ID      string `json:"id"`
}

func (p position) cursor() string {
	raw, _ := json.Marshal(p) // numbers and texts always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseCursor reads what cursor wrote for the same order. Anything else is the caller's mistake.
func parseCursor(text string, order gtf.OrderColumn) (*position, error) {
	bad := badCursor("is not one that a list in this order gave out")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, bad
	}
	p := &position{}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber() // microseconds do not survive a float
	if err := dec.Decode(p); err != nil {
		return nil, bad
	}
	ofText := order == gtf.OrderType || order == gtf.OrderScope || order == gtf.OrderStatus
	switch v := p.Value.(type) {
	case json.Number:
		if p.Value, err = v.Int64(); err != nil || ofText {
			return nil, bad
		}
	case string:
		if !ofText {
			return nil, bad
		}
	default:
		return nil, bad
	}
	if _, err := gtf.ParseID(p.ID); err != nil {
		return nil, bad
	}
	return p, nil
}

func badCursor(reason string) error {
	return &gtf.ValidationError{Problems: []gtf.Problem{{Field: "cursor", Reason: reason}}}
}
