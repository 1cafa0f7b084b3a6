// Package settings keeps what an administrator may change at run time: one
// struct in one row, read in each transaction that needs it. Beside it lie
// the facts, single values that the house must remember about itself.
package settings

import (
	"context"

	"pocketid/internal/db"
)

// Settings are all settings. The JSON names are those that scripts know.
type Settings struct {
	AppName             string `json:"appName"`
	SessionDuration     int    `json:"sessionDuration"` // idle lifetime in minutes
	HomePageURL         string `json:"homePageUrl"`
	EmailsVerified      bool   `json:"emailsVerified"` // new and changed addresses start verified
	DisableAnimations   bool   `json:"disableAnimations"`
	AllowOwnAccountEdit bool   `json:"allowOwnAccountEdit"`
	AllowAccountDelete  bool   `json:"allowAccountDelete"` // people may delete their own account
	AccentColor         string `json:"accentColor"`
	RequireUserEmail    bool   `json:"requireUserEmail"`
	DefaultLocale       string `json:"defaultLocale"` // of new people; "" is whatever their browser says

	// AdminLoginCodes lets administrators make links and codes that sign somebody in. The
	// command line can always.
	AdminLoginCodes bool `json:"adminLoginCodes"`

	// OwnClaimNames are the claims of PersonalClaims that people may change themselves.
	OwnClaimNames []string `json:"userEditableClaims"`

	AllowUserSignups          string        `json:"allowUserSignups"` // disabled, withToken, open
	SignupDefaultUserGroupIDs []string      `json:"signupDefaultUserGroupIDs"`
	SignupDefaultCustomClaims []SignupClaim `json:"signupDefaultCustomClaims"`

	SMTPHost           string `json:"smtpHost"`
	SMTPPort           string `json:"smtpPort"`
	SMTPFrom           string `json:"smtpFrom"`
	SMTPUser           string `json:"smtpUser"`
	SMTPPassword       Sealed `json:"smtpPassword"`
	SMTPTLS            string `json:"smtpTls"` // none, starttls, tls
	SMTPSkipCertVerify bool   `json:"smtpSkipCertVerify"`

	EmailLoginNotification      bool `json:"emailLoginNotificationEnabled"`
	EmailOneTimeAccessAsAnybody bool `json:"emailOneTimeAccessAsUnauthenticatedEnabled"`
	EmailOneTimeAccessAsAdmin   bool `json:"emailOneTimeAccessAsAdminEnabled"`
	EmailAPIKeyExpiration       bool `json:"emailApiKeyExpirationEnabled"`
	EmailVerification           bool `json:"emailVerificationEnabled"`

	LDAPEnabled                       bool   `json:"ldapEnabled"`
	LDAPURL                           string `json:"ldapUrl"`
	LDAPBindDN                        string `json:"ldapBindDn"`
	LDAPBindPassword                  Sealed `json:"ldapBindPassword"`
	LDAPBase                          string `json:"ldapBase"`
	LDAPUserSearchFilter              string `json:"ldapUserSearchFilter"`
	LDAPUserGroupSearchFilter         string `json:"ldapUserGroupSearchFilter"`
	LDAPSkipCertVerify                bool   `json:"ldapSkipCertVerify"`
	LDAPAttributeUserUniqueIdentifier string `json:"ldapAttributeUserUniqueIdentifier"`
	LDAPAttributeUserUsername         string `json:"ldapAttributeUserUsername"`
	LDAPAttributeUserEmail            string `json:"ldapAttributeUserEmail"`
	LDAPAttributeUserFirstName        string `json:"ldapAttributeUserFirstName"`
	LDAPAttributeUserLastName         string `json:"ldapAttributeUserLastName"`
	LDAPAttributeUserDisplayName      string `json:"ldapAttributeUserDisplayName"`
	LDAPAttributeUserProfilePicture   string `json:"ldapAttributeUserProfilePicture"`
	LDAPAttributeGroupMember          string `json:"ldapAttributeGroupMember"`
	LDAPAttributeGroupUniqueID        string `json:"ldapAttributeGroupUniqueIdentifier"`
	LDAPAttributeGroupName            string `json:"ldapAttributeGroupName"`
	LDAPAdminGroupName                string `json:"ldapAdminGroupName"`
	LDAPSoftDeleteUsers               bool   `json:"ldapSoftDeleteUsers"`

	WebauthnUserVerification        string `json:"webauthnUserVerification"` // required, preferred
	WebauthnAllowSyncedPasskeys     bool   `json:"webauthnAllowSyncedPasskeys"`
	WebauthnAuthenticatorAttachment string `json:"webauthnAuthenticatorAttachment"` // any, platform, cross-platform
	// WebauthnDeniedAAGUIDs are models of which no new passkey is accepted, as CheckDeniedModels writes them.
	WebauthnDeniedAAGUIDs []string `json:"webauthnDeniedAaguids"`
	// RelatedOrigins are other pages of ours that may use the passkeys of this house, as CheckRelatedOrigins writes them.
	RelatedOrigins []string `json:"relatedOrigins"`

	ClientRegistration      string `json:"clientRegistration"`      // disabled, withToken, open
	ClientRegistrationLimit int    `json:"clientRegistrationLimit"` // how many such clients there may be
	ClientRegistrationDays  int    `json:"clientRegistrationDays"`  // after which an unused one goes
	// CIMDURLAllowlist are the metadata documents that may be clients, as CheckDocuments writes them.
	CIMDURLAllowlist []string `json:"cimdUrlAllowlist"`

	// Locked says that the environment decides (UI_CONFIG_DISABLED), and Given are the
	// settings that it names, sorted. Neither is stored among the settings.
	Locked bool     `json:"-"`
	Given  []string `json:"-"`

	// Pictures are the validators of the pictures of the instance, by their names: one that
	// is not there is the one of the house. They are changed by SetPicture alone.
	Pictures map[string]string `json:"-"`
}

