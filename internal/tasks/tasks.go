// Package tasks holds the task types of the binary. Each does real work on real input and is an example of good task code:
//
//   - it stops soon after its context has ended, or says in one place what stops it;
//   - it reports progress without caring how often;
//   - what it writes appears whole or not at all;
//   - it counts and names what it could not do, instead of hiding it or giving up;
//   - its output and errors are what a person wants to know, without secrets.
//
// Paths are those of the machine that runs the task. They have to be absolute: who submits a task does not know the
// working directory of the worker.
package tasks

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/globaltask/gtf"
)

// Options says which types a process offers.
type Options struct {
	// AllowExec offers exec.command, which runs any program with the rights of the worker. Default false.
	AllowExec bool
}

// Handlers returns the types with their functions, for gtf.Config.
func Handlers(o Options) []gtf.Handler {
	handlers := []gtf.Handler{
		Checksum.Handler(checksum),
		StepsPrivate.Handler(steps),
		StepsShared.Handler(steps),
		StepsSystem.Handler(steps),
		Thumbnails.Handler(thumbnails),
		Export.Handler(export),
	}
	if o.AllowExec {
		handlers = append(handlers, Command.Handler(command))
	}
	return handlers
}

// problems collects what is wrong with an input. The same input is wrong every time, so the error is never retried.
type problems []gtf.Problem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, gtf.Problem{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// absolute wants a path that means the same in every process.
func (p *problems) absolute(field, path string) {
	if !filepath.IsAbs(path) {
		p.add(field, "is %.100q, must be an absolute path", path)
	}
}

// between wants a number within limits that are part of the range.
func (p *problems) between(least, most int, field string, n int) {
	if n < least || n > most {
		p.add(field, "is %d, must be %d to %d", n, least, most)
	}
}

const aDay = 24 * 60 * 60 * 1000 // milliseconds

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return gtf.NoRetry(&gtf.ValidationError{Problems: p})
}

// Keys and names have at most 256 characters.
const (
	maxKey  = 256
	maxName = 256
)

// keyOf is the parts as one key that no other parts have. Long ones are replaced by their hash: a key may not be cut.
func keyOf(parts ...any) string {
	quoted := make([]string, len(parts))
	for i, part := range parts {
		quoted[i] = fmt.Sprintf("%q", fmt.Sprint(part))
	}
	key := strings.Join(quoted, " ")
	if utf8.RuneCountInString(key) > maxKey {
		return fmt.Sprintf("sha256 %x", sha256.Sum256([]byte(key)))
	}
	return key
}

// nameOf cuts a name in the middle of its subject: both ends of a path tell more than its start.
func nameOf(verb, subject string) string {
	subject = printable(subject)
	room := maxName - utf8.RuneCountInString(verb) - len(" … ")
	if runes := []rune(subject); len(runes) > room {
		subject = string(runes[:room/2]) + "…" + string(runes[len(runes)-room/2:])
	}
	return verb + " " + subject
}

// printable makes any bytes text that a task may store: file names and the output of programs need not be UTF-8.
func printable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// sample keeps the first few names of a count.
type sample []string

func (s *sample) add(name string) {
	if len(*s) < 10 {
		*s = append(*s, printable(name))
	}
}
