package rison_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf/httpapi/internal/rison"
)

type (
	object = map[string]any
	array  = []any
	number = json.Number
)

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		want any
	}{
		{"true", "!t", true},
		{"false", "!f", false},
		{"null", "!n", nil},
		{"zero", "0", number("0")},
		{"an integer", "42", number("42")},
		{"a negative integer", "-3", number("-3")},
		{"an integer beyond 64 bits", "123456789012345678901", number("123456789012345678901")},
		{"a decimal", "1.50", number("1.50")},
		{"an exponent", "1e30", number("1e30")},
		{"a negative exponent", "-1.5e-30", number("-1.5e-30")},
		{"a letter", "a", "a"},
		{"a bare string with what a number may hold", "a-0.1e", "a-0.1e"},
		{"a bare string with marks", "G./~%;?&=+_", "G./~%;?&=+_"},
		{"a bare string that begins with a dot", ".5", ".5"},
		{"a bare string beyond ASCII", "größe", "größe"},
		{"a bare word of JSON", "true", "true"},
		{"an empty string", "''", ""},
		{"a quoted digit", "'0a'", "0a"},
		{"a quoted dash", "'-h'", "-h"},
		{"quoted blanks", "'abc def'", "abc def"},
		{"quoted structure", "'(a:!!(b,*@$\"))'", "(a:!(b,*@$\"))"},
		{"an escaped quote", "'can!'t'", "can't"},
		{"an escaped exclamation mark", "'wow!!'", "wow!"},
		{"a control character in quotes", "'\x06'", "\x06"},
		{"an empty object", "()", object{}},
		{"an object", "(a:0,b:foo,c:'23 skidoo')", object{"a": number("0"), "b": "foo", "c": "23 skidoo"}},
		{"a quoted key", "('1':!t,'':!f)", object{"1": true, "": false}},
		{"an empty array", "!()", array{}},
		{"an array", "!(!t,!f,!n,'')", array{true, false, nil, ""}},
		{"things within things", "!((a:!(1,(b:!()))),-2)", array{object{"a": array{number("1"), object{"b": array{}}}}, number("-2")}},
		{"as deep as allowed", strings.Repeat("!(", rison.MaxDepth) + strings.Repeat(")", rison.MaxDepth), nested(rison.MaxDepth)},
		{"as long as allowed", strings.Repeat("a", rison.MaxBytes), strings.Repeat("a", rison.MaxBytes)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := rison.Decode(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Decode(%.60q) = %#v, want %#v", tt.text, got, tt.want)
			}
		})
	}
}

