package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/httpapi"
)

// listRequest asks as Ada.
func listRequest(t testing.TB, query string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(gtf.WithPrincipal(t.Context(), ada), http.MethodGet, "/api/v1/task/", http.NoBody)
	r.URL.RawQuery = query
	return r
}

func where(column gtf.FilterColumn, op gtf.FilterOp, texts ...string) gtf.Condition {
	return gtf.Condition{Column: column, Op: op, Texts: texts}
}

func at(column gtf.FilterColumn, op gtf.FilterOp, times ...time.Time) gtf.Condition {
	return gtf.Condition{Column: column, Op: op, Times: times}
}

func who(column gtf.FilterColumn, people ...gtf.Principal) gtf.Condition {
	return gtf.Condition{Column: column, Op: gtf.OpRelated, Who: people}
}

func TestParseList(t *testing.T) {
	t.Parallel()
	one := func(c ...gtf.Condition) gtf.ListParams { return gtf.ListParams{Where: c} }
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	user := func(id string) gtf.Principal { return gtf.Principal{Kind: gtf.KindUser, ID: id} }
	tests := []struct {
		name  string
		query string // not escaped, but for what url.ParseQuery reads otherwise
		want  gtf.ListParams
	}{
		{"nothing", "", gtf.ListParams{}},
		{"empty parameters of a form", "status=&task_type=&text=&sort=&page=&count=&cursor=&filter=", gtf.ListParams{}},

		{"statuses with commas and repeated", "status=pending,aborting&status=success", one(where(gtf.FilterStatus, gtf.OpIn, "pending", "aborting", "success"))},
		{"types, scopes and queues", "task_type=a&scope=shared&queue=q,r", one(where(gtf.FilterQueue, gtf.OpIn, "q", "r"),
			where(gtf.FilterScope, gtf.OpIn, "shared"), where(gtf.FilterType, gtf.OpIn, "a"))},
		{"the caller", "created_by=me", one(who(gtf.FilterCreatedBy, user("7")))},
		{"several people", "subscriber=9&subscriber=guest:7&subscriber=user:guest:7", one(who(gtf.FilterSubscribers, user("9"),
			gtf.Principal{Kind: gtf.KindGuest, ID: "7"}, user("guest:7")))},
		{"a text", "text=a,b", gtf.ListParams{Text: "a,b"}},
		{"a span of time", "created_after=2026-03-01T12:00:00Z&created_before=2026-03-01T14:00:00%2B02:00",
			one(at(gtf.FilterCreated, gtf.OpFrom, noon), at(gtf.FilterCreated, gtf.OpLess, noon))},
		{"times without a zone", "created_after=2026-03-01T12:00:00.000&created_before=2026-03-01 12:00:00",
			one(at(gtf.FilterCreated, gtf.OpFrom, noon), at(gtf.FilterCreated, gtf.OpLess, noon))},
		{"a day", "created_after=2026-03-01", one(at(gtf.FilterCreated, gtf.OpFrom, noon.Add(-12*time.Hour)))},
		{"filters", "filter=task_key:sw:a:b,c&filter=status:in:pending,success&filter=ended_at:lt:2026-03-01T12:00:00Z",
			one(where(gtf.FilterKey, gtf.OpStartsWith, "a:b,c"), where(gtf.FilterStatus, gtf.OpIn, "pending", "success"), at(gtf.FilterEnded, gtf.OpLess, noon))},
		{"a filter by people", "filter=subscribers:rel_o_m:me,guest:1", one(who(gtf.FilterSubscribers, user("7"), gtf.Principal{Kind: gtf.KindGuest, ID: "1"}))},
		{"what only a list can judge", "filter=nothing:xx:1&sort=nothing", gtf.ListParams{Order: "nothing", Where: []gtf.Condition{where("nothing", "xx", "1")}}},
		{"upwards", "sort=ended_at", gtf.ListParams{Order: gtf.OrderEnded}},
		{"downwards", "sort=-ended_at", gtf.ListParams{Order: gtf.OrderEnded, Descending: true}},
		{"a page of the default size", "page=3", gtf.ListParams{Offset: 75}},
		{"the last page there is", "page=100&page_size=100", gtf.ListParams{Offset: 10_000, PageSize: 100}},
		{"a cursor, and no count", "cursor=abc&count=false", gtf.ListParams{Cursor: "abc", NoCount: true}},
		{"a count", "count=true", gtf.ListParams{}},

		{"an empty q", "q=()", gtf.ListParams{}},
		{"what others want to see", "q=(columns:!(a),keys:!(none),select_columns:!(b))", gtf.ListParams{}},
		{"q as a client of the reference writes it", "q=(filters:!((col:status,opr:in,value:!(pending,in_progress)),(col:task_name,opr:ct,value:'it!'s'))," +
			"order_column:created_on,order_direction:desc,page:2,page_size:50)", gtf.ListParams{Order: gtf.OrderCreated, Descending: true, Offset: 100, PageSize: 50,
			Where: []gtf.Condition{where(gtf.FilterStatus, gtf.OpIn, "pending", "in_progress"), where(gtf.FilterName, gtf.OpContains, "it's")}}},
		{"q beside what it has no place for", "q=(page_size:10)&cursor=abc&count=false&text=x", gtf.ListParams{PageSize: 10, Cursor: "abc", NoCount: true, Text: "x"}},
		{"numbers as texts", "q=(filters:!((col:task_key,opr:eq,value:1.50)))", one(where(gtf.FilterKey, gtf.OpEqual, "1.50"))},
		{"people as numbers and texts", "q=(filters:!((col:created_by,opr:rel_o_m,value:7),(col:subscribers,opr:rel_o_m,value:!('guest:7',8,me))))",
			one(who(gtf.FilterCreatedBy, user("7")), who(gtf.FilterSubscribers, gtf.Principal{Kind: gtf.KindGuest, ID: "7"}, user("8"), user("7")))},
		{"times as milliseconds and texts", "q=(filters:!((col:created_on,opr:gt,value:1772366400000.0),(col:started_at,opr:lt,value:'2026-03-01T12:00:00.000')))",
			one(at(gtf.FilterCreated, gtf.OpGreater, noon), at(gtf.FilterStarted, gtf.OpLess, noon))},
		{"an order without a direction", "q=(order_column:status)", gtf.ListParams{Order: gtf.OrderStatus}},
		{"a direction without an order", "q=(order_direction:asc)", gtf.ListParams{Order: gtf.OrderCreated}},
		{"values that are none", "q=(filters:!((col:status,opr:in,value:!())))", one(where(gtf.FilterStatus, gtf.OpIn))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := httpapi.ParseRequest(listRequest(t, tt.query))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, &tt.want) {
				t.Errorf("%s\n got %+v\nwant %+v", tt.query, *got, tt.want)
			}
		})
	}
}

func TestParseListRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		query string
		want  string
	}{
		{"a query that is none", "status=%zz", "query: is malformed"},
		{"an unknown parameter", "stauts=pending", "stauts: is not a parameter of this request"},
		{"an unknown parameter without a value", "offset=", "offset: is not a parameter"},
		{"a parameter twice", "page=1&page=2", "page: is given 2 times"},
		{"filters beside q", "q=()&status=pending", "status: is given beside q"},
		{"an order beside q", "q=()&sort=status", "sort: is given beside q"},
		{"all that is wrong at once", "page=x&count=1", `count: is "1", must be true or false; page: is "x", must be a whole number from 0 to 10000`},
		{"a page before the first", "page=-1", "page: is"},
		{"a page behind the last", "page=101&page_size=100", "page: begins behind task 10100, pages are counted up to task 10000; a cursor goes further"},
		{"a page and a cursor", "page=1&cursor=x", "page: is given beside a cursor"},
		{"a page of nothing", "page_size=0", `page_size: is "0", must be a whole number from 1 to 100`},
		{"a page too large", "page_size=101", "page_size: is"},
		{"a time that is none", "created_after=yesterday", `created_after: is "yesterday", must be an instant since 1970 like`},
		{"a time before all times", "created_before=0001-01-01", "must be an instant since 1970"},
		{"a time after all times", "filter=ended_at:gt:9999-12-31T23:59:59-01:00", "must be an instant since 1970"},
		{"nobody", "created_by=guest:", `created_by: "guest:" names nobody`},
		{"half a filter", "filter=status:eq", `filter: is "status:eq", must be column:operator:value`},
		{"too many filters", strings.Repeat("filter=status:eq:pending&", 33), "filters: are 33, at most 32 are allowed"},

		{"q without anything", "q=", "q: is not rison: character 1: the text ends where a value is expected"},
		{"q twice", "q=()&q=()", "q: is given 2 times"},
		{"q that is no rison", "q=(page:1", "q: is not rison: character 8: the text ends"},
		{"q that is a list", "q=!()", "q: is a list, must be an object"},
		{"an unknown part", "q=(filter:x)", "q.filter: is not a part of q"},
		{"filters that are no list", "q=(filters:())", "q.filters: is an object, must be a list"},
		{"a filter that is no object", "q=(filters:!(a))", "q.filters[0]: is a text, must be an object of col, opr and value"},
		{"an unknown part of a filter", "q=(filters:!((col:status,opr:eq,value:pending,val:1)))", "q.filters[0].val: is not a part of a filter"},
		{"a filter without its parts", "q=(filters:!(()))", "q.filters[0].col: is missing or null, must be a text; q.filters[0].opr: is missing or null, must be a text; " +
			"q.filters[0].value: is missing or null, must be a text, a number, or a list of them"},
		{"a value that is none", "q=(filters:!((col:status,opr:in,value:!(!t))))", "q.filters[0].value: is true or false"},
		{"a list in a list", "q=(filters:!((col:status,opr:in,value:!(!(a)))))", "q.filters[0].value: is a list"},
		{"milliseconds before 1970", "q=(filters:!((col:created_on,opr:gt,value:-1)))", `q.filters[0].value: is "-1", must be milliseconds since 1970`},
		{"milliseconds without end", "q=(filters:!((col:created_on,opr:gt,value:1e999)))", "must be milliseconds since 1970"},
		{"people who are nobody", "q=(filters:!((col:created_by,opr:rel_o_m,value:'')))", `q.filters[0].value: "" names nobody`},
		{"a page that is no number", "q=(page:one)", "q.page: is a text, must be a whole number from 0 to 10000"},
		{"a page that is not whole", "q=(page:1.5)", `q.page: is "1.5", must be a whole number`},
		{"a size too large", "q=(page_size:1000)", `q.page_size: is "1000", must be a whole number from 1 to 100`},
		{"a column that is no text", "q=(order_column:1)", "q.order_column: is a number, must be a text"},
		{"another direction", "q=(order_direction:up)", `q.order_direction: is "up", must be asc or desc`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			params, err := httpapi.ParseRequest(listRequest(t, tt.query))
			if invalid, ok := errors.AsType[*gtf.ValidationError](err); !ok || !strings.Contains(invalid.Error(), tt.want) {
				t.Errorf("%s is %+v, %v, want the error %q", tt.query, params, err, tt.want)
			}
		})
	}
	t.Run("me where nobody is asking", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/task/?created_by=me", http.NoBody)
		if _, err := httpapi.ParseRequest(r); err == nil || !strings.Contains(err.Error(), "nobody is asking") {
			t.Errorf("ParseRequest: %v, want that nobody is asking", err)
		}
	})
}

