package web

import "regexp"

var base = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// IsBase reports whether a handler can be mounted under a path: empty, or like /gtf.
func IsBase(path string) bool { return base.MatchString(path) }
