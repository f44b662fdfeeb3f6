package gtf

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"
)

// ID names a task: a UUID of version 7, so that ids sort by the time they were made.
type ID [16]byte

// lastStamp is the highest time given to an id of this process, in 1/4096 of a millisecond.
var lastStamp atomic.Uint64

// NewID makes an id from the clock and crypto/rand. Ids of one process sort in the order they were made.
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	stamp := nextStamp()
	ms, fraction := stamp>>12, stamp&0xfff // RFC 9562 method 3: the fraction of the millisecond in 12 bits
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = 0x70 | byte(fraction>>8)
	id[7] = byte(fraction)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// nextStamp is the time, or a little more than the last one where the clock has not moved on. A clock that was set back by
// more than a second is believed.
func nextStamp() uint64 {
	const second = 1000 << 12
	for {
		now := time.Now()
		stamp := uint64(now.UnixMilli())<<12 | uint64(now.Nanosecond()%1e6*4096/1e6)
		last := lastStamp.Load()
		if stamp <= last && last-stamp < second {
			stamp = last + 1
		}
		if lastStamp.CompareAndSwap(last, stamp) {
			return stamp
		}
	}
}

// ParseID reads the canonical text of a UUID: 36 characters, either case.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID{}, fmt.Errorf("%.50q is not a UUID", text)
	}
	digits := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, fmt.Errorf("%.50q is not a UUID", text)
	}
	return id, nil
}

// IsZero reports whether the id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// MarshalText writes the canonical text.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the canonical text.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
