package auth_test

import (
	"testing"

	"github.com/globaltask/gtf/httpapi/auth"
)

func TestRole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		role               string
		read, write, admin bool
	}{
		{"none", false, false, false},
		{"viewer", true, false, false},
		{"user", true, true, false},
		{"admin", true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.role+" has its permissions", func(t *testing.T) {
			t.Parallel()
			role := must[auth.Role](t)(auth.ParseRole(tt.role))
			id := role.Identity(admin("ada", "", ""), "test") // an admin before, which must not count
			if id.Read != tt.read || id.Write != tt.write || id.Principal.Admin != tt.admin {
				t.Errorf("got read %v, write %v, admin %v", id.Read, id.Write, id.Principal.Admin)
			}
		})
	}
	t.Run("no other name is one", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"", "Admin", "root", "guest"} {
			if r, err := auth.ParseRole(name); err == nil {
				t.Errorf("ParseRole(%q) = %q", name, r)
			}
		}
		if id := auth.Role("root").Identity(user("ada", "", ""), "test"); id.Read || id.Write {
			t.Errorf("a role that does not exist may %+v", id)
		}
	})
}
