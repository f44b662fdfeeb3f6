package apitest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// checkEvents checks a stream that may have been cut. The document lists the events by name, each with its schema, as
// x-events of the type text/event-stream.
func (d *document) checkEvents(media *openapi3.MediaType, stream []byte) error {
	listed, ok := media.Extensions["x-events"].(map[string]any)
	if !ok {
		return errors.New("the document has no x-events here")
	}
	end := bytes.LastIndex(stream, []byte("\n\n"))
	if end < 0 {
		return nil
	}
	for block := range strings.SplitSeq(string(stream[:end]), "\n\n") {
		if err := d.checkEvent(listed, block); err != nil {
			return fmt.Errorf("in the event %q: %w", block, err)
		}
	}
	return nil
}

func (d *document) checkEvent(listed map[string]any, block string) error {
	name, data := "", ""
	for line := range strings.SplitSeq(block, "\n") {
		switch field, value, _ := strings.Cut(line, ": "); field {
		case "event":
			name = value
		case "data":
			data += value
		case "", "id", "retry":
		default:
			return fmt.Errorf("a line begins with %q", field)
		}
	}
	if name == "" && data == "" {
		return nil // a comment, or a new position
	}
	schema, ok := listed[name].(map[string]any)
	if !ok {
		return errors.New("the document does not know its name")
	}
	ref, _ := schema["$ref"].(string) // missing: no schema is found
	return d.fits(ref, []byte(data))
}
