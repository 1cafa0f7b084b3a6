package protocol

import (
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// details is the form of somebody who says everything about themselves, and that their
// number is verified.
func details(phone string) url.Values {
	return form("nickname", "Lady A", "middle_name", "King", "profile", "https://ada.example/about", "website", "https://ada.example",
		"picture", "https://ada.example/ada.png", "birthdate", "1815-12-10", "gender", "female", "zoneinfo", "Europe/London",
		"phone_number", phone, "phone_number_verified", "on", "street_address", "12 St James's Square", "locality", "London",
		"email_verified", "on", "admin", "on", "sub", "other", "address", "x", "claims", "role", "claims_value", "root")
}

// People change the claims that an administrator lets them change; whatever else is in
// their form changes nothing, and nobody verifies their own number.
func TestPeopleSayWhatIsTheirsToSay(t *testing.T) { // threats 65
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		const settings = "/settings/admin/application-configuration"
		admin, ada := h.SetUp(), h.User("ada")
		ada.SignIn()
		app := h.Client("app", plain)
		told := func() map[string]any {
			f, code := app.Authorize(ada, "scope", "openid profile phone address")
			status, said := app.Userinfo(f.Exchange(code).AccessToken)
			if status != 200 {
				t.Fatalf("userinfo: %d", status)
			}
			return said
		}
		wants := func(when, names string) {
			t.Helper()
			said := told()
			for _, name := range strings.Fields("nickname middle_name profile website picture birthdate gender zoneinfo phone_number address role") {
				if _, has := said[name]; has != strings.Contains(" "+names+" ", " "+name+" ") {
					t.Errorf("%s, %s is %v", when, name, said[name])
				}
			}
			if said["phone_number_verified"] == true || said["sub"] != ada.ID || said["email_verified"] != nil {
				t.Errorf("%s: %v", when, said)
			}
		}
		shown := func(path, field string) bool { return strings.Contains(ada.Open(path).Body, `name="`+field+`"`) }

		if page := ada.Save("/settings/account", "/settings/account/details", details("+44 20 7946 0123")); page.Status != 200 {
			t.Fatalf("got %s", page)
		}
		wants("by default", "nickname middle_name profile website zoneinfo")
		if !shown("/settings/account", "nickname") || shown("/settings/account", "birthdate") || shown("/settings/account", "phone_number") || shown("/settings/account", "locality") {
			t.Error("the page shows other fields than people may change")
		}

		page := admin.Open(settings)
		var was string
		for _, f := range apptest.Forms(page.Body) {
			if strings.HasSuffix(f.Action, "/details") {
				was = f.Values().Get("was")
			}
		}
		admin.Submit(settings+"/details", url.Values{"was": {was}, "userEditableClaims": {"phone_number", "address"}})
		ada.Save("/settings/account", "/settings/account/details", url.Values{"nickname": {""}, "phone_number": {"+44 20 7946 0123"}, "phone_number_verified": {"on"}, "locality": {"London"}})
		wants("with phone and address allowed", "nickname middle_name profile website zoneinfo phone_number address")
		if shown("/settings/account", "nickname") || !shown("/settings/account", "phone_number") || !shown("/settings/account", "locality") || shown("/settings/account", "phone_number_verified") {
			t.Error("the page shows other fields than people may change")
		}

		// A fault stands beside its field, and what was typed is still there.
		wrong := ada.Save("/settings/account", "/settings/account/details", url.Values{"phone_number": {"030 123"}, "locality": {"Paris"}})
		if wrong.Status != 422 || !strings.Contains(wrong.Body, `value="030 123"`) || !strings.Contains(wrong.Body, `id="phone_number-e"`) || !strings.Contains(wrong.Body, `value="Paris"`) {
			t.Errorf("a number that is none is answered %d", wrong.Status)
		}

		// The administrator verifies it; another number is not.
		user := "/settings/admin/users/" + ada.ID
		admin.Submit(user+"/details", withWas(t, admin.Open(user), details("+44 20 7946 0123")))
		if said := told(); said["phone_number_verified"] != true || said["birthdate"] != "1815-12-10" || said["role"] != nil {
			t.Errorf("after the administrator: %v", said)
		}
		ada.Save("/settings/account", "/settings/account/details", url.Values{"phone_number": {"+44 20 7946 0999"}, "phone_number_verified": {"on"}})
		if said := told(); said["phone_number"] != "+44 20 7946 0999" || said["phone_number_verified"] != false || said["address"] != nil {
			t.Errorf("after another number: %v", said)
		}

		// Somebody who had the page open before does not take that back unseen.
		page = admin.Open(user)
		ada.Save("/settings/account", "/settings/account/details", url.Values{"phone_number": {"+44 20 7946 0111"}})
		stale := admin.Submit(user+"/details", withWas(t, page, details("+44 20 7946 0123")))
		if stale.Status != 422 || !strings.Contains(stale.Body, "44 20 7946 0111") {
			t.Errorf("what has changed meanwhile is answered %d", stale.Status)
		}
		if status := ada.Submit(user+"/details", details("+44 20 7946 0123")).Status; status != 403 && status != 404 {
			t.Errorf("somebody without the right is answered %d", status)
		}
	})
}

// withWas is a form of the page of a person with what that showed.
func withWas(t *testing.T, page *apptest.Page, v url.Values) url.Values {
	t.Helper()
	for _, f := range apptest.Forms(page.Body) {
		if strings.HasSuffix(f.Action, "/details") {
			v.Set("was", f.Values().Get("was"))
			return v
		}
	}
	t.Fatalf("there is no form of details on %s", page)
	return nil
}
