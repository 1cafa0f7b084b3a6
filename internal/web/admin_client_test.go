package web

import (
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

func TestURIsOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		form url.Values
		want []oidc.URI
	}{
		{"is empty without fields", nil, nil},
		{"drops empty rows with their kinds", url.Values{"u": {"", " https://a.example/* ", "", "https://b.example"}, "u_kind": {"exact", "pattern", "pattern", "exact"}},
			[]oidc.URI{{URI: "https://a.example/*", Pattern: true}, {URI: "https://b.example"}}},
		{"reads what has no kind as exact", url.Values{"u": {"https://a.example"}}, []oidc.URI{{URI: "https://a.example"}}},
		{"reads a kind that is none as exact", url.Values{"u": {"https://a.example"}, "u_kind": {"regexp"}}, []oidc.URI{{URI: "https://a.example"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := urisOf(tt.form, "u"); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLifetime(t *testing.T) {
	for _, tt := range []struct {
		typed string
		want  time.Duration
		ok    bool
	}{
		{"", 0, true}, {" 60 ", time.Hour, true}, {"1.5", 90 * time.Second, true}, {"525600", 525600 * time.Minute, true},
		{"0", 0, false}, {"-5", 0, false}, {"soon", 0, false}, {"NaN", 0, false}, {"Inf", 0, false}, {"1e300", 0, false}, {"5 minutes", 0, false},
	} {
		got, err := duration(tt.typed, time.Minute, oidc.ErrLifetime.At("f"))
		if got != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, oidc.ErrLifetime) {
			t.Errorf("%q: got %v %v", tt.typed, got, err)
		}
		var f clientForm
		f.set(oidc.ClientEdit{AccessTokenFor: tt.want})
		written := f.value("access_token_lifetime")
		if again, err := duration(written, time.Minute, oidc.ErrLifetime); again != tt.want || err != nil {
			t.Errorf("%v is written as %q and read as %v %v", tt.want, written, again, err)
		}
	}
}

// TestTabOf keeps the tab of each field of a client true to the page.
func TestTabOf(t *testing.T) {
	for field, want := range map[string]string{
		"": "", "name": "general", "launch_url": "general", "description": "general", "redirect_uris[2]": "uris", "redirect_uris": "uris",
		"post_logout_uris[0]": "uris", "id_token_alg": "tokens", "access_token_lifetime": "tokens", "refresh_issue": "tokens", "group_restricted": "access", "allowed_groups[3]": "access",
	} {
		if got := tabOf(field); got != want {
			t.Errorf("%q stands in %q, want %q", field, got, want)
		}
	}
}

// So has every part of an API.
func TestPartsOfAnAPIHaveNames(t *testing.T) {
	none := oidc.API{}
	all := oidc.API{APIEdit: oidc.APIEdit{Name: "n", Description: "d", AccessTokenFor: 1e9, AccessTokenAlg: "a", Introspector: "i", ForDocuments: true}, Resource: "r", Permissions: []oidc.Permission{{Name: "p"}}}
	parts := all.Changed(none.Seen())
	for _, part := range parts {
		for _, id := range i18n.Locales() {
			if key := apiLabels[part]; key == "" || !i18n.For(id).Has(key) {
				t.Errorf("%s has no name in %s", part, id)
			}
		}
	}
	if len(parts) != len(apiLabels) {
		t.Errorf("%d of %d parts change: %q", len(parts), len(apiLabels), parts)
	}
}

// Every part of a client that somebody may change meanwhile has a name to say so.
func TestPartsOfAClientHaveNames(t *testing.T) {
	for part := range (oidc.ClientEdit{}).Seen() {
		for _, id := range i18n.Locales() {
			if key := clientLabels[part]; key == "" || !i18n.For(id).Has(key) {
				t.Errorf("%s has no name in %s", part, id)
			}
		}
	}
}