// A SignupClaim is given to each user who signs up.
type SignupClaim struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Sealed is a secret among the settings, sealed with the master key for the
// purpose "settings". The value itself is never stored.
type Sealed []byte

// Default is what holds before anything was changed.
func Default() Settings {
	return Settings{
		AppName:                         "Pocket ID",
		SessionDuration:                 60,
		HomePageURL:                     "/settings/account",
		AllowOwnAccountEdit:             true,
		AccentColor:                     "default",
		RequireUserEmail:                true,
		AdminLoginCodes:                 true,
		OwnClaimNames:                   []string{"nickname", "middle_name", "profile", "website", "zoneinfo"},
		AllowUserSignups:                "disabled",
		SignupDefaultUserGroupIDs:       []string{},
		SignupDefaultCustomClaims:       []SignupClaim{},
		ClientRegistration:              RegistrationDisabled,
		ClientRegistrationLimit:         1000,
		ClientRegistrationDays:          30,
		CIMDURLAllowlist:                []string{},
		SMTPTLS:                         "none",
		LDAPUserSearchFilter:            "(objectClass=person)",
		LDAPUserGroupSearchFilter:       "(objectClass=groupOfNames)",
		LDAPAttributeUserDisplayName:    "cn",
		LDAPAttributeGroupMember:        "member",
		LDAPSoftDeleteUsers:             true,
		WebauthnUserVerification:        "required",
		WebauthnAllowSyncedPasskeys:     true,
		WebauthnAuthenticatorAttachment: "any",
		WebauthnDeniedAAGUIDs:           []string{},
		RelatedOrigins:                  []string{},
	}
}

// Of returns the settings as tx sees them. What was never saved, because it is
// newer than the row, has its default; what the environment decides lies over that.
func Of(tx *db.Tx) (Settings, error) {
	s := Default()
	var environment string
	err := tx.One([]any{db.JSON(&s), db.Text(&environment), db.JSON(&s.Pictures)}, `
		SELECT (SELECT value FROM settings WHERE id = 1), (SELECT value FROM facts WHERE name = '`+environmentFact+`'),
			(SELECT value FROM facts WHERE name = '`+picturesFact+`')`)
	if err == nil && environment != "" {
		err = s.lay(environment)
	}
	return s, err
}

// Save replaces the settings.
func Save(tx *db.Tx, s Settings) {
	tx.Do(`INSERT INTO settings (id, value, updated_at) VALUES (1, $1, $2)
		ON CONFLICT (id) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
		db.JSON(&s), tx.Now().UnixMicro())
}

// Reader returns a function that reads the settings as they are now, for pages, which
// have no transaction of their own.
func Reader(d *db.DB) func(context.Context) (Settings, error) {
	return func(ctx context.Context) (s Settings, err error) {
		err = d.Read(ctx, func(tx *db.Tx) (err error) {
			s, err = Of(tx)
			return err
		})
		return s, err
	}
}
