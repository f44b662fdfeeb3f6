package gtf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of S4.9; those of input, payload and result are in Config.
const (
	maxName        = 256 // characters
	maxKey         = 256
	maxPrincipalID = 128
	maxTypeName    = 100 // bytes
	maxQueueName   = 100 // characters
	maxError       = 8 << 10
	maxStack       = 64 << 10
	maxLogLine     = 8 << 10
	maxAttempts    = 100
	minPriority    = 1
	maxPriority    = 9
)

var (
	typeNames   = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)
	clientNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

func checkTypeName(bad *problems, name string) {
	if len(name) > maxTypeName {
		bad.add("type", "has %d bytes, at most %d are allowed", len(name), maxTypeName)
	} else if !typeNames.MatchString(name) {
		bad.add("type", "%.100q does not match %s", name, typeNames)
	}
}

func checkText(bad *problems, field, text string, most int) {
	if !utf8.ValidString(text) {
		bad.add(field, "is not valid UTF-8")
	} else if strings.IndexByte(text, 0) >= 0 {
		bad.add(field, "contains a NUL character")
	} else if n := utf8.RuneCountInString(text); n > most {
		bad.add(field, "has %d characters, at most %d are allowed", n, most)
	}
}

func checkClient(bad *problems, field, name string) {
	if name != "" && !clientNames.MatchString(name) {
		bad.add(field, "%.70q does not match %s", name, clientNames)
	}
}

func checkQueueName(bad *problems, field, name string) {
	if name == "" {
		bad.add(field, "is empty")
	}
	checkText(bad, field, name, maxQueueName)
}

func checkPriority(bad *problems, field string, p int) {
	if p < minPriority || p > maxPriority {
		bad.add(field, "is %d, must be %d (first) to %d", p, minPriority, maxPriority)
	}
}

func checkAttempts(bad *problems, field string, n int) {
	if n < 1 || n > maxAttempts {
		bad.add(field, "is %d, must be 1 to %d", n, maxAttempts)
	}
}

func checkOneOf[T ~string](bad *problems, field string, allowed []T, values ...T) {
	for _, v := range values {
		if !slices.Contains(allowed, v) {
			bad.add(field, "%.50q is not one of %v", string(v), allowed)
		}
	}
}

// marshal encodes a value that will be stored: at most limit bytes, valid UTF-8, no NUL, escaped or not. The problem names
// the limit.
func marshal(v any, limit int) (raw json.RawMessage, problem string) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, "cannot be encoded as JSON: " + clean(err.Error(), maxError)
	}
	return raw, rawProblem(raw, v, limit)
}

// rawProblem says what is wrong with JSON that is to be stored; origin is the value it was made of, or nil.
func rawProblem(raw json.RawMessage, origin any, limit int) string {
	switch {
	case len(raw) > limit:
		return fmt.Sprintf("has %d bytes as JSON, at most %d are allowed", len(raw), limit)
	case !utf8.Valid(raw):
		return "is not valid UTF-8"
	case hasEscape(raw, "u0000") || bytes.IndexByte(raw, 0) >= 0:
		return "contains a NUL character"
	case hasEscape(raw, "ufffd") && badString(reflect.ValueOf(origin), 0):
		return "is not valid UTF-8" // encoding/json had put U+FFFD for the bad bytes
	}
	return ""
}

// hasEscape looks for a backslash escape in JSON text, not fooled by an escaped backslash before it.
func hasEscape(raw []byte, escape string) bool {
	for i := 0; ; {
		at := bytes.IndexByte(raw[i:], '\\')
		if at < 0 {
			return false
		}
		i += at + 1
		if i >= len(raw) {
			return false
		}
		if bytes.HasPrefix(raw[i:], []byte(escape)) {
			return true
		}
		i++ // the escaped character, maybe a backslash
	}
}

// badString looks for a string with bytes that are not UTF-8. It is only asked when encoding/json may have replaced some.
func badString(v reflect.Value, depth int) bool {
	if depth > 10_000 {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		return !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return badString(v.Elem(), depth+1)
	case reflect.Struct:
		for field, value := range v.Fields() {
			shown := field.IsExported() || field.Anonymous
			if shown && field.Tag.Get("json") != "-" && badString(value, depth+1) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return false // bytes are not text
		}
		for i := range v.Len() {
			if badString(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if badString(it.Key(), depth+1) || badString(it.Value(), depth+1) {
				return true
			}
		}
	}
	return false
}

// cutName cuts a name that a definition made; a caller's own is refused instead.
func cutName(name string) string {
	runes := []rune(name)
	if len(runes) <= maxName {
		return name
	}
	return string(runes[:maxName-1]) + "…"
}

// clean makes any text storable: U+FFFD for bad bytes and NUL, cut to most bytes at a character. What the system itself
// must store is never refused.
func clean(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	if len(text) <= most {
		return text
	}
	const mark = " …"
	cut := most - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
