package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Settings are the values in force: flag before variable before file before default.
type Settings struct {
	table   []Setting
	flags   *pflag.FlagSet
	values  map[string]any
	sources map[string]string
}

// Where a value comes from.
const (
	fromDefault = "default"
	fromFile    = "file"
	fromEnv     = "environment"
	fromFlag    = "flag"
)

func newSettings(extra []Setting) *Settings {
	s := &Settings{table: append(ownSettings(), extra...), values: map[string]any{}, sources: map[string]string{}}
	for i := range s.table {
		setting := &s.table[i]
		v, err := setting.parse(setting.Default)
		if err != nil && setting.Default != "" {
			panic(fmt.Sprintf("cli: default of setting %q: %v", setting.Name, err))
		}
		s.values[setting.Name], s.sources[setting.Name] = v, fromDefault
	}
	return s
}

// Text is the value of a setting of KindText or KindURL.
func (s *Settings) Text(name string) string { return value[string](s, name) }

// Bool is the value of a setting of KindBool.
func (s *Settings) Bool(name string) bool { return value[bool](s, name) }

// Int is the value of a setting of KindInt or KindSize.
func (s *Settings) Int(name string) int { return value[int](s, name) }

func value[T any](s *Settings, name string) T {
	v, ok := s.values[name].(T)
	if !ok {
		panic(fmt.Sprintf("cli: setting %q is a %T", name, s.values[name]))
	}
	return v
}

// list is the value of a setting of KindList.
func (s *Settings) list(name string) []string { return value[[]string](s, name) }

// Given reports whether somebody has set the setting, even to its default.
func (s *Settings) Given(name string) bool { return s.sources[name] != fromDefault }

// Config fills the fields of gtf.Config that are settings.
func (s *Settings) Config() *gtf.Config {
	cfg := &gtf.Config{}
	for i := range s.table {
		setting := &s.table[i]
		if setting.field == nil {
			continue
		}
		assign(setting.field(cfg), s.values[setting.Name])
	}
	return cfg
}

// assign sets a field of gtf.Config.
func assign(field, v any) {
	if f, ok := field.(*inverted); ok {
		on, _ := v.(bool) // a KindBool is never anything else
		*f = inverted(!on)
		return
	}
	reflect.ValueOf(field).Elem().Set(reflect.ValueOf(v))
}

// register makes a flag of each setting, for every command; help shows it where it matters.
func (s *Settings) register(root *cobra.Command) {
	s.flags = root.PersistentFlags()
	for i := range s.table {
		setting := &s.table[i]
		f := s.flags.VarPF(&settingFlag{setting: setting, text: setting.Default}, setting.Flag(), "", strings.TrimSuffix(setting.Usage, "."))
		if setting.Kind == KindBool {
			f.NoOptDefVal = "true"
		}
	}
	help, usage := root.HelpFunc(), root.UsageFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) { s.hide(cmd); help(cmd, args) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { s.hide(cmd); return usage(cmd) })
}

func (s *Settings) hide(cmd *cobra.Command) {
	for i := range s.table {
		s.flags.Lookup(s.table[i].Flag()).Hidden = !s.table[i].shown(cmd.Name())
	}
}

// load puts the layers on top of each other, and names every value that is wrong.
func (s *Settings) load() error {
	environ, err := s.environment()
	if err != nil {
		return err
	}
	flags := s.given()
	path := s.Text("config")
	for _, layer := range []*koanf.Koanf{environ, flags} {
		if layer.Exists("config") {
			path = layer.String("config")
		}
	}
	fromPath, err := s.file(path)
	if err != nil {
		return err
	}
	var bad []error
	for _, layer := range []struct {
		source string
		from   *koanf.Koanf
	}{{fromFile, fromPath}, {fromEnv, environ}, {fromFlag, flags}} {
		for i := range s.table {
			setting := &s.table[i]
			if !layer.from.Exists(setting.Name) {
				continue
			}
			text, err := setting.notation(layer.from.Get(setting.Name))
			var v any
			if err == nil {
				v, err = setting.parse(text)
			}
			if err != nil {
				bad = append(bad, fmt.Errorf("%s: %w", setting.at(layer.source, path), setting.censor(err)))
				continue
			}
			s.values[setting.Name], s.sources[setting.Name] = v, layer.source
		}
	}
	if len(bad) > 0 {
		return &usageError{errors.Join(bad...)}
	}
	return nil
}

