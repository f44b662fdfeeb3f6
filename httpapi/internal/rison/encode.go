package rison

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode writes a value of the types that Decode returns, and int, int64 and float64. It is canonical: keys are sorted, and
// strings quoted only where they have to be. The text is to be escaped for a URL.
//
// Errors: a value of another type, a number that is none, a string that is not UTF-8, and what Decode would find too long
// or too deep.
func Encode(value any) (string, error) {
	var text strings.Builder
	if err := write(&text, value, 0); err != nil {
		return "", fmt.Errorf("encode rison: %w", err)
	}
	if text.Len() > MaxBytes {
		return "", fmt.Errorf("encode rison: the text has %d bytes, at most %d are allowed", text.Len(), MaxBytes)
	}
	return text.String(), nil
}

func write(text *strings.Builder, value any, depth int) error {
	switch v := value.(type) {
	case nil:
		_, _ = text.WriteString("!n")
	case bool:
		_, _ = text.WriteString("!" + strconv.FormatBool(v)[:1])
	case string:
		return writeString(text, v)
	case json.Number:
		return writeNumber(text, string(v))
	case int:
		return writeNumber(text, strconv.Itoa(v))
	case int64:
		return writeNumber(text, strconv.FormatInt(v, 10))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v is not a number of rison", v)
		}
		return writeNumber(text, strconv.FormatFloat(v, 'g', -1, 64))
	case []any:
		return writeArray(text, v, depth+1)
	case map[string]any:
		return writeObject(text, v, depth+1)
	default:
		return fmt.Errorf("a value is a %T", value)
	}
	return nil
}

var errTooDeep = fmt.Errorf("arrays and objects are nested more than %d deep", MaxDepth)

func writeArray(text *strings.Builder, list []any, depth int) error {
	if depth > MaxDepth {
		return errTooDeep
	}
	_, _ = text.WriteString("!(")
	for i, value := range list {
		if i > 0 {
			_ = text.WriteByte(',')
		}
		if err := write(text, value, depth); err != nil {
			return err
		}
	}
	_ = text.WriteByte(')')
	return nil
}

func writeObject(text *strings.Builder, members map[string]any, depth int) error {
	if depth > MaxDepth {
		return errTooDeep
	}
	_ = text.WriteByte('(')
	for i, key := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			_ = text.WriteByte(',')
		}
		if err := writeString(text, key); err != nil {
			return err
		}
		_ = text.WriteByte(':')
		if err := write(text, members[key], depth); err != nil {
			return err
		}
	}
	_ = text.WriteByte(')')
	return nil
}

var quoting = strings.NewReplacer("!", "!!", "'", "!'")

func writeString(text *strings.Builder, s string) error {
	switch {
	case !utf8.ValidString(s):
		return errors.New("a string is not valid UTF-8")
	case s == "", strings.ContainsAny(s, notInID), strings.IndexByte(notID1, s[0]) >= 0:
		_, _ = text.WriteString("'" + quoting.Replace(s) + "'")
	default:
		_, _ = text.WriteString(s)
	}
	return nil
}

// writeNumber writes JSON's form of a number in that of Rison, which has no plus sign and no capital E.
func writeNumber(text *strings.Builder, number string) error {
	plain := strings.Replace(strings.ToLower(number), "e+", "e", 1)
	if numberLength(plain) != len(plain) || plain == "" {
		return fmt.Errorf("%.60q is not a number", number)
	}
	_, _ = text.WriteString(plain)
	return nil
}
