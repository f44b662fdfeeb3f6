package httpapi_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

func TestFormatPrincipal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p    gtf.Principal
		want string
	}{
		{gtf.Principal{ID: "7"}, "7"},
		{gtf.Principal{Kind: gtf.KindUser, ID: "7"}, "7"},
		{gtf.Principal{Kind: gtf.KindGuest, ID: "7"}, "guest:7"},
		{gtf.Principal{ID: "guest:7"}, "user:guest:7"},
		{gtf.Principal{ID: "user:7"}, "user:user:7"},
		{gtf.Principal{ID: "me"}, "user:me"},
		{gtf.Principal{Kind: gtf.KindGuest, ID: "guest:7"}, "guest:guest:7"},
	} {
		if got := httpapi.FormatPrincipal(tt.p); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.p, got, tt.want)
		}
	}
	t.Run("is read back as it was, and never as the caller", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			p := gtf.Principal{
				Kind: rapid.SampledFrom([]gtf.PrincipalKind{gtf.KindUser, gtf.KindGuest}).Draw(t, "kind"),
				ID:   rapid.StringMatching(`((guest|user):|me)*[a-z:]{0,2}.`).Draw(t, "id"),
			}
			text := httpapi.FormatPrincipal(p)
			if got, err := httpapi.ParsePrincipal(text); got != p || err != nil || text == "me" {
				t.Fatalf("%+v is %q, which is %+v, %v", p, text, got, err)
			}
		})
	})
}

func TestParsePrincipal(t *testing.T) {
	t.Parallel()
	if p, err := httpapi.ParsePrincipal("user:7"); p.ID != "7" || p.Kind != gtf.KindUser || err != nil {
		t.Errorf("user:7 is %+v, %v", p, err)
	}
	for _, text := range []string{"", "guest:", "user:"} {
		if p, err := httpapi.ParsePrincipal(text); err == nil {
			t.Errorf("%q is %+v, want an error", text, p)
		}
	}
}
