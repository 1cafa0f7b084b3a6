package settings_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/settings"
)

func read(t *testing.T, d *db.DB) (s settings.Settings) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
		s, err = settings.Of(tx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, d *db.DB, fn func(tx *db.Tx)) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *db.Tx) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestSettingsAreOneRowOverTheDefaults(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		if got := read(t, d); !reflect.DeepEqual(got, settings.Default()) {
			t.Errorf("before anything was saved: %+v", got)
		}
		want := settings.Default()
		want.AppName, want.SessionDuration, want.RequireUserEmail, want.SMTPPassword = "Acme", 15, false, settings.Sealed{1, 0, 255}
		want.SignupDefaultCustomClaims = []settings.SignupClaim{{Key: "team", Value: "red"}}
		for range 2 {
			write(t, d, func(tx *db.Tx) { settings.Save(tx, want) })
			if got := read(t, d); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
	})
}

// A row that an older version wrote lacks what is newer: that has its default,
// and what an even newer version wrote is left out.
func TestRowOfAnotherVersionIsUnderstood(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) {
			tx.Do(`INSERT INTO settings (id, value, updated_at) VALUES (1, $1, 1)`, `{"appName":"Old","requireUserEmail":false,"ofTomorrow":true}`)
		})
		want := settings.Default()
		want.AppName, want.RequireUserEmail = "Old", false
		if got := read(t, d); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestFacts(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fact := func() (v string) {
			if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
				v, err = settings.Fact(tx, settings.InstanceID)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return v
		}
		if got := fact(); got != "" {
			t.Errorf("at first %q", got)
		}
		for _, v := range []string{"a", "b"} {
			write(t, d, func(tx *db.Tx) { settings.SetFact(tx, settings.InstanceID, v) })
			if got := fact(); got != v {
				t.Errorf("got %q, want %q", got, v)
			}
		}
	})
}

// The names are an API that scripts know, and so are the defaults.
func TestNamesAndDefaultsAreThoseThatScriptsKnow(t *testing.T) {
	want := map[string]string{
		"appName": `"Pocket ID"`, "sessionDuration": `60`, "homePageUrl": `"/settings/account"`, "emailsVerified": `false`,
		"disableAnimations": `false`, "allowOwnAccountEdit": `true`, "allowAccountDelete": `false`, "allowUserSignups": `"disabled"`, "signupDefaultUserGroupIDs": `[]`,
		"signupDefaultCustomClaims": `[]`, "accentColor": `"default"`, "requireUserEmail": `true`,
		"smtpHost": `""`, "smtpPort": `""`, "smtpFrom": `""`, "smtpUser": `""`, "smtpPassword": `null`, "smtpTls": `"none"`, "smtpSkipCertVerify": `false`,
		"emailLoginNotificationEnabled": `false`, "emailOneTimeAccessAsUnauthenticatedEnabled": `false`, "emailOneTimeAccessAsAdminEnabled": `false`,
		"emailApiKeyExpirationEnabled": `false`, "emailVerificationEnabled": `false`,
		"ldapEnabled": `false`, "ldapUrl": `""`, "ldapBindDn": `""`, "ldapBindPassword": `null`, "ldapBase": `""`,
		"ldapUserSearchFilter": `"(objectClass=person)"`, "ldapUserGroupSearchFilter": `"(objectClass=groupOfNames)"`, "ldapSkipCertVerify": `false`,
		"ldapAttributeUserUniqueIdentifier": `""`, "ldapAttributeUserUsername": `""`, "ldapAttributeUserEmail": `""`, "ldapAttributeUserFirstName": `""`,
		"ldapAttributeUserLastName": `""`, "ldapAttributeUserProfilePicture": `""`, "ldapAttributeUserDisplayName": `"cn"`,
		"ldapAttributeGroupMember": `"member"`, "ldapAttributeGroupUniqueIdentifier": `""`, "ldapAttributeGroupName": `""`, "ldapAdminGroupName": `""`,
		"ldapSoftDeleteUsers": `true`, "webauthnUserVerification": `"required"`, "webauthnAllowSyncedPasskeys": `true`,
		"webauthnAuthenticatorAttachment": `"any"`, "cimdUrlAllowlist": `[]`,
		// ours
		"webauthnDeniedAaguids": `[]`, "relatedOrigins": `[]`, "userEditableClaims": `["nickname","middle_name","profile","website","zoneinfo"]`,
		"clientRegistration": `"disabled"`, "clientRegistrationLimit": `1000`, "clientRegistrationDays": `30`,
		"defaultLocale": `""`, "adminLoginCodes": `true`,
	}
	b, err := json.Marshal(settings.Default())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		if string(got[name]) != v {
			t.Errorf("%s is %s, want %s", name, got[name], v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, known := want[name]; !known || strings.TrimSpace(name) != name {
			t.Errorf("%s is new: add it here and to the documentation", name)
		}
	}
}
