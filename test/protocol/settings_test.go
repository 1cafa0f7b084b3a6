package protocol

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

const settingsPath = "/settings/admin/application-configuration"

// cards are forms of the settings page that would each be taken.
func cards() map[string]url.Values {
	return map[string]url.Values{
		"general":  {"appName": {"Acme"}, "sessionDuration": {"30"}, "homePageUrl": {"/settings/account/sessions"}},
		"accounts": {"emailsVerified": {"on"}},
		"passkeys": {"webauthnUserVerification": {"preferred"}, "webauthnAuthenticatorAttachment": {"any"}, "relatedOrigins": {"https://id.example.org"}},
		"codes":    {},
		"branding": {"accent": {"own"}, "accentColor": {"teal"}},
	}
}

// showing adds to a form of a card what an administrator finds on that card.
func showing(t *testing.T, boss *apptest.Person, card string, form url.Values) url.Values {
	t.Helper()
	form.Set("was", matches(t, boss.Open(settingsPath), settingsPath+"/"+card+`"[^>]*>[\s\S]*?name="was" value="([^"]*)"`)[0])
	return form
}

// threats 65: who is no administrator changes no setting, and a form sets what is on
// its card and nothing else.
func TestSettingsAreForAdministrators(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada := h.SetUp(), h.User("ada")
		ada.SignIn()
		settings := func() []string { return h.Rows()["settings"] }
		before := settings()
		if page := ada.Open(settingsPath); page.Status != http.StatusForbidden {
			t.Errorf("the page: %s", page)
		}
		for card, form := range cards() {
			if page := ada.Submit(settingsPath+"/"+card, form); page.Status != http.StatusForbidden {
				t.Errorf("%s: %s", card, page)
			}
			if page := h.Browser().Submit(settingsPath+"/"+card, form); page.Status == http.StatusOK && page.URL.Path != "/login" {
				t.Errorf("%s by a stranger: %s", card, page)
			}
		}
		if after := settings(); !reflect.DeepEqual(before, after) {
			t.Errorf("changed: %v", after)
		}
		everything := url.Values{}
		for _, form := range cards() {
			for name, values := range form {
				everything[name] = values
			}
		}
		everything.Set("smtpHost", "mail.evil.example")
		if page := boss.Submit(settingsPath+"/branding", showing(t, boss, "branding", everything)); page.Status != http.StatusOK {
			t.Fatalf("branding: %s", page)
		}
		row := strings.Join(settings(), "")
		if !strings.Contains(row, `"accentColor":"teal"`) || strings.Contains(row, "Acme") || strings.Contains(row, "evil") ||
			strings.Contains(row, "example.org") || strings.Contains(row, `"preferred"`) {
			t.Errorf("the row is %s", row)
		}
	})
}

// threats 28, 80
func TestHostileSettings(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		before := h.Rows()["settings"]
		for name, c := range map[string]struct {
			card, field, value string
		}{
			"a rule in a colour":      {"branding", "accentColor", "red}body{display:none"},
			"an address in a colour":  {"branding", "accentColor", "url(https://evil.example)"},
			"a page that runs":        {"general", "homePageUrl", "javascript:alert(1)"},
			"a page elsewhere":        {"general", "homePageUrl", "//evil.example"},
			"a name of control marks": {"general", "appName", "a\r\nSet-Cookie: x"},
			"a long name":             {"general", "appName", strings.Repeat("a", 40_000)},
			"a long time":             {"general", "sessionDuration", strings.Repeat("9", 400)},
			"a time before":           {"general", "sessionDuration", "-5"},
			"an origin by http":       {"passkeys", "relatedOrigins", "http://id.example.org"},
			"many origins":            {"passkeys", "relatedOrigins", strings.Repeat("https://a.example\nhttps://b.example.org\n", 500) + "x"},
			"a model":                 {"passkeys", "webauthnDeniedAaguids", "<script>alert(1)</script>"},
			"a language":              {"general", "defaultLocale", "tlh"},
			"a choice":                {"passkeys", "webauthnUserVerification", "never"},
		} {
			form := showing(t, boss, c.card, cards()[c.card])
			form.Set(c.field, c.value)
			page := boss.Submit(settingsPath+"/"+c.card, form)
			if page.Status != http.StatusUnprocessableEntity || strings.Contains(page.Body, "<script>alert") ||
				!strings.Contains(page.Body, `href="#`+c.field+`"`) {
				t.Errorf("%s: %s", name, page)
			}
		}
		if after := h.Rows()["settings"]; !reflect.DeepEqual(before, after) {
			t.Errorf("changed: %v", after)
		}
	})
}

