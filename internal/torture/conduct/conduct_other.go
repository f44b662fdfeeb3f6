//go:build !linux

package conduct

import (
	"context"
	"errors"
)

// ErrViolated says that a promise was not kept.
var ErrViolated = errors.New("the torture test has found violations")

// Run needs what only Linux has.
func Run(context.Context, Options) error {
	return errors.New("the torture test stops, resumes and kills processes in ways that only Linux has")
}
