package tasks

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/globaltask/gtf"
)

// rowFormat writes rows. Its values are what database/sql scans into an any: nil, bool, int64, float64, string, []byte,
// time.Time.
type rowFormat interface {
	row(values []any) error
	end() error
}

// formats begin to write rows with these columns.
var formats = map[string]func(*bufio.Writer, []*sql.ColumnType) (rowFormat, error){
	"csv":   newCSV,
	"jsonl": newJSONL,
}

// csvFormat has a header line. NULL and the empty text look the same, bytes are base64, times RFC 3339.
type csvFormat struct {
	buffer *bufio.Writer
	w      *csv.Writer
	types  []string
	fields []string
}

func newCSV(w *bufio.Writer, columns []*sql.ColumnType) (rowFormat, error) {
	f := &csvFormat{buffer: w, w: csv.NewWriter(w), fields: make([]string, len(columns))}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name()
		f.types = append(f.types, c.DatabaseTypeName())
	}
	return f, f.w.Write(names)
}

func (f *csvFormat) row(values []any) error {
	for i, v := range values {
		f.fields[i] = textOf(v, f.types[i])
	}
	if len(f.fields) == 1 && f.fields[0] == "" { // an empty line is no row for those who read it
		f.w.Flush()
		_, err := f.buffer.WriteString("\"\"\n")
		return err
	}
	return f.w.Write(f.fields)
}

func (f *csvFormat) end() error {
	f.w.Flush()
	return f.w.Error()
}

func textOf(v any, databaseType string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		if isJSON(databaseType) {
			return string(v)
		}
		return base64.StdEncoding.EncodeToString(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return timeText(v, databaseType)
	}
	return fmt.Sprint(v)
}

// timeText is RFC 3339, of a date only the day.
func timeText(t time.Time, databaseType string) string {
	if databaseType == "DATE" && t.Equal(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())) {
		return t.Format(time.DateOnly)
	}
	if t.Location() == time.Local { // of a TIMESTAMPTZ; the time zone of the worker means nothing
		t = t.UTC()
	}
	return t.Format(time.RFC3339Nano)
}

func isJSON(databaseType string) bool { return databaseType == "JSON" || databaseType == "JSONB" }

// jsonlFormat writes an object per line, its fields in the order of the columns. Bytes are base64, times RFC 3339; JSON
// columns and exact numbers stay what they are; NaN and infinities, which JSON does not have, become text.
type jsonlFormat struct {
	w     *bufio.Writer
	keys  []string // with quotes and colon
	types []string
	value bytes.Buffer
	enc   *json.Encoder // into value
}

func newJSONL(w *bufio.Writer, columns []*sql.ColumnType) (rowFormat, error) {
	f := &jsonlFormat{w: w}
	f.enc = json.NewEncoder(&f.value)
	f.enc.SetEscapeHTML(false)
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c.Name()] {
			return nil, gtf.NoRetry(fmt.Errorf("query: two columns are named %q: JSON needs different names (AS)", c.Name()))
		}
		seen[c.Name()] = true
		key, err := f.encode(c.Name())
		if err != nil {
			return nil, err
		}
		f.keys = append(f.keys, string(key)+":")
		f.types = append(f.types, c.DatabaseTypeName())
	}
	return f, nil
}

func (f *jsonlFormat) row(values []any) error {
	f.w.WriteByte('{') // an error of a bufio.Writer stays until the last call
	for i, v := range values {
		if i > 0 {
			f.w.WriteByte(',')
		}
		f.w.WriteString(f.keys[i])
		text, err := f.encode(jsonOf(v, f.types[i]))
		if err != nil {
			return err
		}
		f.w.Write(text)
	}
	_, err := f.w.WriteString("}\n")
	return err
}

func (f *jsonlFormat) end() error { return nil }

// encode is valid until the next call.
func (f *jsonlFormat) encode(v any) ([]byte, error) {
	f.value.Reset()
	err := f.enc.Encode(v)
	return bytes.TrimSuffix(f.value.Bytes(), []byte("\n")), err
}

func jsonOf(v any, databaseType string) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case time.Time:
		return timeText(v, databaseType)
	case []byte:
		if isJSON(databaseType) && json.Valid(v) {
			return json.RawMessage(v)
		}
	case string:
		if isJSON(databaseType) && json.Valid([]byte(v)) {
			return json.RawMessage(v)
		}
		if databaseType == "NUMERIC" && isNumber(v) { // PostgreSQL's come as text, to stay exact
			return json.Number(v)
		}
	}
	return v
}

// isNumber is false for NaN, which a NUMERIC may be too.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || '0' <= s[0] && s[0] <= '9') && json.Valid([]byte(s))
}
