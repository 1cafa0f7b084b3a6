package web

import (
	"cmp"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
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
		got, err := lifetime("f", tt.typed)
		if got != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, oidc.ErrLifetime) {
			t.Errorf("%q: got %v %v", tt.typed, got, err)
		}
		if again, err := lifetime("f", minutes(tt.want)); tt.want != 0 && (again != tt.want || err != nil) {
			t.Errorf("%v is written as %q and read as %v %v", tt.want, minutes(tt.want), again, err)
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

// Each setting of a client stands on its page, in words.
func TestEverySettingOfAClientHasAField(t *testing.T) {
	page, err := ui.ReadFile("ui/pages/client.html")
	if err != nil {
		t.Fatal(err)
	}
	parts := (oidc.ClientEdit{}).Seen()
	for part := range parts {
		if clientCard(part) == "" && !strings.Contains(string(page), `"`+part+`"`) && part != "redirect_uris" && part != "post_logout_uris" {
			t.Errorf("%s has no field", part)
		}
	}
	for _, f := range clientFields {
		if _, ok := parts[f.name]; !ok {
			t.Errorf("%s is no part of a client", f.name)
		}
		if !strings.Contains(string(page), ".Cards."+f.card) {
			t.Errorf("the page has no card %s", f.card)
		}
		for _, id := range i18n.Locales() {
			keys := []string{"client." + f.name, "client." + f.name + ".hint"}
			for _, choice := range f.choices {
				if !plainChoice(choice) {
					keys = append(keys, "client."+f.name+"."+cmp.Or(choice, "none"))
				}
			}
			for _, key := range keys {
				if !i18n.For(id).Has(key) {
					t.Errorf("%s has no words in %s", key, id)
				}
			}
		}
	}
}

// What stands in the fields of a client is read as it was.
func TestFieldsOfAClientAreReadAsTheyStand(t *testing.T) {
	full := oidc.ClientEdit{
		ClientURI: "https://a.example/", LogoURI: "https://a.example/logo.png", PolicyURI: "https://a.example/p", TOSURI: "https://a.example/t",
		InitiateLogin: "https://a.example/i", Contacts: []string{"a@example.com", "b@example.com"},
		BackchannelLogout: "https://a.example/b", BackchannelNeedsSid: true, FrontchannelLogout: "https://a.example/f", FrontchannelNeedsSid: true,
		DefaultMaxAge: 90 * time.Second, DefaultACRValues: []string{"phr", "0"}, AuthTimeRequired: true, PARRequired: true,
		RequestObjectAlg: "PS256", RequestURIs: []string{"https://a.example/r"}, IDTokenAlg: "ES256", AccessTokenAlg: "EdDSA", UserinfoAlg: "RS256",
		SubjectType: oidc.SubjectPairwise, Sector: "a.example", AccessTokenFor: time.Minute, IDTokenFor: 2 * time.Minute,
		RefreshTokenFor: 3 * time.Minute, RefreshMaxFor: time.Hour, AuthMethod: "private_key_jwt", JWKS: "{}", JWKSURI: "https://a.example/k",
		AssertionAlg: "RS512", AssertionAudience: oidc.AudienceLenient,
	}
	form := url.Values{}
	for i := range clientFields {
		if f := &clientFields[i]; f.as == asSwitch {
			form.Set(f.name, "on")
		} else {
			form.Set(f.name, f.value(&full))
		}
	}
	var read oidc.ClientEdit
	for i := range clientFields {
		if err := clientFields[i].read(&read, form); err != nil {
			t.Error(err)
		}
	}
	if !reflect.DeepEqual(read, full) {
		t.Errorf("read %+v\nwant %+v", read, full)
	}
	form.Set("id_token_alg", "none")
	for i := range clientFields {
		if err := clientFields[i].read(&read, form); (err != nil) != (clientFields[i].name == "id_token_alg") {
			t.Errorf("%s: %v", clientFields[i].name, err)
		}
	}
}

// Every part of a client that somebody may change meanwhile has a name to say so.
func TestPartsOfAClientHaveNames(t *testing.T) {
	for part := range (oidc.ClientEdit{}).Seen() {
		for _, id := range i18n.Locales() {
			if key := cmp.Or(clientLabels[part], "client."+part); !i18n.For(id).Has(key) {
				t.Errorf("%s has no name in %s", part, id)
			}
		}
	}
}
