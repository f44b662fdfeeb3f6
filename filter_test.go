package gtf_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	text := func(column gtf.FilterColumn, op gtf.FilterOp, texts ...string) gtf.Condition {
		return gtf.Condition{Column: column, Op: op, Texts: texts}
	}
	people := func(who ...gtf.Principal) gtf.Condition {
		return gtf.Condition{Column: gtf.FilterCreatedBy, Op: gtf.OpRelated, Who: who}
	}
	now := []time.Time{time.Now()}
	many := strings.Split(strings.Repeat("x ", 101), " ")[:101]
	for name, tt := range map[string]struct {
		c     gtf.Condition
		field string
	}{
		"no column":                           {gtf.Condition{Op: gtf.OpEqual, Texts: []string{"x"}}, "filters"},
		"an unknown column":                   {text("input", gtf.OpEqual, "x"), "filters"},
		"no operator":                         {text(gtf.FilterName, "", "x"), "filters.task_name"},
		"an unknown operator":                 {text(gtf.FilterName, "like", "x"), "filters.task_name"},
		"an operator of texts for a choice":   {text(gtf.FilterStatus, gtf.OpContains, "success"), "filters.status"},
		"an operator of times for a text":     {text(gtf.FilterKey, gtf.OpGreater, "x"), "filters.task_key"},
		"an operator of texts for a time":     {gtf.Condition{Column: gtf.FilterCreated, Op: gtf.OpIn, Times: now}, "filters.created_on"},
		"an operator of texts for people":     {gtf.Condition{Column: gtf.FilterSubscribers, Op: gtf.OpEqual, Who: []gtf.Principal{ada}}, "filters.subscribers"},
		"no value":                            {text(gtf.FilterName, gtf.OpEqual), "filters.task_name"},
		"two values for one":                  {text(gtf.FilterName, gtf.OpContains, "a", "b"), "filters.task_name"},
		"two times":                           {gtf.Condition{Column: gtf.FilterEnded, Op: gtf.OpLess, Times: append(now, now...)}, "filters.ended_at"},
		"too many values":                     {text(gtf.FilterName, gtf.OpIn, many...), "filters.task_name"},
		"a text for a time":                   {text(gtf.FilterStarted, gtf.OpLess, "today"), "filters.started_at"},
		"a time for a text":                   {gtf.Condition{Column: gtf.FilterName, Op: gtf.OpEqual, Times: now}, "filters.task_name"},
		"a text for people":                   {text(gtf.FilterCreatedBy, gtf.OpRelated, "7"), "filters.created_by"},
		"a text beside a time":                {gtf.Condition{Column: gtf.FilterChanged, Op: gtf.OpFrom, Times: now, Texts: []string{"x"}}, "filters.changed_on"},
		"an unknown status":                   {text(gtf.FilterStatus, gtf.OpEqual, "done"), "filters.status"},
		"an unknown scope":                    {text(gtf.FilterScope, gtf.OpIn, "private", "public"), "filters.scope"},
		"a text that is no UUID":              {text(gtf.FilterID, gtf.OpEqual, "7"), "filters.uuid"},
		"one of two that is no UUID":          {text(gtf.FilterID, gtf.OpIn, gtf.NewID().String(), "7"), "filters.uuid"},
		"a text that is not valid UTF-8":      {text(gtf.FilterType, gtf.OpEqual, "\xff"), "filters.task_type"},
		"a text with a NUL character":         {text(gtf.FilterQueue, gtf.OpEqual, "a\x00"), "filters.queue"},
		"a text that is too long":             {text(gtf.FilterKey, gtf.OpStartsWith, strings.Repeat("x", 2000)), "filters.task_key"},
		"a principal of an unknown kind":      {people(gtf.Principal{Kind: "robot", ID: "7"}), "principal.kind"},
		"a principal without an id":           {people(gtf.Principal{}), "principal.kind"},
		"a principal with an id that is long": {people(gtf.Principal{ID: strings.Repeat("x", 129)}), "principal.id"},
		"a principal with a NUL in the id":    {people(ada, gtf.Principal{ID: "\x00"}), "principal.id"},
		"too many people":                     {people(make([]gtf.Principal, 101)...), "filters.created_by"},
	} {
		t.Run(name+" is a validation error (S11.3)", func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, open(t), nil).List(t.Context(), &gtf.ListParams{Where: []gtf.Condition{tt.c}})
			wantProblems(t, err, tt.field)
		})
	}
	t.Run("several are checked together", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, open(t), nil).List(t.Context(), &gtf.ListParams{
			PageSize: 1000, Where: []gtf.Condition{text("input", gtf.OpEqual, "x"), text(gtf.FilterStatus, gtf.OpEqual, "done")},
		})
		wantProblems(t, err, "page_size", "filters", "filters.status")
	})
	t.Run("are not changed, while a user is taken for one where no kind is given", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		schedule(asOne(t.Context(), ada), t, c, privateWork, "a", nil)
		schedule(asOne(t.Context(), guest), t, c, privateWork, "b", nil)
		where := []gtf.Condition{people(gtf.Principal{ID: ada.ID})}
		page := must[*gtf.TaskPage](t)(c.List(t.Context(), &gtf.ListParams{Where: where}))
		if got := keys(page.Tasks); !reflect.DeepEqual(got, []string{"a"}) {
			t.Errorf("created by a user with the id of a guest: %v, want a", got)
		}
		if !reflect.DeepEqual(where, []gtf.Condition{people(gtf.Principal{ID: ada.ID})}) {
			t.Errorf("List changed what it was given: %+v", where)
		}
	})
	t.Run("of every column and operator are taken", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		for _, f := range gtf.Filterables() {
			for _, op := range f.Ops {
				condition := gtf.Condition{Column: f.Column, Op: op}
				switch {
				case f.Kind == gtf.KindTime:
					condition.Times = now
				case f.Kind == gtf.KindPeople:
					condition.Who = []gtf.Principal{ada}
				case f.Column == gtf.FilterID:
					condition.Texts = []string{gtf.NewID().String()}
				case len(f.Values) > 0:
					condition.Texts = f.Values[:1]
				default:
					condition.Texts = []string{"x"}
				}
				if _, err := c.List(t.Context(), &gtf.ListParams{Where: []gtf.Condition{condition}}); err != nil {
					t.Errorf("%s %s: %v", f.Column, op, err)
				}
			}
		}
	})
}

func TestOffset(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]gtf.ListParams{
		"below 0":         {Offset: -1},
		"above 10,000":    {Offset: gtf.MaxCount + 1},
		"beside a cursor": {Offset: 1, Cursor: "any"},
	} {
		t.Run(name+" is a validation error", func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, open(t), nil).List(t.Context(), &p)
			wantProblems(t, err, "offset")
		})
	}
}
