package protocol

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/oidc"
)

const clientsPath = "/settings/admin/oidc-clients"

// shownSecret is where the pages show a new secret.
var shownSecret = regexp.MustCompile(`<code id="new-secret">([^<]{43})</code>`)

// clientForm is a form of the page of a client with nothing unusual in it.
func clientForm(changes ...string) url.Values {
	form := url.Values{"name": {"Shop"}, "redirect_uris": {"https://shop.example/cb", ""}, "redirect_uris_kind": {"exact", "exact"},
		"public": {"0"}, "pkce_required": {"on"}, "id_token_alg": {"RS256"}, "refresh_issue": {"always"}, "refresh_rotation": {""},
		"access_token_lifetime": {"60"}, "id_token_lifetime": {"60"}, "refresh_token_lifetime": {"43200"}}
	for i := 0; i < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	return form
}

// threats 84
func TestSecretIsShownOnce(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		form := clientForm("id", "", "draft", "draft-of-shop")
		page := admin.Submit(clientsPath+"/new", form)
		found := shownSecret.FindStringSubmatch(page.Body)
		if page.Status != http.StatusOK || found == nil {
			t.Fatalf("the new client shows no secret: %s", page)
		}
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("a page with a secret may be kept: %q", got)
		}
		// Sending the form again leads to the client that it made.
		again := admin.Submit(clientsPath+"/new", form)
		if again.URL.Path != clientsPath+"/draft-of-shop" || strings.Contains(again.Body, found[1]) {
			t.Errorf("sent twice: %s", again)
		}
		if n := strings.Count(admin.Open(clientsPath).Body, `<th scope="row">`); n != 1 {
			t.Errorf("there are %d clients", n)
		}
		page = admin.Submit(clientsPath+"/draft-of-shop/secrets", url.Values{"expires": {"30"}})
		second := shownSecret.FindStringSubmatch(page.Body)
		if second == nil || second[1] == found[1] {
			t.Fatalf("the new secret is not shown: %s", page)
		}
		page = admin.Open(clientsPath + "/draft-of-shop")
		for _, secret := range []string{found[1], second[1]} {
			if strings.Contains(page.Body, secret) || strings.Contains(h.Log(), secret) {
				t.Error("a secret is shown again, or is in the log")
			}
			if !strings.Contains(page.Body, secret[:4]+"…") {
				t.Errorf("the list does not name the secret: %s", page)
			}
		}
		for _, expires := range []string{"", "7", "-30", "x"} {
			if page := admin.Submit(clientsPath+"/draft-of-shop/secrets", url.Values{"expires": {expires}}); page.Status != http.StatusUnprocessableEntity {
				t.Errorf("expiry %q: %s", expires, page)
			}
		}
	})
}

func TestEditKeepsWhatThePageDoesNotShow(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		c := h.Client("shop", func(e *oidc.ClientEdit) { e.GroupRestricted = true })
		page := admin.Submit(clientsPath+"/"+c.ID, clientForm("was", seenOf(t, admin, clientsPath+"/"+c.ID), "name", "Shop of shops", "skip_consent", "on", "access_token_lifetime", "5"))
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "<h1>Shop of shops</h1>") {
			t.Fatalf("not saved: %s", page)
		}
		for _, want := range []string{`name="skip_consent" checked`, `name="access_token_lifetime"[^>]* value="5"`} {
			if !regexp.MustCompile(want).MatchString(page.Body) {
				t.Errorf("the page lacks %s", want)
			}
		}
		if list := admin.Open(clientsPath); !strings.Contains(list.Body, "Nobody") {
			t.Errorf("the restriction to groups is gone: %s", list)
		}
	})
}

