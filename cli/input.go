package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/globaltask/gtf"
)

// input reads what --input says: JSON, @file, or - for standard input. Nothing is the empty object.
func (c *Console) input(text string) (json.RawMessage, error) {
	raw := []byte(text)
	var err error
	where := "--input"
	switch path, isFile := strings.CutPrefix(text, "@"); {
	case text == "":
		raw = []byte("{}")
	case text == "-":
		where = "standard input"
		raw, err = io.ReadAll(c.In)
	case isFile:
		where = path
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usage("read the input: %w", err)
	}
	if !json.Valid(raw) {
		var v any
		err := json.Unmarshal(raw, &v)
		return nil, usage("%s is not JSON: %w", where, err)
	}
	return raw, nil
}

// taskID reads an id. What is no id is a task that does not exist (S7).
func taskID(text string) (gtf.ID, error) {
	id, err := gtf.ParseID(text)
	if err != nil {
		return id, fmt.Errorf("%w: %w", gtf.ErrNotFound, err)
	}
	return id, nil
}