// at says where a value was written.
func (s *Setting) at(source, path string) string {
	switch source {
	case fromFile:
		return path + ": " + s.Name
	case fromEnv:
		return s.Env()
	}
	return "--" + s.Flag()
}

func (s *Setting) censor(err error) error {
	if s.Secret {
		return errors.New("the value is not valid")
	}
	return err
}

// environment reads the variables of known settings; other GTF_… variables are left alone, the doctor names them.
func (s *Settings) environment() (*koanf.Koanf, error) {
	k := koanf.New(".")
	known := map[string]string{}
	for i := range s.table {
		known[s.table[i].Env()] = s.table[i].Name
	}
	err := k.Load(env.Provider(".", env.Opt{Prefix: "GTF_", TransformFunc: func(name, v string) (string, any) {
		return known[name], v
	}}), nil)
	if err != nil {
		return nil, usage("read the environment: %w", err)
	}
	return k, nil
}

// strangers are GTF_… variables that are no settings: most likely misspelt.
func (s *Settings) strangers() []string {
	var names []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		known := slices.ContainsFunc(s.table, func(t Setting) bool { return t.Env() == name })
		if strings.HasPrefix(name, "GTF_") && !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// file reads the configuration file, in which every key must be a setting.
func (s *Settings) file(path string) (*koanf.Koanf, error) {
	k := koanf.New(".")
	if path == "" {
		return k, nil
	}
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return nil, usage("read the configuration file: %w", err)
	}
	var bad []error
	for _, key := range k.Keys() {
		known := slices.ContainsFunc(s.table, func(t Setting) bool {
			return t.Name == key || t.Kind == KindQueues && strings.HasPrefix(key, t.Name+".")
		})
		if !known || key == "config" {
			bad = append(bad, fmt.Errorf("%s: %q is not a setting", path, key))
		}
	}
	if len(bad) > 0 {
		return nil, &usageError{errors.Join(bad...)}
	}
	return k, nil
}

// given reads the flags that were written.
func (s *Settings) given() *koanf.Koanf {
	k := koanf.New(".")
	for i := range s.table {
		if f := s.flags.Lookup(s.table[i].Flag()); f.Changed {
			_ = k.Set(s.table[i].Name, f.Value.String()) // fails only on keys that cannot be nested
		}
	}
	return k
}

// notation writes a value of the file as a flag would have it.
func (s *Setting) notation(v any) (string, error) {
	switch v := v.(type) {
	case map[string]any: // queues
		parts := make([]string, 0, len(v))
		for name, slots := range v {
			parts = append(parts, fmt.Sprintf("%s=%v", name, slots))
		}
		slices.Sort(parts)
		return strings.Join(parts, ","), nil
	case []any:
		switch s.Kind {
		case KindList:
			return formatList(texts(v)), nil
		case KindTokens:
			return tokensNotation(v)
		}
		return "", errors.New("it must not be a list")
	case nil:
		return "", nil
	}
	return fmt.Sprint(v), nil
}

func texts(list []any) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = fmt.Sprint(v)
	}
	return all
}

// tokensNotation writes the list of auth.tokens as auth.ParseTokens has it.
func tokensNotation(list []any) (string, error) {
	entries := texts(list)
	keys := []string{"id", "role", "sha256", "name", "email"}
	for i, each := range list {
		object, ok := each.(map[string]any)
		if !ok {
			continue // written as a text
		}
		parts := make([]string, len(keys))
		for key, v := range object {
			at := slices.Index(keys, key)
			if at < 0 {
				return "", fmt.Errorf("token %d: %q is not one of %s", i+1, key, strings.Join(keys, ", "))
			}
			if v != nil {
				parts[at] = strings.ReplaceAll(url.QueryEscape(fmt.Sprint(v)), "+", "%20")
			}
		}
		entries[i] = strings.Join(parts, ":")
	}
	return strings.Join(entries, ","), nil
}

// settingFlag is a flag that keeps its text; parsing tells of mistakes at once.
type settingFlag struct {
	setting *Setting
	text    string
}

func (f *settingFlag) String() string { return f.text }

// Set implements pflag.Value.
func (f *settingFlag) Set(text string) error {
	f.text = text
	if f.setting.Secret {
		return nil // the flag package would show the value; load refuses it without
	}
	_, err := f.setting.parse(text)
	return err
}

// Type implements pflag.Value: what help shows behind the flag.
func (f *settingFlag) Type() string {
	if f.setting.Kind == KindText {
		return "string"
	}
	return string(f.setting.Kind)
}