func nested(depth int) any {
	list := array{}
	for range depth - 1 {
		list = array{list}
	}
	return list
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		want string
	}{
		{"nothing", "", "character 1: the text ends where a value is expected"},
		{"a blank", "a b", "character 2: ' ' stands where the end is expected"},
		{"a blank before a value", "( a:1)", "character 2: ' ' stands where a key is expected"},
		{"a second value", "()()", "character 3: '(' stands where the end is expected"},
		{"a star", "(a:*)", "character 4: '*' stands where a value is expected"},
		{"an unknown constant", "(é:!x)", "character 4: an exclamation mark is followed by t, f, n or (, or stands in a quoted string"},
		{"an exclamation mark at the end", "!", "character 1: an exclamation mark is followed"},
		{"a constant and more", "!true", "character 3: 'r' stands where the end is expected"},
		{"a dash alone", "-", "character 1: what begins like a number is none"},
		{"a date without quotes", "(a:2026-01-02)", "character 4: what begins like a number is none"},
		{"a leading zero", "01", "character 1: what begins like"},
		{"a plus in an exponent", "1e+5", "character 1: what begins like"},
		{"a capital exponent", "1E5", "character 1: what begins like"},
		{"a fraction without digits", "1.", "character 1: what begins like"},
		{"an exponent without digits", "!(1e)", "character 3: what begins like"},
		{"a quote that stays open", "(a:'b)", "character 4: the quoted string does not end"},
		{"an escape of something else", "'a!b'", "character 3: in a quoted string, an exclamation mark"},
		{"an escape at the end", "'a!", "character 3: in a quoted string, an exclamation mark"},
		{"an array that stays open", "!(1", "character 4: the text ends where a comma or a closing bracket is expected"},
		{"a comma before the end of an array", "!(1,)", "character 5: ')' stands where a value is expected"},
		{"an array without a value", "!(,1)", "character 3: ',' stands where a value is expected"},
		{"an object that stays open", "(a:1", "character 5: the text ends where a comma"},
		{"a comma before the end of an object", "(a:1,)", "character 6: ')' stands where a key is expected"},
		{"a key alone", "(a)", "character 3: ')' stands where a colon is expected"},
		{"a key without value", "(a:)", "character 4: ')' stands where a value is expected"},
		{"a number as key", "(1:2)", "character 2: '1' stands where a key is expected"},
		{"a key that stays open", "('a", "character 2: the quoted string does not end"},
		{"a key twice", "(a:1,'a':2)", `character 6: the key "a" is given twice`},
		{"bytes that are no text", "(a:é\xff)", "character 5: the text is not valid UTF-8"},
		{"O-Rison", "a:1", "character 2: ':' stands where the end is expected"},
		{"arrays too deep", strings.Repeat("!(", rison.MaxDepth+1), "character 65: arrays and objects are nested more than 32 deep"},
		{"objects too deep", strings.Repeat("(a:", rison.MaxDepth+1), "nested more than 32 deep"},
		{"a text too long", strings.Repeat("a", rison.MaxBytes+1), "the text has 65537 bytes, at most 65536 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			value, err := rison.Decode(tt.text)
			if bad, ok := errors.AsType[*rison.Error](err); !ok || !strings.Contains(bad.Error(), tt.want) {
				t.Errorf("Decode(%.60q) = %#v, %v, want the error %q", tt.text, value, err, tt.want)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"constants", array{true, false, nil}, "!(!t,!f,!n)"},
		{"keys in order", object{"b": 1, "a": "x", "": int64(2)}, "('':2,a:x,b:1)"},
		{"strings that need no quotes", array{"a", "größe", "true", ".5", "a-1", "domain.com"}, "!(a,größe,true,.5,a-1,domain.com)"},
		{"strings that need quotes", array{"", "1", "-h", "a b", "a@b", "it's!"}, "!('','1','-h','a b','a@b','it!'s!!')"},
		{"a number as it was", number("1.50"), "1.50"},
		{"a number of JSON with a plus", number("1E+5"), "1e5"},
		{"large and small", array{1e30, 1e-7, -0.5, float64(1 << 20)}, "!(1e30,1e-07,-0.5,1.048576e06)"},
		{"empty ones", array{array{}, object{}}, "!(!(),())"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := rison.Encode(tt.value); got != tt.want || err != nil {
				t.Errorf("Encode(%#v) = %q, %v, want %q", tt.value, got, err, tt.want)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	deep := object{}
	for range rison.MaxDepth {
		deep = object{"a": deep}
	}
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"another type", array{struct{}{}}, "a value is a struct {}"},
		{"what is no number", number("0x1"), `"0x1" is not a number`},
		{"no digits", number(""), "is not a number"},
		{"infinity", math.Inf(1), "+Inf is not a number"},
		{"bytes that are no text", "\xff", "not valid UTF-8"},
		{"a key that is no text", object{"\xff": 1}, "not valid UTF-8"},
		{"an object too deep", deep, "nested more than 32 deep"},
		{"an array too deep", nested(rison.MaxDepth + 1), "nested more than 32 deep"},
		{"a text too long", strings.Repeat("a", rison.MaxBytes+1), "at most 65536"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := rison.Encode(tt.value); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Encode = %q, %v, want the error %q", got, err, tt.want)
			}
		})
	}
}

func TestEncodeIsReadByDecode(t *testing.T) {
	t.Parallel()
	leaf := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.StringOf(rapid.RuneFrom([]rune(" '!:(),*@$-019etfn"))), func(s string) any { return s }),
		rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?(e-?[0-9]{1,3})?`), func(s string) any { return number(s) }),
	)
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return leaf
		}
		inner := rapid.Deferred(func() *rapid.Generator[any] { return value(depth - 1) })
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(inner, 0, 4), func(list []any) any { return append(array{}, list...) }),
			rapid.Map(rapid.MapOfN(rapid.String(), inner, 0, 4), func(members map[string]any) any { return members }),
		)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := value(4).Draw(t, "value")
		text, err := rison.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rison.Decode(text)
		if err != nil {
			t.Fatalf("Decode(%q): %v", text, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("Decode(%q) = %#v, want %#v", text, got, want)
		}
	})
}

// Whatever is accepted can be written again, and what is written is canonical.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"(filters:!((col:status,opr:in,value:!(pending,success)),(col:task_name,opr:ct,value:'it!'s 5!!')),order_column:created_on,page:0)",
		"!(!t,!f,!n,'',-1.5e-3,a-b)", "('':0)", "''", "-0", "1e", "!", "((((", "(a:1,a:2)", "'\xff'",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := rison.Decode(text)
		if err != nil {
			if bad, ok := errors.AsType[*rison.Error](err); !ok || bad.Position < 1 || bad.Position > len(text)+1 {
				t.Fatalf("Decode(%q): %v, want a position in the text", text, err)
			}
			return
		}
		canonical, err := rison.Encode(value)
		if err != nil {
			t.Fatalf("Encode of Decode(%q): %v", text, err)
		}
		again, err := rison.Decode(canonical)
		if err != nil || !reflect.DeepEqual(again, value) {
			t.Fatalf("Decode(%q) = %#v, but by way of %q it is %#v, %v", text, value, canonical, again, err)
		}
		if twice, err := rison.Encode(again); twice != canonical || err != nil {
			t.Fatalf("Encode gave %q, then %q, %v", canonical, twice, err)
		}
	})
}
