// Package rison reads and writes Rison, the form of JSON that stays legible in a URL.
//
// It has objects (a:1,b:two), arrays !(1,two), the constants !t, !f and !n, numbers without a plus sign, and strings, which
// need quotes only if they look like something else: 'it!'s 5' is it's 5. The forms without the outer brackets (O-Rison and
// A-Rison) are not part of it.
package rison

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a text, which comes from strangers.
const (
	MaxBytes = 64 << 10 // before it is put into a URL
	MaxDepth = 32       // arrays and objects within each other
)

// Error says where a text is not Rison.
type Error struct {
	Position int // of the character, counted from 1
	Reason   string
}

func (e *Error) Error() string { return fmt.Sprintf("character %d: %s", e.Position, e.Reason) }

// Decode reads a text that is already free of URL escapes. The value is nil, a bool, a [json.Number] exactly as written, a
// string, a []any or a map[string]any. What is no Rison, too long or too deep is an [*Error].
func Decode(text string) (any, error) {
	p := parser{text: text}
	if len(text) > MaxBytes {
		return nil, &Error{1, fmt.Sprintf("the text has %d bytes, at most %d are allowed", len(text), MaxBytes)}
	}
	if bad := firstInvalid(text); bad < len(text) {
		return nil, p.wrong(bad, "the text is not valid UTF-8")
	}
	value, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.at < len(text) {
		return nil, p.unexpected("the end")
	}
	return value, nil
}

func firstInvalid(text string) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// What a bare string may not hold, and what it may not begin with besides.
const (
	notInID = " '!:(),*@$"
	notID1  = "-0123456789"
	digits  = "0123456789"
)

type parser struct {
	text string
	at   int // bytes read
}

func (p *parser) value(depth int) (any, error) {
	if p.at == len(p.text) {
		return nil, p.unexpected("a value")
	}
	switch c := p.text[p.at]; {
	case c == '(':
		return p.object(depth + 1)
	case c == '!':
		return p.bang(depth)
	case c == '\'':
		return p.quoted()
	case strings.IndexByte(notID1, c) >= 0:
		return p.number()
	case strings.IndexByte(notInID, c) >= 0:
		return nil, p.unexpected("a value")
	}
	return p.bare(), nil
}

// bang reads what begins with an exclamation mark: a constant or an array.
func (p *parser) bang(depth int) (any, error) {
	start := p.at
	p.at++
	if p.at < len(p.text) {
		p.at++
		switch p.text[p.at-1] {
		case 't':
			return true, nil
		case 'f':
			return false, nil
		case 'n':
			return nil, nil
		case '(':
			return p.array(start, depth+1)
		}
	}
	return nil, p.wrong(start, "an exclamation mark is followed by t, f, n or (, or stands in a quoted string")
}

func (p *parser) array(start, depth int) (any, error) {
	list := []any{}
	if depth > MaxDepth {
		return nil, p.tooDeep(start)
	}
	if p.take(')') {
		return list, nil
	}
	for {
		value, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		if p.take(')') {
			return list, nil
		}
		if !p.take(',') {
			return nil, p.unexpected("a comma or a closing bracket")
		}
	}
}

func (p *parser) object(depth int) (any, error) {
	start := p.at
	p.at++
	members := map[string]any{}
	if depth > MaxDepth {
		return nil, p.tooDeep(start)
	}
	if p.take(')') {
		return members, nil
	}
	for {
		keyAt := p.at
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		if _, twice := members[key]; twice {
			return nil, p.wrong(keyAt, fmt.Sprintf("the key %.60q is given twice", key))
		}
		if !p.take(':') {
			return nil, p.unexpected("a colon")
		}
		if members[key], err = p.value(depth); err != nil {
			return nil, err
		}
		if p.take(')') {
			return members, nil
		}
		if !p.take(',') {
			return nil, p.unexpected("a comma or a closing bracket")
		}
	}
}

func (p *parser) key() (string, error) {
	switch {
	case p.at == len(p.text), strings.IndexByte(notID1+notInID, p.text[p.at]) >= 0 && p.text[p.at] != '\'':
		return "", p.unexpected("a key")
	case p.text[p.at] == '\'':
		return p.quoted()
	}
	return p.bare(), nil
}

// quoted reads a string in quotes, in which !! and !' stand for ! and '.
func (p *parser) quoted() (string, error) {
	start := p.at
	var text strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '\'':
			p.at++
			return text.String(), nil
		case '!':
			p.at++
			if p.at == len(p.text) || p.text[p.at] != '!' && p.text[p.at] != '\'' {
				return "", p.wrong(p.at-1, "in a quoted string, an exclamation mark is followed by another or by a quote")
			}
			_ = text.WriteByte(p.text[p.at])
		default:
			_ = text.WriteByte(c)
		}
	}
	return "", p.wrong(start, "the quoted string does not end")
}

func (p *parser) bare() string {
	rest := p.text[p.at:]
	if end := strings.IndexAny(rest, notInID); end >= 0 {
		rest = rest[:end]
	}
	p.at += len(rest)
	return rest
}

func (p *parser) number() (any, error) {
	start := p.at
	p.at += numberLength(p.text[start:])
	if p.at == start || p.at < len(p.text) && strings.IndexByte(notInID, p.text[p.at]) < 0 {
		return nil, p.wrong(start, "what begins like a number is none; a string that does is quoted")
	}
	return json.Number(p.text[start:p.at]), nil
}

// numberLength is how many bytes of a text are its longest number; 0 if it does not begin with one.
func numberLength(text string) int {
	run := func(at int) int { // behind the digits that begin at an index
		for at < len(text) && strings.IndexByte(digits, text[at]) >= 0 {
			at++
		}
		return at
	}
	whole := 0
	if strings.HasPrefix(text, "-") {
		whole = 1
	}
	end := run(whole)
	if end == whole {
		return 0
	}
	if text[whole] == '0' {
		end = whole + 1 // as in JSON, no other digit follows
	}
	if end < len(text) && text[end] == '.' && run(end+1) > end+1 {
		end = run(end + 1)
	}
	if end < len(text) && text[end] == 'e' {
		exponent := end + 1
		if strings.HasPrefix(text[exponent:], "-") {
			exponent++
		}
		if run(exponent) > exponent {
			end = run(exponent)
		}
	}
	return end
}

func (p *parser) take(c byte) bool {
	if p.at == len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) unexpected(wanted string) error {
	if p.at == len(p.text) {
		return p.wrong(p.at, "the text ends where "+wanted+" is expected")
	}
	found, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return p.wrong(p.at, fmt.Sprintf("%q stands where %s is expected", found, wanted))
}

func (p *parser) tooDeep(at int) error {
	return p.wrong(at, fmt.Sprintf("arrays and objects are nested more than %d deep", MaxDepth))
}

func (p *parser) wrong(at int, reason string) error {
	return &Error{utf8.RuneCountInString(p.text[:at]) + 1, reason}
}
