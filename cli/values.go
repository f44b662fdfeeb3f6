package cli

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
)

// Kind says what the values of a setting look like.
type Kind string

const (
	KindText     Kind = ""
	KindBool     Kind = "bool"
	KindInt      Kind = "int"
	KindDuration Kind = "duration" // 90d, 1h30m, none
	KindSize     Kind = "size"     // 1MiB, 64KiB, 1000
	KindQueues   Kind = "queues"   // default=20,exports=4
	KindURL      Kind = "url"      // shown without its password
	KindList     Kind = "list"     // texts, separated by commas
	KindTokens   Kind = "tokens"   // see auth.ParseTokens; shown without hashes
)

// parse reads a value in the setting's notation.
func (s *Setting) parse(text string) (any, error) {
	switch s.Kind {
	case KindBool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", text)
		}
		return b, nil
	case KindInt:
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number from 1 up", text)
		}
		return n, nil
	case KindSize:
		return parseSize(text)
	case KindQueues:
		return ParseQueues(text)
	case KindList:
		return parseList(text), nil
	case KindTokens:
		return auth.ParseTokens(text)
	case KindDuration:
		d, err := ParseDuration(text)
		switch {
		case err != nil:
			return nil, err
		case d == gtf.None && !s.None:
			return nil, fmt.Errorf("%q is not allowed here, it must be a positive duration", text)
		}
		return d, nil
	}
	if len(s.OneOf) > 0 && !slices.Contains(s.OneOf, text) {
		return nil, fmt.Errorf("%q is not one of %s", text, strings.Join(s.OneOf, ", "))
	}
	return text, nil
}

var days = regexp.MustCompile(`^(\d+(?:\.\d+)?)d`)

// ParseDuration reads what people write: Go's notation and days before it (90d, 1d12h). "none" and zero are [gtf.None].
func ParseDuration(text string) (time.Duration, error) {
	if text == "none" {
		return gtf.None, nil
	}
	if strings.Contains(text, "-") {
		return 0, fmt.Errorf("%q must not be negative", text)
	}
	var total time.Duration
	rest := text
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64)
		if n > math.MaxInt64/float64(24*time.Hour) {
			return 0, fmt.Errorf("%q is too long", text)
		}
		total, rest = time.Duration(n*float64(24*time.Hour)), text[len(m[0]):]
	}
	if rest != "" || total == 0 && text == "" {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration like 30s, 5m, 1h30m or 90d", text)
		}
		total += d
	}
	switch {
	case total < 0:
		return 0, fmt.Errorf("%q is too long", text)
	case total == 0:
		return gtf.None, nil
	}
	return total, nil
}

// ParseQueues reads queues with their slots: default=20,exports=4.
func ParseQueues(text string) (map[string]int, error) {
	queues := map[string]int{}
	for part := range strings.SplitSeq(text, ",") {
		at := strings.LastIndexByte(part, '=')
		if at < 0 {
			return nil, fmt.Errorf("%q has no slots: write NAME=SLOTS, like default=20,exports=4", part)
		}
		name := strings.TrimSpace(part[:at])
		n, err := strconv.Atoi(strings.TrimSpace(part[at+1:]))
		switch _, twice := queues[name]; {
		case name == "":
			return nil, fmt.Errorf("%q has no name", part)
		case err != nil || n < 1:
			return nil, fmt.Errorf("the slots of queue %q are %q, must be a number from 1 up", name, part[at+1:])
		case twice:
			return nil, fmt.Errorf("queue %q is given twice", name)
		}
		queues[name] = n
	}
	return queues, nil
}

// parseList reads texts with commas between them; a comma within one has a backslash before it. None is nil.
func parseList(text string) []string {
	var list []string
	const comma = "\x00"
	for part := range strings.SplitSeq(strings.ReplaceAll(text, `\,`, comma), ",") {
		if part = strings.TrimSpace(strings.ReplaceAll(part, comma, ",")); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func formatList(list []string) string {
	parts := make([]string, len(list))
	for i, part := range list {
		parts[i] = strings.ReplaceAll(part, ",", `\,`)
	}
	return strings.Join(parts, ",")
}

var sizes = regexp.MustCompile(`(?i)^(\d+) *([kmg])?(i?)b?$`)

func parseSize(text string) (int, error) {
	m := sizes.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size like 65536, 64KiB or 1MiB", text)
	}
	n, err := strconv.Atoi(m[1])
	unit := 1000
	if m[3] != "" {
		unit = 1024
	}
	for range strings.Index(" kmg", strings.ToLower(m[2] + " ")[:1]) {
		if n > math.MaxInt/unit {
			return 0, fmt.Errorf("%q is too large", text)
		}
		n *= unit
	}
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a size from 1 up", text)
	}
	return n, nil
}

// format writes a value as parse reads it.
func format(v any) string {
	switch v := v.(type) {
	case *time.Duration:
		return formatDuration(*v)
	case time.Duration:
		return formatDuration(v)
	case *int:
		return format(*v)
	case int:
		if v >= 1<<20 && v%(1<<20) == 0 {
			return fmt.Sprintf("%dMiB", v>>20)
		}
		return strconv.Itoa(v)
	case *bool:
		return strconv.FormatBool(*v)
	case *inverted:
		return strconv.FormatBool(!bool(*v))
	case *map[string]int:
		return format(*v)
	case map[string]int:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, fmt.Sprintf("%s=%d", name, v[name]))
		}
		return strings.Join(parts, ",")
	case []string:
		return formatList(v)
	case []auth.Token:
		parts := make([]string, len(v))
		for i, t := range v {
			parts[i] = fmt.Sprintf("%s:%s", t.ID, t.Role)
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

// formatDuration writes 90d and 1m30s instead of 2160h0m0s and 1m30s.
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == gtf.None:
		return "none"
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// display is a value as it may be shown.
func (s *Setting) display(v any) string {
	text := format(v)
	switch {
	case s.Secret && text != "":
		return "(set)"
	case s.Kind == KindURL:
		return withoutPassword(text)
	}
	return text
}

// withoutPassword shows a URL. One that cannot be read is not shown at all: a password may be anywhere in it.
func withoutPassword(text string) string {
	u, err := url.Parse(text)
	switch {
	case err == nil && strings.Contains(u.Opaque, "@"): // a password without slashes before it
	case err == nil && u.User == nil && u.RawQuery == "":
		return text // unchanged, however it is written
	case err == nil:
		query := u.Query()
		for key := range query {
			if strings.Contains(strings.ToLower(key), "pass") || strings.Contains(strings.ToLower(key), "key") {
				query.Set(key, "xxxxx")
			}
		}
		u.RawQuery = query.Encode()
		return u.Redacted()
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok && !strings.ContainsAny(scheme, ":@/") {
		return scheme + "://(unreadable)"
	}
	return "(unreadable)"
}
