package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

func TestLifeOfATask(t *testing.T) {
	t.Parallel()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	text := all["docs/life-of-a-task.md"]

	t.Run("has the table that the code has", func(t *testing.T) {
		t.Parallel()
		var want strings.Builder
		for _, from := range gtf.Statuses() {
			var next []string
			for _, to := range gtf.Statuses() {
				if from.CanBecome(to) {
					next = append(next, "`"+string(to)+"`")
				}
			}
			if len(next) == 0 {
				next = []string{"–"}
			}
			want.WriteString("| `" + string(from) + "` | " + strings.Join(next, ", ") + " |\n")
		}
		if _, table, _ := strings.Cut(text, "| status | may become |\n| --- | --- |\n"); !strings.HasPrefix(table, want.String()) {
			t.Errorf("the table is not\n%s", want.String())
		}
	})

	t.Run("draws the steps that the code allows", func(t *testing.T) {
		t.Parallel()
		diagrams := blocks(text, "mermaid")
		if len(diagrams) != 1 {
			t.Fatalf("there are %d diagrams", len(diagrams))
		}
		var drawn, want []string
		for _, m := range regexp.MustCompile(`(?m)^ {4}([a-z_]+) --> ([a-z_]+)`).FindAllStringSubmatch(diagrams[0].text, -1) {
			drawn = append(drawn, m[1]+" "+m[2])
		}
		for _, from := range gtf.Statuses() {
			for _, to := range gtf.Statuses() {
				if from.CanBecome(to) {
					want = append(want, string(from)+" "+string(to))
				}
			}
			if end := string(from) + " --> [*]"; strings.Contains(diagrams[0].text, end) != from.Terminal() {
				t.Errorf("%s is drawn as an end: %t, want %t", from, !from.Terminal(), from.Terminal())
			}
		}
		slices.Sort(drawn)
		slices.Sort(want)
		if !slices.Equal(drawn, want) {
			t.Errorf("drawn are\n%q\nwant\n%q", drawn, want)
		}
	})
}
