package pgstore

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/globaltask/gtf"
)

// changeCursor says which changes have been read: those visible in a snapshot of the database. Any process can go on from it.
type changeCursor struct {
	era  string    // which database it is of
	seen snapshot  // whose changes have been told
	upTo *snapshot // in the middle of parts: whose changes are being told
	at   place     // up to here
}

// place is the last change of a part.
type place struct {
	xid uint64
	id  gtf.ID
}

// snapshot tells which transactions had been committed at a moment: those before xmax, but for the running ones. No number
// below xmin is of one that was still running.
type snapshot struct {
	xmin, xmax uint64
	running    []uint64 // ascending
	coarse     bool     // more were running than are kept
}

// maxRunning bounds the length of a cursor. While more transactions write at once, it goes back to the oldest of them, and some
// changes are told again.
const maxRunning = 100

// begin is the first transaction that may not have been told, but for those that were running.
func (s *snapshot) begin() uint64 {
	if s.coarse {
		return s.xmin
	}
	return s.xmax
}

// parseSnapshot reads what PostgreSQL writes: xmin:xmax:running,running.
func parseSnapshot(text string) (snapshot, error) {
	var s snapshot
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, fmt.Errorf("read snapshot %q: it has %d parts", text, len(parts))
	}
	numbers := parts[:2]
	if parts[2] != "" {
		numbers = append(numbers, strings.Split(parts[2], ",")...)
	}
	for i, number := range numbers {
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return s, fmt.Errorf("read snapshot %q: %w", text, err)
		}
		switch i {
		case 0:
			s.xmin = n
		case 1:
			s.xmax = n
		default:
			s.running = append(s.running, n)
		}
	}
	if len(s.running) > maxRunning {
		s.running, s.coarse = nil, true
	}
	return s, nil
}

// String is what PostgreSQL reads. It takes what a coarse one does not know for committed.
func (s *snapshot) String() string {
	return fmt.Sprintf("%d:%d:%s", s.xmin, s.xmax, strings.Join(s.texts(), ","))
}

// texts are the running transactions.
func (s *snapshot) texts() []string {
	texts := make([]string, len(s.running))
	for i, xid := range s.running {
		texts[i] = strconv.FormatUint(xid, 10)
	}
	return texts
}

// newest is the snapshot that was taken last.
func (c *changeCursor) newest() *snapshot {
	if c.upTo != nil {
		return c.upTo
	}
	return &c.seen
}

// cursorVersion is the first byte of a cursor, before the era, the snapshots and the place, and a sum over all of it.
const (
	cursorVersion = 1
	maxCursor     = 4096 // characters
	maxEra        = 64
)

// String is the cursor as it is handed out.
func (c *changeCursor) String() string {
	b := append([]byte{cursorVersion, byte(len(c.era))}, c.era...)
	b = c.seen.append(b)
	if c.upTo != nil {
		b = c.upTo.append(b)
		b = binary.AppendUvarint(b, c.at.xid)
		b = append(b, c.at.id[:]...)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *snapshot) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.xmin)
	b = binary.AppendUvarint(b, s.xmax-s.xmin)
	if s.coarse {
		return binary.AppendUvarint(b, maxRunning+1)
	}
	b = binary.AppendUvarint(b, uint64(len(s.running)))
	last := s.xmin
	for _, xid := range s.running {
		b = binary.AppendUvarint(b, xid-last)
		last = xid
	}
	return b
}

// parseChangeCursor reads what String wrote, and nothing else.
func parseChangeCursor(text string) (changeCursor, error) {
	c, err := decodeChangeCursor(text)
	if err == nil && c.String() != text {
		err = errors.New("written otherwise")
	}
	if err != nil {
		return c, badCursor("is not one that changes gave out")
	}
	return c, nil
}

func decodeChangeCursor(text string) (c changeCursor, err error) {
	if len(text) > maxCursor {
		return c, errors.New("too long")
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 6 {
		return c, errors.New("not a cursor")
	}
	body, sum := raw[:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.ChecksumIEEE(body) != sum || body[0] != cursorVersion || int(body[1]) > min(maxEra, len(body)-2) {
		return c, errors.New("not a cursor")
	}
	r := reader{rest: body[2:]}
	c.era = string(r.bytes(int(body[1])))
	c.seen = r.snapshot()
	if len(r.rest) > 0 {
		upTo := r.snapshot()
		c.upTo = &upTo
		c.at.xid = r.number()
		copy(c.at.id[:], r.bytes(len(c.at.id)))
	}
	if r.short || len(r.rest) > 0 {
		return c, errors.New("not a cursor")
	}
	return c, nil
}

// reader takes a cursor apart.
type reader struct {
	rest  []byte
	short bool // there was too little, or too much in a number
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.short, n = true, len(r.rest)
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// number is a transaction's. They never come near the end of 64 bits, so that sums of two do not overflow.
func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n >= 1<<62 {
		r.short = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) snapshot() snapshot {
	s := snapshot{xmin: r.number()}
	s.xmax = s.xmin + r.number()
	n := r.number()
	if n > maxRunning {
		s.coarse = true
		r.short = r.short || n > maxRunning+1 || s.xmin == 0
		return s
	}
	last := s.xmin
	for range n {
		last += r.number()
		s.running = append(s.running, last)
	}
	if s.xmin == 0 || n > 0 && last >= s.xmax {
		r.short = true // PostgreSQL would not take it
	}
	return s
}
