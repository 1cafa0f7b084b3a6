package settings_test

import (
	"strings"
	"testing"

	"pocketid/internal/settings"
)

// An entry of the allowed documents is what it says and nothing beside it.
// threats 67, 69
func TestAllowedDocuments(t *testing.T) {
	for _, tt := range []struct {
		entry, host, port, path string
		want                    bool
	}{
		{"app.example.com", "app.example.com", "", "/client.json", true},
		{"app.example.com", "app.example.com", "443", "/a/b/c", true},
		{"app.example.com", "APP.example.com", "", "/client.json", true},
		{"app.example.com", "app.example.com.evil.com", "", "/client.json", false},
		{"app.example.com", "evil-app.example.com", "", "/client.json", false},
		{"app.example.com", "evilapp.example.com", "", "/client.json", false},
		{"app.example.com", "x.app.example.com", "", "/client.json", false},
		{"app.example.com", "app.example.com", "8443", "/client.json", false},
		{"app.example.com", "appxexample.com", "", "/client.json", false},
		{"localhost", "localhost.evil.com", "", "/", false},
		{"localhost", "localhost", "", "/", true},
		{"https://app.example.com/client.json", "app.example.com", "", "/client.json", true},
		{"https://app.example.com/client.json", "app.example.com", "", "/client.json/x", false},
		{"https://app.example.com/client.json", "app.example.com", "", "/client-json", false},
		{"https://app.example.com/client.json", "app.example.com", "", "/Client.json", false},
		{"https://app.example.com:8443/client.json", "app.example.com", "8443", "/client.json", true},
		{"https://app.example.com:8443/client.json", "app.example.com", "", "/client.json", false},
		{"https://app.example.com/*", "app.example.com", "", "/client.json", true},
		{"https://app.example.com/*", "app.example.com", "", "/", false},
		{"https://app.example.com/*", "app.example.com", "", "/a/client.json", false},
		{"https://app.example.com/*.json", "app.example.com", "", "/client.json", true},
		{"https://app.example.com/*.json", "app.example.com", "", "/.json", false},
		{"https://app.example.com/*.json", "app.example.com", "", "/client.jsonx", false},
		{"https://app.example.com/**", "app.example.com", "", "/a/b/client.json", true},
		{"https://app.example.com/a/**", "app.example.com", "", "/a/client.json", true},
		{"https://app.example.com/a/**", "app.example.com", "", "/ab/client.json", false},
		{"https://app.example.com/a/**", "app.example.com", "", "/a", false},
		{"https://*.example.com/client.json", "app.example.com", "", "/client.json", true},
		{"https://*.example.com/client.json", "example.com", "", "/client.json", false},
		{"https://*.example.com/client.json", "a.b.example.com", "", "/client.json", false},
		{"https://*.example.com/client.json", "evil-example.com", "", "/client.json", false},
		{"https://*.example.com/client.json", "app.example.com.evil.com", "", "/client.json", false},
	} {
		list, err := settings.CheckDocuments([]string{" " + tt.entry + " ", tt.entry})
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %q, %v", tt.entry, list, err)
		}
		if got := (settings.Settings{CIMDURLAllowlist: list}).DocumentAllowed(tt.host, tt.port, tt.path); got != tt.want {
			t.Errorf("%s and %s %s %s: %v", tt.entry, tt.host, tt.port, tt.path, got)
		}
	}
	for _, entry := range []string{
		"*", "**", "https://*", "https://*/", "https://*/*", "https://**/x", "*.com", "https://*.com/x", "https://*.co.uk/x", "com",
		"https://app*.example.com/x", "https://*app.example.com/x", "https://*.*.example.com/x", "https://a.*.com/x", "https://app.example.*/x",
		"http://app.example.com/x", "https://app.example.com", "https://app.example.com/x?y", "https://app.example.com/#x", "https://eve@app.example.com/x",
		"https://app.example.com/../x", "https://app.example.com/**/x", "https://app.example.com/a**b", "https://app.example.com:0/x",
		"https://app.example.com:08443/x", "https://app.example.com:99999/x", "app.example.com:8443", "app.example.com/x", "app..com", "-app.example.com",
		"https://app.example.com/%2e", `https://app.example.com/\`, "https://127.1/x", "https://1.2.3/x", "äpp.example.com", "https://app.example.com/" + strings.Repeat("x", 500),
	} {
		if list, err := settings.CheckDocuments([]string{entry}); err == nil {
			t.Errorf("%q is taken as %q", entry, list)
		}
	}
	if (settings.Settings{}).DocumentAllowed("app.example.com", "", "/") {
		t.Error("an empty list allows something")
	}
}
