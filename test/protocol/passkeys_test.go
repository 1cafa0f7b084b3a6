package protocol

import (
	"net/http"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/settings"
)

// related names origins in the settings.
func related(t *testing.T, h *apptest.House, seen []string, origins ...string) {
	t.Helper()
	was := settings.Default()
	was.RelatedOrigins = seen
	card := settings.Passkeys{}.Of(was).(settings.Passkeys)
	shown := settings.Shown(card)
	card.RelatedOrigins = origins
	if _, err := h.App.Settings.Revise(t.Context(), audit.System("cli"), shown, card); err != nil {
		t.Fatal(err)
	}
}

// Passkey managers find where passkeys are added and kept; browsers find which other
// pages may use them, and nothing while there are none. Scripts of other origins
// read neither.
func TestWellKnownDocumentsOfPasskeys_WebAuthn_5_11(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		program := h.Program()
		json := func(path string) *apptest.Answer {
			t.Helper()
			a := program.Get(path, "Origin", "https://elsewhere.example")
			if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Location") != "" {
				t.Errorf("%s: %d %v", path, a.Status, a.Header)
			}
			return a
		}
		a := json("/.well-known/passkey-endpoints")
		const account = apptest.URL + "/settings/account/passkeys"
		if got := a.JSON(); a.Status != http.StatusOK || len(got) != 2 || got["enroll"] != account+"/add" || got["manage"] != account {
			t.Errorf("the endpoints are %d %s", a.Status, a.Body)
		}
		if a := program.Get("/.well-known/passkey-endpoints", "Host", "evil.example", "X-Forwarded-Host", "evil.example"); strings.Contains(a.Body, "evil") {
			t.Errorf("the endpoints believe the request: %s", a.Body)
		}
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		for _, where := range []string{"/settings/account/passkeys", "/settings/account/passkeys/add"} {
			if page := ada.Open(where); page.Status != http.StatusOK {
				t.Errorf("the endpoint %s: %s", where, page)
			}
		}

		const document = "/.well-known/webauthn"
		if a := program.Get(document); a.Status != http.StatusNotFound {
			t.Errorf("without related origins there is a document: %d %s", a.Status, a.Body)
		}
		related(t, h, []string{}, "https://id.example.net", "https://id.example.org:8443")
		a = json(document)
		if want := `{"origins":["https://id.example.net","https://id.example.org:8443"]}`; a.Status != http.StatusOK || strings.TrimSpace(a.Body) != want {
			t.Errorf("the related origins are %d %s, want %s", a.Status, a.Body, want)
		}
	})
}

// A related origin may prove with a passkey, and nothing else: it is no host of ours,
// no place to be sent to, and no site that may act for a visitor.
func TestRelatedOriginsWidenNothingElse(t *testing.T) { // threats 27, 32, 43, 70
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		const other = "https://id.example.net"
		h.SetUp()
		ada := h.User("ada")
		ada.Site = other
		ada.Open("/login")
		if _, code := ada.Prove("/login", ""); code == "" {
			t.Error("a page that is not named signs somebody in")
		}
		related(t, h, []string{}, other)
		ada.Open("/login")
		if _, code := ada.Prove("/login", ""); code != "" {
			t.Errorf("a page that is named is refused: %s", code)
		}

		program := h.Program()
		if a := program.Get("/login", "Host", "id.example.net"); a.Status != http.StatusMisdirectedRequest {
			t.Errorf("a page under the other name: %d", a.Status)
		}
		if page := ada.Open("/login?redirect=" + other + "/"); page.Away != nil || page.URL.Path == "" || page.Status != http.StatusOK {
			t.Errorf("a redirect leads there: %s", page)
		}
		for _, path := range []string{"/login/begin", "/login/finish", "/settings/account/passkeys/begin"} {
			for _, site := range []string{"cross-site", ""} {
				headers := []string{"Content-Type", "application/json", "Origin", other}
				if site != "" {
					headers = append(headers, "Sec-Fetch-Site", site)
				}
				if a := program.Ask("POST", path, "{}", headers...); a.Status != http.StatusForbidden || a.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s from there (%q): %d %v", path, site, a.Status, a.Header)
				}
			}
			if a := program.Ask("OPTIONS", path, "", "Origin", other, "Access-Control-Request-Method", "POST"); a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s is open to scripts from there", path)
			}
		}
		if a := program.Get("/login"); strings.Contains(strings.Join(a.Header.Values("Content-Security-Policy"), ""), "example.net") ||
			strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), ""), "Domain=") {
			t.Errorf("headers name the other site: %v", a.Header)
		}
		related(t, h, []string{other})
		if a := program.Get("/.well-known/webauthn"); a.Status != http.StatusNotFound {
			t.Errorf("the document is there still: %d", a.Status)
		}
		ada.Open("/login")
		if _, code := ada.Prove("/login", ""); code == "" {
			t.Error("a page that is not named any more signs somebody in")
		}
	})
}
