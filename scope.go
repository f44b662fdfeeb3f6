package gtf

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

// Viewer is who looks, as the stores' one visibility predicate takes it (S10.1): everything, or exactly the private and
// shared tasks with a subscription of one principal.
type Viewer struct {
	All  bool          // an admin, or Go code without a principal: the host
	Kind PrincipalKind // otherwise: whose subscriptions count
	ID   string
}

// Sees is the predicate in Go, for tasks already read with their subscribers.
func (v Viewer) Sees(t *Task) bool {
	return v.All || t.Scope != ScopeSystem && t.subscriber(v.Kind, v.ID) != nil
}
