package settings_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pocketid/internal/settings"
)

// threats 43: what is no origin of a page that is ours to name is refused, and
// what is one is kept as browsers write it, because it is compared exactly.
func TestCheckRelatedOrigins(t *testing.T) {
	tests := []struct{ name, typed, want string }{
		{"takes a host name", "https://id.example.com", "https://id.example.com"},
		{"takes a port", "https://id.example.com:8443", "https://id.example.com:8443"},
		{"writes as browsers do", " https://ID.Example.com:443/ ", "https://id.example.com"},
		{"takes a punycode name", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
		{"refuses http", "http://id.example.com", ""},
		{"refuses http on localhost", "http://localhost:1411", ""},
		{"refuses a name without a dot", "https://id", ""},
		{"refuses an address of numbers", "https://192.0.2.1", ""},
		{"refuses an address of numbers in short", "https://192.1", ""},
		{"refuses an address of numbers in hexadecimals", "https://id.0x7f", ""},
		{"refuses an IPv6 address", "https://[2001:db8::1]", ""},
		{"refuses a path", "https://id.example.com/login", ""},
		{"refuses two slashes at the end", "https://id.example.com//", ""},
		{"refuses a query", "https://id.example.com?a=b", ""},
		{"refuses a fragment", "https://id.example.com#a", ""},
		{"refuses a user", "https://id.example.com@evil.example", ""},
		{"refuses a wildcard", "https://*.example.com", ""},
		{"refuses a backslash", `https://id.example.com\evil.example`, ""},
		{"refuses letters beyond ASCII", "https://bücher.example", ""},
		{"refuses a dot at the end", "https://id.example.com.", ""},
		{"refuses an empty label", "https://id..example.com", ""},
		{"refuses a hyphen at the end of a label", "https://id-.example.com", ""},
		{"refuses a port that is none", "https://id.example.com:0", ""},
		{"refuses a port that is too great", "https://id.example.com:65536", ""},
		{"refuses a port with a zero before it", "https://id.example.com:0443", ""},
		{"refuses an empty port", "https://id.example.com:", ""},
		{"refuses a name without a scheme", "id.example.com", ""},
		{"refuses an application", "android:apk-key-hash:abc", ""},
		{"refuses nowhere", "null", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := settings.CheckRelatedOrigins([]string{tt.typed})
			if tt.want == "" {
				if !errors.Is(err, settings.ErrRelatedOrigin) {
					t.Errorf("got %q and %v, want a refusal", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, []string{tt.want}) {
				t.Errorf("got %q and %v, want %q", got, err, tt.want)
			}
		})
	}
	got, err := settings.CheckRelatedOrigins([]string{"", "https://a.example", "https://A.example/", "https://b.example"})
	if err != nil || !slices.Equal(got, []string{"https://a.example", "https://b.example"}) {
		t.Errorf("of a list with repetitions: %q and %v", got, err)
	}
	var many []string
	for i := range 21 {
		many = append(many, fmt.Sprintf("https://h%d.example", i))
	}
	if _, err := settings.CheckRelatedOrigins(many[:20]); err != nil {
		t.Errorf("20 origins: %v", err)
	}
	if _, err := settings.CheckRelatedOrigins(many); !errors.Is(err, settings.ErrRelatedOrigin) {
		t.Errorf("21 origins: %v, want a refusal", err)
	}
}

func TestOriginLabels(t *testing.T) {
	got := settings.OriginLabels([]string{"https://id.example.com", "https://example.org:8443", "https://id.example.co.uk",
		"https://a.acme.net", "https://b.acme.de", "https://acme.com.au"})
	if got != 2 { // example and acme
		t.Errorf("got %d labels, want 2", got)
	}
}

func TestCheckDeniedModels(t *testing.T) {
	got, err := settings.CheckDeniedModels([]string{"BADA5566-A7AA-401F-BD96-45619A55120D", "", "bada5566a7aa401fbd9645619a55120d"})
	if err != nil || !slices.Equal(got, []string{"bada5566-a7aa-401f-bd96-45619a55120d"}) {
		t.Errorf("got %q and %v", got, err)
	}
	for _, bad := range []string{"1Password", "bada5566-a7aa-401f-bd96-45619a55120", "zada5566-a7aa-401f-bd96-45619a55120d"} {
		if _, err := settings.CheckDeniedModels([]string{bad}); !errors.Is(err, settings.ErrDeniedModel) {
			t.Errorf("%q: %v, want a refusal", bad, err)
		}
	}
}
