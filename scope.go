package gtf

import "slices"

// Scope says who sees a task and whose key it is (S4.3, S10).
type Scope string

const (
	// ScopePrivate tasks belong to one principal: their key is theirs alone.
	ScopePrivate Scope = "private"
	// ScopeShared tasks are joined by everyone who submits the same key.
	ScopeShared Scope = "shared"
	// ScopeSystem tasks are the host's: only admins see them.
	ScopeSystem Scope = "system"
)

// Scopes is the list of them.
func Scopes() []Scope { return []Scope{ScopePrivate, ScopeShared, ScopeSystem} }

// Viewer is who looks, as the stores' one visibility predicate takes it (S10.1): everything, or exactly the private and
// shared tasks with a subscription of one principal.
type Viewer struct {
	All  bool          // an admin, or Go code without a principal: the host
	Kind PrincipalKind // otherwise: whose subscriptions count
	ID   string
	// Types narrows it to tasks of these types; nil: of all. An empty list is nothing.
	Types []string
}

// Sees is the predicate in Go, for tasks already read with their subscribers.
func (v Viewer) Sees(t *Task) bool { return v.sees(t.Type, t.Scope, t.Subscribers) }

// SeesChange is the same for a change that was read with its subscribers.
func (v Viewer) SeesChange(c *Change) bool { return v.sees(c.Type, c.Scope, c.Subscribers) }

func (v Viewer) sees(typ string, scope Scope, subscribers []Subscriber) bool {
	if v.Types != nil && !slices.Contains(v.Types, typ) {
		return false
	}
	return v.All || scope != ScopeSystem && slices.ContainsFunc(subscribers, func(s Subscriber) bool {
		return s.ID == v.ID && s.Kind == v.Kind
	})
}
