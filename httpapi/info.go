package httpapi

import (
	"net/http"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
)

// Info is what a user interface has to know before it asks for tasks: what the caller may do, and how lists can be filtered.
type Info struct {
	Enabled     bool                `json:"enabled"`     // true: while the framework is off there is no answer
	Permissions []string            `json:"permissions"` // can_read, can_write
	Filters     map[string][]Filter `json:"filters"`     // by column
	Order       []gtf.OrderColumn   `json:"order_columns"`
	Scopes      []gtf.Scope         `json:"scopes"`
	Statuses    []gtf.Status        `json:"statuses"`
	User        Caller              `json:"user"`
	Limits      Limits              `json:"limits"`
}

// Filter is one way to filter by a column.
type Filter struct {
	Name     string         `json:"name"` // for people
	Operator gtf.FilterOp   `json:"operator"`
	Kind     gtf.FilterKind `json:"kind"`             // of the values
	Values   []string       `json:"values,omitempty"` // if they are known
}

// Caller is who asks.
type Caller struct {
	ID    string            `json:"id"`
	Name  string            `json:"name"`
	Kind  gtf.PrincipalKind `json:"kind"`
	Admin bool              `json:"admin"`
	Types []string          `json:"types"` // null: all
}

// Limits are how much of something there is at once.
type Limits struct {
	PageSize    int `json:"page_size"` // unless told
	MaxPageSize int `json:"max_page_size"`
	MaxCount    int `json:"max_count"` // where counts end, and pages by number
	MaxValues   int `json:"max_values"`
	MaxChanges  int `json:"max_changes"`
	MaxLogLines int `json:"max_log_lines"`
}

func (h *Handler) info(w http.ResponseWriter, r *http.Request) error {
	who := auth.From(r.Context())
	me, _ := gtf.PrincipalFrom(r.Context()) // with its kind
	info := Info{
		Enabled: h.client.Enabled(), Permissions: []string{}, Filters: map[string][]Filter{},
		Order: gtf.OrderColumns(), Scopes: gtf.Scopes(), Statuses: gtf.Statuses(),
		User: Caller{ID: me.ID, Name: me.DisplayName(), Kind: me.Kind, Admin: me.Admin, Types: who.Types},
		Limits: Limits{
			PageSize: defaultPageSize, MaxPageSize: maxPageSize, MaxCount: gtf.MaxCount,
			MaxValues: maxPageSize, MaxChanges: gtf.MaxChanges, MaxLogLines: gtf.MaxLogLines,
		},
	}
	for _, what := range []permission{read, write} {
		if may(who, what) {
			info.Permissions = append(info.Permissions, "can_"+string(what))
		}
	}
	for _, f := range gtf.Filterables() {
		for _, op := range f.Ops {
			info.Filters[string(f.Column)] = append(info.Filters[string(f.Column)],
				Filter{Name: operatorNames[op], Operator: op, Kind: f.Kind, Values: f.Values})
		}
	}
	return send(w, info)
}

// operatorNames are what people read.
var operatorNames = map[gtf.FilterOp]string{
	gtf.OpEqual: "equal to", gtf.OpNotEqual: "not equal to", gtf.OpStartsWith: "starts with", gtf.OpEndsWith: "ends with",
	gtf.OpContains: "contains", gtf.OpGreater: "later than", gtf.OpLess: "earlier than", gtf.OpIn: "one of",
	gtf.OpRelated: "is", gtf.OpFrom: "not earlier than",
}
