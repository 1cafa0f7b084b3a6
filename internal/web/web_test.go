package web

import (
	"html/template"
	"pocketid/internal/edge"
	"strings"
	"testing"

	"pocketid/internal/i18n"
)

// threats 27
func TestARedirectLeadsOnlyInside(t *testing.T) {
	tests := []struct{ name, target, want string }{
		{"keeps a path", "/settings/account", "/settings/account"},
		{"keeps a query", "/authorize/next?id=abc", "/authorize/next?id=abc"},
		{"drops a fragment", "/settings#x", "/settings"},
		{"keeps an escaped slash escaped", "/a%2Fb", "/a%2Fb"},
		{"refuses nothing at all", "", "/home"},
		{"refuses another site", "https://evil.example/", "/home"},
		{"refuses another site without a scheme", "//evil.example/", "/home"},
		{"refuses a third slash", "///evil.example/", "/home"},
		{"refuses a backslash", `/\evil.example/`, "/home"},
		{"refuses two backslashes", `\\evil.example/`, "/home"},
		{"refuses an escaped backslash", "/%5cevil.example/", "/home"},
		{"refuses an escaped second slash", "/%2fevil.example/", "/home"},
		{"refuses a tab", "/\t/evil.example/", "/home"},
		{"refuses a line feed", "/\n/evil.example/", "/home"},
		{"refuses a NUL", "/a\x00b", "/home"},
		{"refuses a script", "javascript:alert(1)", "/home"},
		{"refuses data", "data:text/html,x", "/home"},
		{"refuses a user before a host", "//user@evil.example", "/home"},
		{"refuses a relative path", "settings", "/home"},
		{"refuses to climb", "/a/../../b", "/home"},
		{"refuses letters that are not ASCII", "/ä", "/home"},
		{"refuses a broken escape", "/%zz", "/home"},
		{"refuses what is endless", "/" + strings.Repeat("a", 5000), "/home"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := inside(tt.target, "/home"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// threats 29
func TestRichTextKeepsOnlyItsOwnMarkup(t *testing.T) {
	words := i18n.For("en")
	got := rich(words, "login.with", "app", template.HTML("<b>Fjordlab</b>"))
	if !strings.Contains(string(got), "<b>Fjordlab</b>") {
		t.Errorf("got %q without the markup", got)
	}
	got = rich(words, "login.with", "app", `<img src=x onerror=alert(1)>`)
	if strings.Contains(string(got), "<img") {
		t.Errorf("got %q with the markup of a stranger", got)
	}
}

func TestAvatars(t *testing.T) {
	for name, want := range map[string]string{"Ada Lovelace": "AL", "ada": "A", "李伟": "李", "": "", "Jonas Weber-Hohenstaufen": "JH", "Éva é": "ÉÉ"} {
		if got := avatarOf(name, "id").Initials; got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if a, b := avatarOf("x", "1"), avatarOf("x", "1"); a != b || a.Hue < 1 || a.Hue > 5 {
		t.Errorf("got %v and %v", a, b)
	}
}

func TestDevices(t *testing.T) {
	tests := []struct{ agent, browser, system string }{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge", "Windows"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "Safari", "iPhone"},
		{"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome", "Android"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari", "macOS"},
		{"", "", ""},
	}
	for _, tt := range tests {
		if got := edge.DeviceOf(tt.agent); got.Browser != tt.browser || got.System != tt.system {
			t.Errorf("%s: got %v", tt.agent, got)
		}
	}
}
