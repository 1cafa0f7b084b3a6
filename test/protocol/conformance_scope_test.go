package protocol

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// The modules about scopes: a claim that is missing, or that comes by another way than it
// was asked for, is a warning in the suite and a failure here.

// everything is what can be said about somebody.
var everything = directory.Standard{
	MiddleName: "King", Nickname: "Lady A", Profile: "https://ada.example/about", Picture: "https://ada.example/ada.png", Website: "https://ada.example",
	Gender: "female", Birthdate: "1815-12-10", Zoneinfo: "Europe/London", PhoneNumber: "+44 20 7946 0123",
	Address: directory.Address{StreetAddress: "12 St James's Square", Locality: "London", Region: "England", PostalCode: "SW1Y 4JH", Country: "United Kingdom"},
}

// completed says everything about p.
func completed(h *apptest.House, p *apptest.Person) {
	h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		u, err := d.User(ctx, p.ID)
		if err != nil {
			return err
		}
		edit := u.Edit()
		edit.FirstName, edit.LastName, edit.DisplayName, edit.Locale = "Ada", "Lovelace", "Ada Lovelace", "en"
		if _, err = d.EditUser(ctx, by, p.ID, edit); err == nil {
			_, err = d.SetStandard(ctx, by, p.ID, everything)
		}
		return err
	})
}

// scope runs a module about scopes: userinfo says each of these claims, and the ID token
// none of them.
func scope(t *testing.T, scopes string, names ...string) {
	conform(t, func(s *suite) {
		for scope := range strings.FieldsSeq(scopes) {
			if !s.listed("scopes_supported", scope) {
				t.Fatalf("scopes_supported has no %s, so the suite skips", scope)
			}
		}
		completed(s.h, s.ada)
		got := s.flow("scope", "openid "+scopes)
		for _, name := range names {
			if _, said := got.Info[name]; !said {
				s.t.Errorf("userinfo does not say %s", name)
			}
			if _, said := got.ID[name]; said {
				s.t.Errorf("the ID token says %s", name)
			}
			if !s.listed("claims_supported", name) {
				s.t.Errorf("claims_supported has no %s", name)
			}
		}
		if answered, _ := got.Token["scope"].(string); strings.Join(slices.Sorted(strings.FieldsSeq(answered)), " ") != strings.Join(slices.Sorted(strings.FieldsSeq("openid "+scopes)), " ") {
			s.t.Errorf("the scopes of the answer are %q", answered)
		}
	})
}

func Test_oidcc_scope_profile(t *testing.T) { scope(t, "profile", profileNames...) }

func Test_oidcc_scope_email(t *testing.T) { scope(t, "email", "email", "email_verified") }

func Test_oidcc_scope_address(t *testing.T) { scope(t, "address", "address") }

func Test_oidcc_scope_phone(t *testing.T) {
	scope(t, "phone", "phone_number", "phone_number_verified")
}

func Test_oidcc_scope_all(t *testing.T) {
	scope(t, "profile email address phone", append(slices.Clone(profileNames), "email", "email_verified", "address", "phone_number", "phone_number_verified")...)
}

// What somebody does not have is not said at all: no null, no empty text, no empty address
// (OpenID Connect Core §5.3.2).
func TestWhatIsNotKnownIsNotSaid_OIDC_Core_5_3_2(t *testing.T) {
	conformOnce(t, func(s *suite) {
		got := s.flow("scope", "openid profile email address phone groups")
		for _, name := range []string{"address", "phone_number", "phone_number_verified", "birthdate", "nickname", "picture", "zoneinfo", "website"} {
			if value, said := got.Info[name]; said {
				s.t.Errorf("userinfo says %s: %v", name, value)
			}
		}
		completed(s.h, s.ada)
		s.h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			_, err := d.SetStandard(ctx, by, s.ada.ID, directory.Standard{Address: directory.Address{Country: "United Kingdom"}, PhoneNumber: "+44 20 7946 0123", PhoneVerified: true})
			return err
		})
		got = s.flow("scope", "openid address phone")
		address, _ := got.Info["address"].(map[string]any)
		if len(address) != 2 || address["country"] != "United Kingdom" || address["formatted"] != "United Kingdom" || got.Info["phone_number_verified"] != true {
			s.t.Errorf("userinfo says %v", got.Info)
		}
	})
}

// A client that knows people by pairwise subjects hears the same one everywhere, and
// another client another one (OpenID Connect Core §8).
func TestPairwiseSubjectsAreTheSameEverywhere_OIDC_Core_8(t *testing.T) {
	conformOnce(t, func(s *suite) {
		if !s.listed("subject_types_supported", "pairwise") {
			t.Error("pairwise is not announced")
		}
		first, second := s.h.Client("first", plain, pairwise("first.example")), s.h.Client("second", plain, pairwise("second.example"))
		third := s.h.Client("third", plain, pairwise("first.example"))
		subject := map[*apptest.Client]any{}
		for _, c := range []*apptest.Client{first, second, third} {
			f := s.beginAs(c)
			got := s.redeemed(f, c, s.h.Program().Post("/api/oidc/token", f.Form(s.code(f.By(s.ada), f)), basic(c)...))
			subject[c] = got.ID["sub"]
			if got.ID["sub"] == s.ada.ID {
				t.Error("the subject is the id of the user")
			}
			again := s.tokens(c, s.h.Program().Post("/api/oidc/token", form("grant_type", "refresh_token", "refresh_token", got.Refresh), basic(c)...))
			if again.ID["sub"] != got.ID["sub"] || s.userinfo(again.Access)["sub"] != got.ID["sub"] {
				t.Errorf("after a refresh it is about %v, not %v", again.ID["sub"], got.ID["sub"])
			}
			// OpenID Connect Core §3.1.2.1: the hint names whoever is signed in.
			f = s.beginAs(c, "prompt", "none", "id_token_hint", got.IDToken)
			s.code(s.ada.Open(f.URL()), f)
		}
		if subject[first] == subject[second] || subject[first] != subject[third] {
			t.Errorf("the subjects are %v", subject)
		}
	})
}

func pairwise(sector string) func(*oidc.ClientEdit) {
	return func(e *oidc.ClientEdit) { e.SubjectType, e.Sector = oidc.SubjectPairwise, sector }
}
