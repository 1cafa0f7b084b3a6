package settings

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

// threats 28, 80
func TestSettingsThatCannotBe(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Settings)
		want *fault.Error
	}{
		{"no name", func(s *Settings) { s.AppName = " \t" }, ErrAppName},
		{"a long name", func(s *Settings) { s.AppName = strings.Repeat("界", 31) }, ErrAppName},
		{"a name of two lines", func(s *Settings) { s.AppName = "a\nb" }, ErrAppName},
		{"a name that turns around", func(s *Settings) { s.AppName = "a\u202eb" }, ErrAppName},
		{"a name that is no text", func(s *Settings) { s.AppName = "a\xff" }, ErrAppName},
		{"no session", func(s *Settings) { s.SessionDuration = 0 }, ErrSessionDuration},
		{"a session from before", func(s *Settings) { s.SessionDuration = -1 }, ErrSessionDuration},
		{"a session of more than 30 days", func(s *Settings) { s.SessionDuration = 43201 }, ErrSessionDuration},
		{"a first page elsewhere", func(s *Settings) { s.HomePageURL = "https://evil.example" }, ErrHomePage},
		{"a first page of another host", func(s *Settings) { s.HomePageURL = "//evil.example" }, ErrHomePage},
		{"a first page by backslash", func(s *Settings) { s.HomePageURL = `/\evil.example` }, ErrHomePage},
		{"a first page that runs", func(s *Settings) { s.HomePageURL = "javascript:alert(1)" }, ErrHomePage},
		{"a first page with a line", func(s *Settings) { s.HomePageURL = "/a\nb" }, ErrHomePage},
		{"a long first page", func(s *Settings) { s.HomePageURL = "/" + strings.Repeat("a", 200) }, ErrHomePage},
		{"a colour that ends the rule", func(s *Settings) { s.AccentColor = "red}body{display:none" }, ErrAccentColor},
		{"a colour that is another rule", func(s *Settings) { s.AccentColor = "red;background:url(//evil.example)" }, ErrAccentColor},
		{"a colour with a comment", func(s *Settings) { s.AccentColor = "rgb(1 2 3)/**/" }, ErrAccentColor},
		{"a colour that is a variable", func(s *Settings) { s.AccentColor = "var(--text)" }, ErrAccentColor},
		{"a colour that one sees through", func(s *Settings) { s.AccentColor = "rgb(1 2 3 / 10%)" }, ErrAccentColor},
		{"a colour of words", func(s *Settings) { s.AccentColor = "bluish" }, ErrAccentColor},
		{"a colour of the page", func(s *Settings) { s.AccentColor = "currentcolor" }, ErrAccentColor},
		{"a colour of five digits", func(s *Settings) { s.AccentColor = "#12345" }, ErrAccentColor},
		{"a long colour", func(s *Settings) { s.AccentColor = "rgb(" + strings.Repeat("1", 100) + ",1,1)" }, ErrAccentColor},
		{"another verification", func(s *Settings) { s.WebauthnUserVerification = "discouraged" }, ErrChoice},
		{"another attachment", func(s *Settings) { s.WebauthnAuthenticatorAttachment = "" }, ErrChoice},
		{"another sign-up", func(s *Settings) { s.AllowUserSignups = "yes" }, ErrChoice},
		{"another TLS", func(s *Settings) { s.SMTPTLS = "ssl" }, ErrChoice},
		{"an origin that is none", func(s *Settings) { s.RelatedOrigins = []string{"http://a.example"} }, ErrRelatedOrigin},
		{"a claim that nobody may change", func(s *Settings) { s.OwnClaimNames = []string{"nickname", "email"} }, ErrChoice},
		{"a model that is none", func(s *Settings) { s.WebauthnDeniedAAGUIDs = []string{"yubikey"} }, ErrDeniedModel},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Default()
			test.edit(&s)
			if _, err := s.Checked(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			} else if fault.Of(err).Field == "" {
				t.Errorf("%v names no field", err)
			}
		})
	}
	if _, err := Default().Checked(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestColours(t *testing.T) {
	if !slices.IsSorted(namedColours) || len(namedColours) != 148 {
		t.Errorf("%d names of colours, sorted: %v", len(namedColours), slices.IsSorted(namedColours))
	}
	for typed, want := range map[string]string{
		"": "default", "default": "default", " Teal ": "teal", "#2F5D62": "#2f5d62", "#abc": "#abc",
		"rgb(1, 2, 3)": "rgb(1, 2, 3)", "hsl(120deg 50% 25%)": "hsl(120deg 50% 25%)", "oklch(0.45  .12 264)": "oklch(0.45 .12 264)",
		"lab( 29.2345% 39.3825 -20.0664 )": "lab( 29.2345% 39.3825 -20.0664 )",
	} {
		if got, err := CheckColour(typed); err != nil || got != want {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

func TestNamesOfVariables(t *testing.T) {
	want := map[string]string{
		"appName": "APP_NAME", "homePageUrl": "HOME_PAGE_URL", "signupDefaultUserGroupIDs": "SIGNUP_DEFAULT_USER_GROUP_IDS",
		"ldapAttributeUserDisplayName": "LDAP_ATTRIBUTE_USER_DISPLAY_NAME", "cimdUrlAllowlist": "CIMD_URL_ALLOWLIST",
		"smtpTls": "SMTP_TLS", "ldapBindDn": "LDAP_BIND_DN", "webauthnDeniedAaguids": "WEBAUTHN_DENIED_AAGUIDS",
		"emailApiKeyExpirationEnabled": "EMAIL_API_KEY_EXPIRATION_ENABLED",
	}
	for _, v := range Variables() {
		if name, ok := want[v.Key]; ok {
			if v.Name != name {
				t.Errorf("%s is %s", v.Key, v.Name)
			}
			delete(want, v.Key)
		}
		if v.Secret != (v.Name == "SMTP_PASSWORD" || v.Name == "LDAP_BIND_PASSWORD") {
			t.Errorf("%s is a secret: %v", v.Name, v.Secret)
		}
	}
	if len(want) > 0 {
		t.Errorf("no variables for %v", want)
	}
}
