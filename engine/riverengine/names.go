package riverengine

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
)

// River's own queues and those of the application begin otherwise.
const (
	plainPrefix  = "gtf-"
	hashedPrefix = "gtfx-"
)

// maxQueueName is River's limit.
const maxQueueName = 64

var (
	queueNames = regexp.MustCompile(`^[a-z0-9]+([_|-]?[a-z0-9]+)*$`)
	letters    = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)
)

// queueName is what River calls a queue: gtf-reports for "reports". River allows small letters and digits, with one of _, |
// and - between them; for other names it is gtfx- and a hash.
func queueName(name string) string {
	if plain := plainPrefix + name; len(plain) <= maxQueueName && queueNames.MatchString(name) {
		return plain
	}
	sum := sha256.Sum256([]byte(name))
	return hashedPrefix + letters.EncodeToString(sum[:20])
}

// priority puts nine priorities into River's four: 1 and 2, 3 and 4, 5 and 6, 7 to 9.
func priority(p int) int { return min((p+1)/2, 4) }