// What a setting promises holds at once, for those who are already there too.
func TestSettingsHoldAtOnce(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada := h.SetUp(), h.User("ada")
		ada.SignIn()
		save := func(card string, form url.Values) {
			t.Helper()
			if page := boss.Submit(settingsPath+"/"+card, showing(t, boss, card, form)); page.Status != http.StatusOK || page.URL.Path != settingsPath {
				t.Fatalf("%s: %s", card, page)
			}
		}

		issuer := h.Program().Get("/.well-known/openid-configuration").Body
		save("general", url.Values{"appName": {"Acme <b>"}, "sessionDuration": {"60"}, "homePageUrl": {"/settings/account/sessions"}})
		if page := h.Browser().Open("/login"); !strings.Contains(page.Body, "– Acme &lt;b&gt;</title>") {
			t.Errorf("the name: %s", page)
		}
		if page := ada.Open("/"); page.URL.Path != "/settings/account/sessions" {
			t.Errorf("the first page is %s", page.URL)
		}
		if got := h.Program().Get("/.well-known/openid-configuration").Body; got != issuer {
			t.Error("metadata changed with the name")
		}

		save("branding", url.Values{"accent": {"own"}, "accentColor": {"#2F5D62"}, "disableAnimations": {"on"}})
		page := h.Browser().Open("/login")
		sheet := matches(t, page, `href="(/theme.css[^"]*)"`)[0]
		if !strings.Contains(sheet, "2f5d62") || !strings.Contains(page.Body, " data-still") {
			t.Errorf("the look: %s, %s", sheet, page)
		}
		if got := h.Program().Get(sheet).Body; got != ":root{--accent:#2f5d62}\n" {
			t.Errorf("the sheet is %q", got)
		}
		save("branding", url.Values{"accent": {"indigo"}})
		if page := h.Browser().Open("/login"); strings.Contains(page.Body, "theme.css") || strings.Contains(page.Body, "data-still") {
			t.Errorf("the look of the house: %s", page)
		}

		save("accounts", url.Values{"requireUserEmail": {"on"}})
		mine := url.Values{"username": {"ada"}, "email": {"new@example.test"}, "first_name": {"Ada"}}
		if page := ada.Save("/settings/account", "/settings/account", mine); page.Status != http.StatusForbidden {
			t.Errorf("what people may not change: %s", page)
		}
		save("accounts", url.Values{"allowOwnAccountEdit": {"on"}, "requireUserEmail": {"on"}})
		mine.Set("email", "")
		if page := ada.Save("/settings/account", "/settings/account", mine); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("without the address that is required: %s", page)
		}
		save("accounts", url.Values{"allowOwnAccountEdit": {"on"}, "emailsVerified": {"on"}})
		if page := ada.Save("/settings/account", "/settings/account", mine); page.Status != http.StatusOK {
			t.Errorf("without an address: %s", page)
		}
		mine.Set("email", "ada@example.test")
		if page := ada.Save("/settings/account", "/settings/account", mine); page.Status != http.StatusOK || !strings.Contains(page.Body, ">Verified<") {
			t.Errorf("an address that counts as verified: %s", page)
		}

		// Ten minutes unseen are fine until the time is five.
		boss.Open("/settings/account")
		ada.Open("/settings/account")
		time.Sleep(10 * time.Minute)
		save("general", url.Values{"appName": {"Acme"}, "sessionDuration": {"5"}, "homePageUrl": {"/settings/account"}})
		if inside(ada) {
			t.Error("the session that nobody used lives on")
		}
		if !inside(boss) {
			t.Error("the session in use is gone")
		}
		time.Sleep(6 * time.Minute)
		if inside(boss) {
			t.Error("the session lives longer than it may")
		}
	})
}

// What an administrator has not seen is not overwritten.
func TestSettingsChangedMeanwhile(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		form := showing(t, boss, "general", cards()["general"])
		if page := boss.Submit(settingsPath+"/general", form); page.Status != http.StatusOK {
			t.Fatalf("%s", page)
		}
		// What was typed stays, what was left alone follows what is set now.
		mine := url.Values{"appName": {"Mine"}, "sessionDuration": {"60"}, "homePageUrl": {"/settings/account"}, "was": form["was"]}
		page := boss.Submit(settingsPath+"/general", mine)
		if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `value="Mine"`) ||
			!strings.Contains(page.Body, `id="sessionDuration" name="sessionDuration" type="text" value="30"`) || !strings.Contains(page.Body, "Acme") {
			t.Fatalf("over what nobody has seen: %s", page)
		}
		form.Del("was")
		if page := boss.Submit(settingsPath+"/general", form); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("without what the form showed: %s", page)
		}
		if page := boss.Submit(settingsPath+"/general", showing(t, boss, "general", mine)); page.Status != http.StatusOK {
			t.Errorf("once more: %s", page)
		}
	})
}

