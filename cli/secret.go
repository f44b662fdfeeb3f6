package cli

import (
	"os"
	"strings"
)

// withFiles adds to each secret a setting that names a file with it, as containers get theirs.
func withFiles(table []Setting) []Setting {
	var all []Setting
	for _, s := range table {
		all = append(all, s)
		if s.Secret {
			all = append(all, Setting{Name: s.Name + "_file", Commands: s.Commands, Usage: "a file with " + s.Name + " in it."})
		}
	}
	return all
}

// secret is a setting of its own or what its file holds, without the end of the line; empty if neither is given.
func (c *Console) secret(name string) (string, error) {
	text, path := c.Settings.Text(name), c.Settings.Text(name+"_file")
	switch {
	case path == "":
		return text, nil
	case text != "":
		return "", usage("%s and %s_file are both given", name, name)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", usage("%s_file: %w", name, err)
	}
	if text = strings.TrimRight(string(raw), "\r\n"); text == "" {
		return "", usage("%s_file: %s is empty", name, path)
	}
	return text, nil
}
