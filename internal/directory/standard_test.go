package directory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

func TestStandardClaimsAreChecked(t *testing.T) {
	long := strings.Repeat("界", 501)
	for _, test := range []struct {
		field, typed, want string
		fault              *fault.Error
	}{
		{"birthdate", "1815-12-10", "1815-12-10", nil},
		{"birthdate", " 0000-12-10 ", "0000-12-10", nil},
		{"birthdate", "0000-02-29", "0000-02-29", nil},
		{"birthdate", "1815", "1815", nil},
		{"birthdate", "2000-02-29", "2000-02-29", nil},
		{"birthdate", "1900-02-29", "", ErrBirthdate},
		{"birthdate", "1815-13-10", "", ErrBirthdate},
		{"birthdate", "0000-02-30", "", ErrBirthdate},
		{"birthdate", "0000", "", ErrBirthdate},
		{"birthdate", "10.12.1815", "", ErrBirthdate},
		{"birthdate", "1815-12", "", ErrBirthdate},
		{"birthdate", "1815-12-10T00:00:00Z", "", ErrBirthdate},
		{"birthdate", "18x5", "", ErrBirthdate},
		{"birthdate", "-815", "", ErrBirthdate},
		{"zoneinfo", "Europe/Berlin", "Europe/Berlin", nil},
		{"zoneinfo", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires", nil},
		{"zoneinfo", "UTC", "UTC", nil},
		{"zoneinfo", "europe/berlin", "", ErrZoneUnknown},
		{"zoneinfo", "Europe/Belin", "", ErrZoneUnknown},
		{"zoneinfo", "../../etc/passwd", "", ErrZoneUnknown},
		{"zoneinfo", "Local", "", ErrZoneUnknown},
		{"zoneinfo", "Factory", "", ErrZoneUnknown},
		{"phone_number", "+49 30 123456", "+49 30 123456", nil},
		{"phone_number", "+1 (425)  555-1212", "+1 (425) 555-1212", nil},
		{"phone_number", "+1 (604) 555-1234;ext=5678", "+1 (604) 555-1234;ext=5678", nil},
		{"phone_number", "+123456", "", ErrPhone},
		{"phone_number", "+1234567890123456", "", ErrPhone},
		{"phone_number", "030 123456", "", ErrPhone},
		{"phone_number", "+49 30 12345x", "", ErrPhone},
		{"phone_number", "+49 30 123456;ext=a", "", ErrPhone},
		{"phone_number", "+٤٩٣٠١٢٣٤٥٦", "", ErrPhone},
		{"website", "https://ada.example/a?b=c#d", "https://ada.example/a?b=c#d", nil},
		{"website", "http://ada.example", "http://ada.example", nil},
		{"website", "https://爱达.example/", "https://爱达.example/", nil},
		{"website", "javascript:alert(1)", "", ErrClaimURL},
		{"website", "data:text/html,x", "", ErrClaimURL},
		{"website", "//ada.example", "", ErrClaimURL},
		{"website", "ada.example", "", ErrClaimURL},
		{"website", "https://", "", ErrClaimURL},
		{"website", "https://:443", "", ErrClaimURL},
		{"website", "https://ada:pw@ada.example", "", ErrClaimURL},
		{"website", "https://ada.example/a b", "", ErrClaimURL},
		{"website", "https://ada.example/\u202egpj", "", ErrClaimURL},
		{"website", `https://ada.example\@evil.example`, "", ErrClaimURL},
		{"website", `https://ada.example/"><script>`, "", ErrClaimURL},
		{"website", "https://ada.example/" + strings.Repeat("a", 481), "", ErrClaimURL},
		{"picture", "https://ada.example/a.png", "https://ada.example/a.png", nil},
		{"picture", "ftp://ada.example/a.png", "", ErrClaimURL},
		{"profile", "ada", "", ErrClaimURL},
		{"nickname", " Lady\tA ", "", ErrNameUnprintable},
		{"nickname", " Lady A ", "Lady A", nil},
		{"nickname", "a\u202eb", "", ErrNameUnprintable},
		{"nickname", "a\xff", "", ErrNameUnprintable},
		{"nickname", long[:3*101], "", ErrNameTooLong},
		{"middle_name", "e\u0301", "é", nil},
		{"gender", "female", "female", nil},
		{"gender", long[:3*51], "", ErrNameTooLong},
		{"street_address", " 12 St James's Square \r\n\r\n 2nd floor\r\n", "12 St James's Square\n2nd floor", nil},
		{"street_address", "a\rb", "a\nb", nil},
		{"street_address", "a\x00b", "", ErrNameUnprintable},
		{"street_address", long[:3*301], "", ErrNameTooLong},
		{"street_address", strings.Repeat("界\n", 200), "", ErrNameTooLong},
		{"formatted", long, "", ErrNameTooLong},
		{"postal_code", "SW1Y 4JH", "SW1Y 4JH", nil},
		{"postal_code", "1234\n5", "", ErrNameUnprintable},
		{"locality", long[:3*101], "", ErrNameTooLong},
		{"region", "", "", nil},
		{"country", "United Kingdom", "United Kingdom", nil},
	} {
		i := slices.IndexFunc(StandardFields, func(f StandardField) bool { return f.Name == test.field })
		f, s := StandardFields[i], Standard{}
		f.Set(&s, test.typed)
		got, err := s.checked()
		if test.fault == nil && (err != nil || f.Of(&got) != test.want) {
			t.Errorf("%s %q is %q, %v", test.field, test.typed, f.Of(&got), err)
		}
		if test.fault != nil && (err == nil || fault.Of(err).Code != test.fault.Code || fault.Of(err).Field != test.field) {
			t.Errorf("%s %q is refused as %v at %q", test.field, test.typed, err, fault.Of(err).Field)
		}
	}
	if s, err := (Standard{PhoneVerified: true}).checked(); err != nil || s.PhoneVerified {
		t.Errorf("no number is verified: %v", err)
	}
}

func TestAddressAsOnALetter(t *testing.T) {
	for want, a := range map[string]Address{
		"":           {},
		"as written": {Formatted: "as written", Locality: "London"},
		"12 St James's Square\nSW1Y 4JH London\nUnited Kingdom": {StreetAddress: "12 St James's Square", Locality: "London", PostalCode: "SW1Y 4JH", Country: "United Kingdom"},
		"London\nEngland": {Locality: "London", Region: "England"},
	} {
		if got := a.Letter(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What people may be allowed to change is what there are fields for.
func TestFieldsHaveTheClaimsOfTheSettings(t *testing.T) {
	var claims []string
	for _, f := range StandardFields {
		if !slices.Contains(claims, f.Claim) {
			claims = append(claims, f.Claim)
		}
		if !ReservedClaim(f.Claim) {
			t.Errorf("%s is not reserved", f.Claim)
		}
	}
	if !slices.Equal(claims, settings.PersonalClaims) {
		t.Errorf("the fields have %v, the settings %v", claims, settings.PersonalClaims)
	}
}

var lovelace = Standard{MiddleName: "King", Nickname: "Lady", Profile: "https://ada.example/about", Picture: "https://ada.example/a.png", Website: "https://ada.example",
	Gender: "female", Birthdate: "1815-12-10", Zoneinfo: "Europe/London", PhoneNumber: "+44 20 1234567", PhoneVerified: true,
	Address: Address{StreetAddress: "12 St James's Square", Locality: "London", Region: "England", PostalCode: "SW1Y 4JH", Country: "United Kingdom"}}

func TestSetStandard(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		root, ada := b.admin("root"), b.user("ada")
		_, err := b.SetStandard(t.Context(), as(ada), ada.ID, lovelace)
		wants(t, "by no administrator", err, audit.ErrNotAdmin)
		_, err = b.ReviseStandard(t.Context(), as(ada), ada.ID, Standard{}, lovelace)
		wants(t, "by no administrator", err, audit.ErrNotAdmin)
		u, err := b.ReviseStandard(t.Context(), as(root), ada.ID, Standard{}, lovelace)
		if err != nil || u.Standard != lovelace {
			t.Errorf("it is %+v, %v", u.Standard, err)
		}
		if u, err := b.User(t.Context(), ada.ID); err != nil || u.Standard != lovelace {
			t.Errorf("it is kept as %+v, %v", u.Standard, err)
		}
		r := b.records("user.edited")
		if len(r) != 1 || r[0].after["birthdate"] != "1815-12-10" || r[0].after["locality"] != "London" || r[0].after["phone_number_verified"] != true ||
			r[0].after["picture_url"] != "https://ada.example/a.png" || r[0].before["birthdate"] != nil {
			t.Errorf("the records are %+v", r)
		}
		_, err = b.ReviseStandard(t.Context(), as(root), ada.ID, Standard{}, Standard{Nickname: "other"})
		wants(t, "of what has changed", err, ErrStale)
		_, err = b.SetStandard(t.Context(), as(root), ada.ID, Standard{Birthdate: "soon"})
		wants(t, "a birthday that is none", err, ErrBirthdate)
		b.write(func(tx *db.Tx) error { tx.Do(`UPDATE users SET ldap_id = 'uid=ada' WHERE id = $1`, ada.ID); return nil })
		if u, err = b.SetStandard(t.Context(), as(root), ada.ID, Standard{PhoneVerified: true}); err != nil || u.Standard != (Standard{}) {
			t.Errorf("of an account of another directory it is %+v, %v", u.Standard, err)
		}
		_, err = b.SetStandard(t.Context(), as(root), "nobody", Standard{})
		wants(t, "of nobody", err, ErrNoUser)
	})
}

// threats 65: people change what is theirs to change and nothing else.
func TestEditOwnStandard(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.make(NewUser{Username: "ada", Email: "ada@example.org", Standard: Standard{PhoneNumber: "+44 20 1234567", PhoneVerified: true, Birthdate: "1815-12-10"}})
		own := func(s Standard) Standard {
			t.Helper()
			u, err := b.EditOwnStandard(t.Context(), as(ada), s)
			must(t, err)
			return u.Standard
		}
		// By default: nickname, middle_name, profile, website, zoneinfo.
		all := lovelace
		all.PhoneNumber, all.Birthdate = "+1 555 0100999", "1900"
		want := Standard{Nickname: "Lady", MiddleName: "King", Profile: all.Profile, Website: all.Website, Zoneinfo: all.Zoneinfo,
			PhoneNumber: "+44 20 1234567", PhoneVerified: true, Birthdate: "1815-12-10"}
		if got := own(all); got != want {
			t.Errorf("it is %+v, want %+v", got, want)
		}
		for _, claim := range settings.PersonalClaims {
			b.settings(func(s *settings.Settings) { s.OwnClaimNames = []string{claim} })
			b.write(func(tx *db.Tx) error { tx.Do(`UPDATE users SET standard_claims = '{}'`); return nil })
			got := own(lovelace)
			for _, f := range StandardFields {
				if has := f.Of(&got) != ""; has && f.Claim != claim || !has && f.Claim == claim && f.Name != "formatted" {
					t.Errorf("with %s allowed, %s is %q", claim, f.Name, f.Of(&got))
				}
			}
			if got.PhoneVerified {
				t.Errorf("with %s allowed, somebody verifies their own number", claim)
			}
		}
		// A number that an administrator has verified is so until it is another.
		b.settings(func(s *settings.Settings) { s.OwnClaimNames = []string{"phone_number", "nickname"} })
		_, err := b.SetStandard(t.Context(), root, ada.ID, Standard{PhoneNumber: "+44 20 1234567", PhoneVerified: true})
		must(t, err)
		if got := own(Standard{PhoneNumber: "+44 20 1234567", Nickname: "A"}); !got.PhoneVerified {
			t.Error("another nickname takes the verification away")
		}
		if got := own(Standard{PhoneNumber: "+44 20 7654321", PhoneVerified: true}); got.PhoneVerified {
			t.Error("another number is verified")
		}
		time.Sleep(time.Second)
		if got := own(Standard{PhoneNumber: "+44 20 1234567"}); got.PhoneVerified {
			t.Error("a number that comes back is verified")
		}
		r := b.records("user.profile_edited")
		if last := r[len(r)-1]; last.actor != ada.ID || last.after["phone_number"] != "+44 20 1234567" {
			t.Errorf("the record is %+v", last)
		}
		_, err = b.EditOwnStandard(t.Context(), as(ada), Standard{PhoneNumber: "5"})
		wants(t, "a number that is none", err, ErrPhone)
		_, err = b.EditOwnStandard(t.Context(), audit.Actor{}, Standard{})
		wants(t, "by nobody", err, ErrNotYours)
		b.settings(func(s *settings.Settings) { s.AllowOwnAccountEdit = false })
		_, err = b.EditOwnStandard(t.Context(), as(ada), Standard{})
		wants(t, "where nothing is allowed", err, ErrOwnDetails)
		b.settings(func(s *settings.Settings) { s.AllowOwnAccountEdit, s.OwnClaimNames = true, nil })
		_, err = b.EditOwnStandard(t.Context(), as(ada), Standard{})
		wants(t, "where none of them is", err, ErrOwnDetails)
		b.settings(func(s *settings.Settings) { s.OwnClaimNames = []string{"nickname"} })
		must(t, b.Disable(t.Context(), root, ada.ID))
		_, err = b.EditOwnStandard(t.Context(), as(ada), Standard{})
		wants(t, "by somebody who is disabled", err, ErrDisabled)
	})
}