// Whatever is read, a list takes it or says what is wrong with it: nothing else comes of a query.
func FuzzParseList(f *testing.F) {
	for _, seed := range []string{
		"status=pending,success&task_type=a.b&scope=shared&queue=default&text=50%25_x&count=false",
		"created_by=me&subscriber=guest:7&created_after=2026-03-01T12:00:00Z&created_before=2026-03-01&sort=-ended_at&page=3&page_size=10",
		"filter=task_key:ct:a%00b&filter=uuid:in:x,y&filter=task_name:ew:%FF&filter=status:in:", "cursor=AAAA&page_size=1", "page=100&page_size=100",
		"q=" + url.QueryEscape("(filters:!((col:status,opr:in,value:!(pending)),(col:created_on,opr:gt,value:1772366400000)),order_column:status,order_direction:desc,page:1)"),
		"q=" + url.QueryEscape("(filters:!((col:subscribers,opr:rel_o_m,value:!(7,'guest:7',me)),(col:uuid,opr:in,value:!())))"),
		"q=(page:1e9)", "q=()&page=1", "%zz", "a;b",
	} {
		f.Add(seed)
	}
	client := gtftest.New(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := listRequest(t, query)
		params, err := httpapi.ParseRequest(r)
		if err == nil {
			_, err = client.List(r.Context(), params)
		}
		if _, invalid := errors.AsType[*gtf.ValidationError](err); err != nil && !invalid {
			t.Errorf("%q: %v", query, err)
		}
	})
}
