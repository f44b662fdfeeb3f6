package auth

import (
	"fmt"
	"slices"

	"github.com/globaltask/gtf"
)

// Role is a set of permissions.
type Role string

const (
	RoleNone   Role = "none"   // is known, and may do nothing: 403
	RoleViewer Role = "viewer" // sees the tasks they subscribe to
	RoleUser   Role = "user"   // may also cancel them
	RoleAdmin  Role = "admin"  // sees and cancels everything
)

// ParseRole reads the name of a role.
func ParseRole(text string) (Role, error) {
	r := Role(text)
	if !slices.Contains([]Role{RoleNone, RoleViewer, RoleUser, RoleAdmin}, r) {
		return "", fmt.Errorf("%.30q is not a role: admin, user, viewer or none", text)
	}
	return r, nil
}

// Identity is somebody with the role, found out by a method.
func (r Role) Identity(p gtf.Principal, method string) *Identity {
	p.Admin = r == RoleAdmin
	return &Identity{Principal: p, Method: method, Read: r == RoleViewer || r == RoleUser || r == RoleAdmin, Write: r == RoleUser || r == RoleAdmin}
}

// Roles chooses a role by the groups, or whatever else others say of a person. Who has several gets the highest.
type Roles struct {
	Admin  []string // default "admin"
	User   []string // default "user"
	Viewer []string // default "viewer"
	// Default is the role of those with none of them. Default RoleUser.
	Default Role
}

func (r Roles) of(groups []string) Role {
	for _, each := range []struct {
		role Role
		by   []string
	}{{RoleAdmin, r.Admin}, {RoleUser, r.User}, {RoleViewer, r.Viewer}} {
		by := each.by
		if len(by) == 0 {
			by = []string{string(each.role)}
		}
		if slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(by, g) }) {
			return each.role
		}
	}
	if r.Default != "" {
		return r.Default
	}
	return RoleUser
}

func (r Roles) check() error {
	if r.Default == "" {
		return nil
	}
	if _, err := ParseRole(string(r.Default)); err != nil {
		return fmt.Errorf("default role: %w", err)
	}
	return nil
}
