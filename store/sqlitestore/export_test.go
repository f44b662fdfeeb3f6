package sqlitestore

import "github.com/globaltask/gtf"

// ListStatement is what List sends for a page, with its arguments.
func ListStatement(p *gtf.ListParams, v gtf.Viewer) (string, []any, error) {
	l, err := newList(p, v)
	if err != nil {
		return "", nil, err
	}
	return l.statement(), l.arguments, nil
}
