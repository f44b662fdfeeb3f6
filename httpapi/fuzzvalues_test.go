package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/rison"
)

// junk is what people, scanners and broken programs send.
var junk = []string{
	"", " ", "0", "-1", "1", "1.5", "1e309", "NaN", "null", "true", "false", "'", `"`, "%", "%00", "\x00", "\xff\xfe", "😀", "a,b", ",", "_%\\",
	"../..", "<script>alert(1)</script>", "' OR 1=1 --", "9223372036854775808", "-9223372036854775809", "0001-01-01T00:00:00Z",
	"9999-12-31T23:59:59Z", "2026-03-01", "()", "!(", "!n", "(", "line\nbreak", "me", "guest:", "user:user:7",
	strings.Repeat("a", 257), strings.Repeat("a", 5000), strings.Repeat("(", 5000), strings.Repeat("é", 256),
}

func pick[T any](f *apiFuzzer, from []T) T { return from[f.random.IntN(len(from))] }

func (f *apiFuzzer) chance(percent int) bool { return f.random.IntN(100) < percent }

// uuid is mostly that of a task that the caller sees, and that can do what is asked.
func (f *apiFuzzer) uuid(o *fuzzOperation, token string) string {
	task := pick(f, f.tasks)
	v := f.viewer(token)
	for range 50 {
		if (v == nil || v.Sees(task.Task)) && (o.method == "GET" || task.Status.Active()) || f.chance(4) {
			break
		}
		task = pick(f, f.tasks)
	}
	id := task.ID.String()
	switch f.random.IntN(20) {
	case 0:
		return gtf.NewID().String()
	case 1:
		return strings.ToUpper(id)
	case 2:
		return strings.ReplaceAll(id, "-", "")
	case 3:
		return f.mutate(id, "0-g/")
	case 4:
		return pick(f, junk)
	}
	return id
}

// value is one of a parameter, mostly a good one.
func (f *apiFuzzer) value(p fuzzParameter) string {
	if f.chance(6) {
		return pick(f, junk)
	}
	var text string
	switch p.Name {
	case "q":
		text = f.rison()
		if f.chance(20) {
			text = f.mutate(text, " '!:(),*@$tfn019-.e%a\x00\xff")
		}
	case "status":
		text = string(pick(f, gtf.Statuses()))
	case "scope":
		text = string(pick(f, gtf.Scopes()))
	case "task_type":
		text = pick(f, f.tasks).Type
	case "queue":
		text = pick(f, []string{runningQueue, "nobody", "none"})
	case "created_by", "subscriber":
		text = f.person()
	case "text":
		text = f.text()
	case "created_after", "created_before":
		text = f.instant()
	case "filter":
		column, op, values := f.filter()
		text = column + ":" + op + ":" + strings.Join(values, ",")
	case "sort":
		text = pick(f, []string{"", "-"}) + string(pick(f, gtf.OrderColumns()))
	case "cursor", "Last-Event-ID":
		text = pick(f, append([]string{"end"}, f.held...))
		if f.chance(10) {
			text = f.mutate(text, "A0-_=.")
		}
	case "If-None-Match":
		text = pick(f, append([]string{"*"}, f.tags...))
	case "client", "tab_id":
		text = pick(f, []string{"tab-1", "tab-2"})
	default:
		return f.plainValue(p)
	}
	return text
}

// plainValue goes by the type that the document says.
func (f *apiFuzzer) plainValue(p fuzzParameter) string {
	switch fmt.Sprint(p.Schema.Type) {
	case "integer":
		most := 10
		if p.Schema.Maximum != nil && f.chance(20) {
			most = *p.Schema.Maximum
		}
		return fmt.Sprint(f.random.IntN(most+1) + pick(f, []int{0, 0, 0, 0, 1, -1}))
	case "boolean":
		return pick(f, []string{"true", "false", "1"})
	}
	return pick(f, junk)
}

func (f *apiFuzzer) person() string {
	return pick(f, []string{"me", "7", "8", "9", "1", "user:7", "guest:7", "guest:8", "nobody"})
}

// text is a part of what can be searched: sometimes of what the caller may not see.
func (f *apiFuzzer) text() string {
	return pick(f, []string{"name", "key-", "Hopper", "ada", "e", "%", "_", pick(f, f.tasks).mark[:2+f.random.IntN(3)]})
}

