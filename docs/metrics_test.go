package docs_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/observer/prom"
)

// described lists what a collector may have, by name, with the labels.
func described(c prometheus.Collector) map[string][]string {
	found := map[string][]string{}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		c.Describe(descs)
	}()
	about := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([\w,]*)\}`)
	for desc := range descs {
		m := about.FindStringSubmatch(desc.String())
		found[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
	}
	return found
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	text := all["docs/how-to/metrics.md"]
	explained := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(gtf_\\w+)(?:\\{([a-z_,]+)\\})?` \\| (?:counter|gauge|histogram) \\|").FindAllStringSubmatch(text, -1) {
		explained[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
	}
	metrics := described(prom.New(&prom.Options{
		Backlog: func(context.Context) ([]gtf.Backlog, error) { return nil, nil },
		Workers: func(context.Context) ([]gtf.Worker, error) { return nil, nil },
	}))
	ofServe := map[string]bool{}
	for _, m := range regexp.MustCompile(`Name: "(gtf_\w+)"`).FindAllStringSubmatch(read(t, "cli/metrics.go"), -1) {
		ofServe[m[1]] = true
	}

	t.Run("are explained with their labels", func(t *testing.T) {
		t.Parallel()
		if len(metrics) < 20 || len(ofServe) == 0 {
			t.Fatalf("there are only %d metrics, and %d of serve", len(metrics), len(ofServe))
		}
		for name, labels := range metrics {
			if got, ok := explained[name]; !ok || !slices.Equal(got, labels) {
				t.Errorf("docs/how-to/metrics.md has %s with the labels %q (at all: %v), want %q", name, got, ok, labels)
			}
		}
		for name := range ofServe {
			if _, ok := explained[name]; !ok {
				t.Errorf("docs/how-to/metrics.md does not have %s", name)
			}
		}
	})

	t.Run("exist if they are named", func(t *testing.T) {
		t.Parallel()
		for _, name := range regexp.MustCompile(`\bgtf_\w+`).FindAllString(text, -1) {
			bare := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			if _, ok := metrics[bare]; !ok && !ofServe[bare] {
				t.Errorf("docs/how-to/metrics.md names %s, and nothing has it", name)
			}
		}
	})

	t.Run("have alert rules that are YAML", func(t *testing.T) {
		t.Parallel()
		rules := 0
		for _, b := range blocks(text, "yaml") {
			groups, _ := at[[]any](parseYAML(t, b.text), "groups")
			for _, g := range groups {
				group, _ := g.(map[string]any)
				list, _ := at[[]any](group, "rules")
				for _, r := range list {
					rule, _ := r.(map[string]any)
					expr, _ := at[string](rule, "expr")
					summary, _ := at[string](rule, "annotations", "summary")
					if !strings.Contains(expr, "gtf_") || summary == "" {
						t.Errorf("a rule is incomplete: %v", rule)
					}
					rules++
				}
			}
		}
		if rules < 5 {
			t.Errorf("there are only %d rules", rules)
		}
	})
}
