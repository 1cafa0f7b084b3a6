package web

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/oidc"
)

// ownFields are the parts of a client whose fields are none of the four usual kinds.
var ownFields = []string{"redirect_uris", "post_logout_uris", "group_restricted", "allowed_groups", "public", "grant_types", "federated"}

// Each part of a client has a field that is read, a place on the page, and a tab.
func TestEveryPartOfAClientHasAField(t *testing.T) {
	b, err := ui.ReadFile("ui/pages/client.html")
	if err != nil {
		t.Fatal(err)
	}
	for part := range (oidc.ClientEdit{}).Seen() {
		_, text := clientTexts[part]
		_, lines := clientLines[part]
		_, on := clientSwitches[part]
		number := slices.ContainsFunc(clientDurations, func(d clientDuration) bool { return d.field == part })
		if !text && !lines && !on && !number && !slices.Contains(ownFields, part) {
			t.Errorf("%s is not read", part)
		}
		if !slices.Contains(ownFields, part) && !strings.Contains(string(b), `(.F "`+part+`")`) && !strings.Contains(string(b), `name="`+part+`"`) && !strings.Contains(string(b), `"id" "`+part+`"`) {
			t.Errorf("%s is not on the page", part)
		}
		if tabOf(part) == "" || !strings.Contains(string(b), `<section id="`+tabOf(part)+`">`) {
			t.Errorf("%s is in no tab", part)
		}
	}
}

// What the fields of a form hold is what is read from them, in each field of an edit.
func TestFormsOfClientsAreReadAsTheyStand(t *testing.T) {
	full := oidc.ClientEdit{
		Name: "Shop", Description: "Sells", LaunchURL: "https://shop.example", ClientURI: "https://shop.example/home", LogoURI: "https://shop.example/logo.png",
		Accent: "teal", Greeting: "Ask Ada", PolicyURI: "https://shop.example/p", TOSURI: "https://shop.example/t", Contacts: []string{"a@shop.example", "b@shop.example"},
		InitiateLogin: "https://shop.example/i", RedirectURIs: []oidc.URI{{URI: "https://shop.example/cb"}, {URI: "https://*.shop.example/cb", Pattern: true}},
		PostLogoutURIs: []oidc.URI{{URI: "https://shop.example/bye"}}, BackchannelLogout: "https://shop.example/b", BackchannelNeedsSid: true,
		FrontchannelLogout: "https://shop.example/f", FrontchannelNeedsSid: true, RequestURIs: []string{"https://shop.example/r"},
		GroupRestricted: true, AllowedGroups: []string{"g"}, SkipConsent: true, ReauthRequired: true, DefaultMaxAge: 90 * time.Second,
		AuthTimeRequired: true, DefaultACRValues: []string{"phr", "0"}, AuthMethod: oidc.AuthPrivateKey, GrantTypes: oidc.GrantTypes[:3],
		PKCERequired: true, PARRequired: true, RequestObjectAlg: "PS256", IDTokenAlg: "ES256", AccessTokenAlg: "EdDSA", UserinfoAlg: "RS256",
		ClaimsAtUserinfo: true, SubjectType: oidc.SubjectPairwise, Sector: "shop.example", RefreshIssue: oidc.RefreshOfflineAccess, RefreshRotation: oidc.RotationAlways,
		AccessTokenFor: time.Minute, IDTokenFor: 2 * time.Minute, RefreshTokenFor: 90 * time.Second, RefreshMaxFor: time.Hour,
		JWKS: "{}", JWKSURI: "https://shop.example/k", AssertionAlg: "RS512", AssertionAudience: oidc.AudienceLenient,
		Federated: []oidc.Federated{{Issuer: "https://i.example", Subject: "s", Audience: "a", JWKS: "https://i.example/k", ReplayProtection: true}, {Issuer: "https://j.example"}},
	}
	for f, v := range reflect.ValueOf(full).Fields() {
		if v.IsZero() && f.Name != "ID" && f.Name != "Public" {
			t.Fatalf("%s is not tried", f.Name)
		}
	}
	var f clientForm
	f.set(full)
	form := url.Values{"redirect_uris": {"", "https://shop.example/cb", "https://*.shop.example/cb"}, "redirect_uris_kind": {"exact", "exact", "pattern"},
		"post_logout_uris": {"https://shop.example/bye"}, "group_restricted": {"1"}, "allowed_groups": {"g"}, "public": {"0"}, "grant_types": full.GrantTypes,
		"federated_issuer": {"https://i.example", "https://j.example", ""}, "federated_subject": {"s", "", ""}, "federated_audience": {"a", "", ""},
		"federated_jwks": {"https://i.example/k", "", ""}, "federated_replay": {"once", "often", "once"}}
	for part := range full.Seen() {
		if on, ok := clientSwitches[part]; ok && *on(&full) {
			form.Set(part, "on")
		} else if !ok && !slices.Contains(ownFields, part) {
			form.Set(part, f.value(part))
		}
	}
	var read clientForm
	read.set(oidc.ClientEdit{})
	if err := read.read(form); err != nil || !reflect.DeepEqual(read.ClientEdit, full) {
		t.Errorf("got  %+v %v\nwant %+v", read.ClientEdit, err, full)
	}
	// A form that lacks fields leaves them; one of a public client has no secret method.
	read.set(full)
	if err := read.read(url.Values{"public": {"1"}}); err != nil || read.JWKS != "{}" || read.RefreshMaxFor != time.Hour || len(read.Federated) != 2 || read.AuthMethod != "" {
		t.Errorf("got %+v %v", read.ClientEdit, err)
	}
	read.set(oidc.ClientEdit{Public: true, AuthMethod: oidc.AuthNone})
	for public, want := range map[string]string{"1": oidc.AuthNone, "0": ""} {
		again := read
		if err := again.read(url.Values{"public": {public}, "auth_method": {""}}); err != nil || again.AuthMethod != want {
			t.Errorf("public %s: %q %v", public, again.AuthMethod, err)
		}
	}
}