func (f *apiFuzzer) instant() string {
	t := pick(f, f.tasks).CreatedAt
	return t.Format(pick(f, []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05.000", "2006-01-02"}))
}

// filter is one that a list can have, but for some mistakes.
func (f *apiFuzzer) filter() (column, op string, values []string) {
	by := pick(f, gtf.Filterables())
	column, op = string(by.Column), string(pick(f, by.Ops))
	for range 1 + max(0, f.random.IntN(6)-3) {
		value := f.text()
		switch {
		case f.chance(3):
			value = pick(f, junk)
		case len(by.Values) > 0:
			value = pick(f, by.Values)
		case by.Kind == gtf.KindTime:
			value = f.instant()
		case by.Kind == gtf.KindPeople:
			value = f.person()
		case by.Column == gtf.FilterID:
			value = pick(f, f.tasks).ID.String()
		case by.Column == gtf.FilterType:
			value = pick(f, f.tasks).Type
		}
		values = append(values, value)
		if op != string(gtf.OpIn) && op != string(gtf.OpRelated) && !f.chance(3) {
			break
		}
	}
	if f.chance(3) {
		op = pick(f, append([]string{"eq", "xx"}, junk...))
	}
	if f.chance(3) {
		column = pick(f, append([]string{"status", "dedup_key"}, junk...))
	}
	return column, op, values
}

// rison is the parameter q.
func (f *apiFuzzer) rison() string {
	if f.chance(5) {
		return strings.Repeat("!(", f.random.IntN(40)) // too deep, or never closed
	}
	q := map[string]any{}
	if f.chance(70) {
		filters := []any{}
		for range f.random.IntN(4) {
			column, op, texts := f.filter()
			var value any = texts[0]
			if op == string(gtf.OpIn) || op == string(gtf.OpRelated) || f.chance(3) {
				list := []any{}
				for _, text := range texts {
					list = append(list, text)
				}
				value = list
			}
			if f.chance(5) {
				value = pick(f, []any{nil, true, json.Number("7"), json.Number("1772366400000"), json.Number("-1"), []any{}, map[string]any{}})
			}
			filters = append(filters, map[string]any{"col": column, "opr": op, "value": value})
		}
		q["filters"] = filters
	}
	for _, member := range []struct {
		name   string
		values []any
	}{
		{"order_column", []any{"status", "created_on", "ended_at", "nothing", 1}}, {"order_direction", []any{"asc", "desc", "up"}},
		{"page", []any{0, 1, 3, -1, 100_000, "1"}}, {"page_size", []any{1, 5, 25, 100, 0, 101, nil}}, {"columns", []any{[]any{"id"}}},
		{"filter", []any{"ada", "fuzz", 7}}, {"keys", []any{[]any{"none"}}},
	} {
		if f.chance(15) {
			q[member.name] = pick(f, member.values[:1+f.random.IntN(len(member.values))])
		}
	}
	text, err := rison.Encode(q)
	if err != nil {
		return "(" + err.Error() // a text in it is no text
	}
	return text
}

// body is what is sent with a request.
func (f *apiFuzzer) body(o *fuzzOperation) string {
	if o.Body == nil {
		if f.chance(97) {
			return ""
		}
		return pick(f, append([]string{strings.Repeat("a", 70<<10)}, junk...))
	}
	if f.chance(10) {
		return pick(f, append([]string{"[]", "{", `{"force":}`, `{"force":1}`, `{"client":["a"]}`, "{}{}", strings.Repeat("[", 20_000),
			`{"expect":"` + strings.Repeat("a", 70<<10) + `"}`}, junk...))
	}
	members := map[string]any{}
	for _, member := range []struct {
		name   string
		values []any
	}{
		{"force", []any{true, false, nil, "true"}}, {"expect", []any{"abort", "unsubscribe", "detach", "", nil, "delete", 1}},
		{"client", []any{"tab-1", "tab-2", "a b", nil, 1}}, {"tab_id", []any{"tab-1", "tab-2"}}, {"more", []any{1}},
	} {
		if f.chance(25) {
			members[member.name] = pick(f, member.values)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		f.t.Fatal(err)
	}
	if f.chance(5) {
		return f.mutate(string(text), `{}[]":,0\`+"\x00")
	}
	return string(text)
}

// mutate changes some bytes of a text: one is left out, put in, doubled or replaced, or the rest is cut off.
func (f *apiFuzzer) mutate(text, with string) string {
	for range 1 + f.random.IntN(3) {
		at := f.random.IntN(len(text) + 1)
		before, after := text[:at], text[at:]
		one := string(with[f.random.IntN(len(with))])
		switch f.random.IntN(5) {
		case 0:
			text = before + one + after
		case 1:
			text = before + after[min(1, len(after)):]
		case 2:
			text = before + one + after[min(1, len(after)):]
		case 3:
			text = before + after[:min(1, len(after))] + after
		default:
			if f.chance(20) {
				text = before
			}
		}
	}
	return text
}