// threats 64
func TestEnvironmentDecidesAboutSettings(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		page := boss.Open(settingsPath)
		if !strings.Contains(page.Body, "<code>APP_NAME</code>") || !strings.Contains(page.Body, "– From outside</title>") {
			t.Errorf("the page: %s", page)
		}
		for card, form := range cards() {
			if page := boss.Submit(settingsPath+"/"+card, form); page.Status != http.StatusForbidden {
				t.Errorf("%s: %s", card, page)
			}
		}
		for _, tab := range []string{"general", "signin", "branding"} {
			if page := boss.Open(settingsPath + "/" + tab + "/reset"); page.Status != http.StatusForbidden {
				t.Errorf("setting %s back: %s", tab, page)
			}
			if page := boss.Submit(settingsPath+"/"+tab+"/reset", url.Values{}); page.Status != http.StatusForbidden {
				t.Errorf("setting %s back: %s", tab, page)
			}
		}
		if strings.Contains(page.Body, "the key of a house for tests") || !strings.Contains(page.Body, "<code>ENCRYPTION_KEY</code>") {
			t.Errorf("the page says more of a secret than that there is one, or less: %s", page)
		}
	}, "UI_CONFIG_DISABLED=true", "APP_NAME=From outside")
}

// A tab is set back as it was shown, and not what somebody else has set since.
func TestTabsAreSetBack(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		const reset = settingsPath + "/general/reset"
		save := func() {
			if page := boss.Submit(settingsPath+"/general", showing(t, boss, "general", cards()["general"])); page.Status != http.StatusOK {
				t.Fatalf("%s", page)
			}
		}
		was := func() url.Values {
			return url.Values{"was": {matches(t, boss.Open(reset), `name="was" value="([^"]*)"`)[0]}}
		}
		before := was()
		save()
		if page := boss.Submit(reset, before); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, "Acme") {
			t.Errorf("over what nobody has seen: %s", page)
		}
		if page := boss.Submit(reset, was()); page.Status != http.StatusOK || !strings.Contains(page.Body, `value="Pocket ID"`) {
			t.Errorf("set back: %s", page)
		}
		ada := h.User("ada")
		ada.SignIn()
		if page := ada.Submit(reset, was()); page.Status != http.StatusForbidden {
			t.Errorf("by somebody: %s", page)
		}
	})
}

// threats 28, 29: what an administrator gives to the pages on the way to an application
// stays in its place, and counts there alone.
func TestLookOfAnApplication(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		shop, wiki := h.Client("shop"), h.Client("wiki")
		at := "/settings/admin/oidc-clients/" + shop.ID
		save := func(accent, greeting string) *apptest.Page {
			for _, form := range apptest.Forms(boss.Open(at).Body) {
				if v := form.Values(); v.Has("greeting") {
					v.Set("accent", accent)
					v.Set("greeting", greeting)
					return boss.Submit(at, v)
				}
			}
			t.Fatal("the page of a client has no form for its look")
			return nil
		}
		for _, accent := range []string{"red}body{display:none", "url(//evil.example)", "</style><script>", "var(--text)", "red;x:y"} {
			if page := save(accent, ""); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `href="#accent"`) {
				t.Errorf("%q: %s", accent, page)
			}
		}
		for _, greeting := range []string{"a\u202eb", strings.Repeat("a", 151)} {
			if page := save("", greeting); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `href="#greeting"`) {
				t.Errorf("%q: %s", greeting, page)
			}
		}
		if page := save("Teal", `Ask <b onclick="x">Ada</b>`); page.Status != http.StatusOK {
			t.Fatalf("%s", page)
		}
		page := h.Browser().Open(shop.Begin().URL())
		sheet := strings.ReplaceAll(matches(t, page, `href="(/theme.css[^"]*)"`)[0], "&amp;", "&")
		if got := h.Program().Get(sheet).Body; got != ":root{--accent:teal}\n" || !strings.Contains(sheet, "client="+shop.ID) {
			t.Errorf("the sheet %s is %q", sheet, got)
		}
		if strings.Contains(page.Body, "<b onclick") || !strings.Contains(page.Body, "Ask &lt;b onclick") {
			t.Errorf("the sentence: %s", page)
		}
		if page := h.Browser().Open(wiki.Begin().URL()); strings.Contains(page.Body, "theme.css") || strings.Contains(page.Body, "onclick") {
			t.Errorf("another application: %s", page)
		}
		if got := h.Program().Get("/theme.css?client=" + wiki.ID + "&v=red%7D").Body; got != "" {
			t.Errorf("a sheet that nobody asked an administrator for: %q", got)
		}
	})
}