func TestFaultOfAClientStandsBesideItsField(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		c := h.Client("shop")
		for _, tt := range []struct {
			field, tab string
			changes    []string
		}{
			{"name", "general", []string{"name", "", "description", "kept as typed"}},
			{"launch_url", "general", []string{"launch_url", "javascript:alert(1)", "description", "kept as typed"}},
			{"redirect_uris[0]", "uris", []string{"redirect_uris", "https://shop.example/#x", "description", "kept as typed"}},
			{"post_logout_uris[0]", "uris", []string{"post_logout_uris", "nowhere", "description", "kept as typed"}},
			{"id_token_lifetime", "tokens", []string{"id_token_lifetime", "soon", "description", "kept as typed"}},
			{"id_token_alg", "tokens", []string{"id_token_alg", "none", "description", "kept as typed"}},
		} {
			page := admin.Submit(clientsPath+"/"+c.ID, clientForm(tt.changes...))
			if page.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: got %s", tt.field, page)
				continue
			}
			wants := []string{`<tab-set at="` + tt.tab + `">`, `id="` + tt.field + `"`, `class="error"`, `value="kept as typed"`, `value="` + tt.changes[1] + `"`}
			if tt.field == "id_token_alg" {
				wants = wants[:4]
			}
			for _, want := range wants {
				if !strings.Contains(page.Body, want) {
					t.Errorf("%s: the page lacks %s", tt.field, want)
				}
			}
		}
	})
}

func TestClientMayHaveAHundredLongAddresses(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		c := h.Client("shop")
		form := clientForm("was", seenOf(t, admin, clientsPath+"/"+c.ID))
		form.Del("redirect_uris")
		for i := range 101 {
			form.Add("redirect_uris", "https://shop.example/"+strings.Repeat("a", 1500)+"/"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		}
		page := admin.Submit(clientsPath+"/"+c.ID, form)
		if page.Status != http.StatusUnprocessableEntity || strings.Count(page.Body, `name="redirect_uris"`) != 102 {
			t.Errorf("101 addresses: %d", page.Status)
		}
		form["redirect_uris"] = form["redirect_uris"][:100]
		page = admin.Submit(clientsPath+"/"+c.ID, form)
		if page.Status != http.StatusOK || strings.Count(page.Body, `name="redirect_uris"`) != 101 {
			t.Errorf("100 addresses: %d", page.Status)
		}
	})
}

func TestPublicClientIsOfferedNoSecret(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		form := clientForm("kind", "native", "draft", "app-on-a-phone")
		form.Del("pkce_required")
		page := admin.Submit(clientsPath+"/new", form)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "app-on-a-phone") || shownSecret.MatchString(page.Body) {
			t.Fatalf("a new public client: %s", page)
		}
		page = admin.Open(clientsPath + "/app-on-a-phone")
		if !strings.Contains(page.Body, `name="pkce_required" checked`) {
			t.Error("PKCE is not required of a public client")
		}
		if page := admin.Submit(clientsPath+"/app-on-a-phone/secrets", url.Values{"expires": {"0"}}); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("a secret for a public client: %s", page)
		}
	})
}

func TestClientsAreForAdministrators(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		c := h.Client("shop")
		ada := h.User("ada")
		ada.SignIn()
		for _, path := range []string{"", "/new", "/" + c.ID, "/" + c.ID + "/delete", "/" + c.ID + "/secrets/x/delete"} {
			if page := ada.Open(clientsPath + path); page.Status != http.StatusForbidden {
				t.Errorf("GET %s: %s", path, page)
			}
		}
		for _, path := range []string{"/new", "/" + c.ID, "/" + c.ID + "/delete", "/" + c.ID + "/secrets", "/" + c.ID + "/secrets/x/delete"} {
			if page := ada.Submit(clientsPath+path, clientForm("draft", "of-ada")); page.Status != http.StatusForbidden {
				t.Errorf("POST %s: %s", path, page)
			}
		}
		h.Settle()
	})
}

func TestClientsComeInPages(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		for i := range 27 {
			h.Client("shop-" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
		}
		names := regexp.MustCompile(`<a href="` + clientsPath + `/[^"/]+">([^<]+)</a>`)
		next := regexp.MustCompile(`<a href="([^"]+)" rel="next">`)
		var seen []string
		page := admin.Open(clientsPath + "?q=shop")
		for range 3 {
			for _, m := range names.FindAllStringSubmatch(page.Body, -1) {
				seen = append(seen, m[1])
			}
			m := next.FindStringSubmatch(page.Body)
			if m == nil {
				break
			}
			page = admin.Open(html.UnescapeString(m[1]))
		}
		if len(seen) != 27 || !slices.IsSorted(seen) {
			t.Errorf("%d clients are seen, in the order %v", len(seen), seen)
		}
		if page := admin.Open(clientsPath + "?q=%25"); !strings.Contains(page.Body, "Nothing begins with") {
			t.Errorf("a search for what means anything to LIKE: %s", page)
		}
	})
}
