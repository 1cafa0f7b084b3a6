package protocol

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
)

// recordedOf counts the lines of the log with an event about two clients.
func recordedOf(h *apptest.House, event audit.Name, object, client string) (n int) {
	for _, row := range h.Rows()["audit"] {
		if strings.Contains(row, "event="+event.String()+" ") && strings.Contains(row, "object_id="+object+" ") && strings.Contains(row, "client_id="+client+" ") {
			n++
		}
	}
	return n
}

func TestAnApplicationIsSwitchedOffAndOn(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada, shop := h.SetUp(), h.User("ada"), h.Client("shop")
		path := clientsPath + "/" + shop.ID
		f, code := shop.Authorize(ada)
		old := f.Exchange(code)
		machine := shop.Machine()
		flow, waiting := shop.Authorize(ada)

		for _, deed := range []string{"/disable", "/enable"} {
			if page := ada.Open(path + deed); page.Status != http.StatusForbidden {
				t.Errorf("somebody is asked about %s: %s", deed, page)
			}
			if page := ada.Submit(path+deed, url.Values{}); page.Status != http.StatusForbidden {
				t.Errorf("somebody does %s: %s", deed, page)
			}
		}
		if status, _ := shop.Userinfo(old.AccessToken); status != http.StatusOK {
			t.Fatalf("userinfo: %d", status)
		}
		if page := boss.Open(path + "/disable"); page.Status != http.StatusOK || !strings.Contains(page.Body, "data-question") {
			t.Errorf("nobody is asked: %s", page)
		}
		if page := boss.Submit(path+"/disable", url.Values{}); page.URL.Path != path || !strings.Contains(page.Body, path+"/enable") {
			t.Errorf("it is not off: %s", page)
		}
		dead := func(when string) {
			t.Helper()
			if status, _ := shop.Userinfo(old.AccessToken); status != http.StatusUnauthorized {
				t.Errorf("%s: userinfo says %d", when, status)
			}
			for _, token := range []string{old.AccessToken, old.RefreshToken, machine.AccessToken} {
				if said := shop.Tell("/api/oidc/introspect", form("token", token)); said.Status == http.StatusOK && said.JSON()["active"] != false {
					t.Errorf("%s: a token is active: %s", when, said.Body)
				}
			}
			if got := shop.Refresh(old.RefreshToken); got.Status < 400 || got.AccessToken != "" {
				t.Errorf("%s: it is refreshed: %+v", when, got)
			}
		}
		dead("off")
		off := shop.Begin()
		refused(t, ada.Open(off.URL()), off, "access_denied")
		if got := shop.Machine(); got.AccessToken != "" {
			t.Errorf("a machine gets %+v", got)
		}
		if page := boss.Submit(path+"/enable", url.Values{}); page.URL.Path != path || !strings.Contains(page.Body, path+"/disable") {
			t.Errorf("it is not on: %s", page)
		}
		dead("on again")
		if got := flow.Redeem(waiting); got.AccessToken != "" {
			t.Error("a code of before is redeemed")
		}
		f, code = shop.Authorize(ada)
		if status, _ := shop.Userinfo(f.Exchange(code).AccessToken); status != http.StatusOK {
			t.Errorf("nobody can sign in anew: %d", status)
		}
		for _, event := range []audit.Name{audit.ClientDisabled, audit.ClientEnabled} {
			if n := recordedOf(h, event, shop.ID, shop.ID); n != 1 {
				t.Errorf("%s is recorded %d times", event, n)
			}
		}
	})
}

// What an administrator types beside the button is answered as a sign-in would be.
func TestAnAddressIsTriedOnThePage(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada := h.SetUp(), h.User("ada")
		shop := h.Client("shop", func(e *oidc.ClientEdit) {
			e.RedirectURIs = []oidc.URI{{URI: "https://shop.example/cb"}, {URI: "https://*.preview.example/cb", Pattern: true}, {URI: "http://127.0.0.1/cb"}}
		})
		path := clientsPath + "/" + shop.ID
		for asked, good := range map[string]bool{
			"https://shop.example/cb": true, "https://pr-7.preview.example/cb": true, "http://127.0.0.1:51234/cb": true,
			"https://shop.example/CB": false, "https://SHOP.example/cb": false, "https://user@shop.example/cb": false, "https://shop.example/cb#x": false,
			"https://a.b.preview.example/cb": false, "http://127.0.0.1:51234/other": false, "https://shop.example/cb/": false,
		} {
			page := ada.Open(shop.Begin("redirect_uri", asked).URL())
			if (page.Status == http.StatusOK) != good {
				t.Errorf("%s: authorize says %s", asked, page)
			}
			shown := boss.Open(path + "?try=" + url.QueryEscape(asked)).Body
			if got := strings.Contains(shown, "People would be sent there."); got != good || got == strings.Contains(shown, "People would not be sent there.") && !strings.ContainsAny(asked, "@#") && asked != "https://SHOP.example/cb" {
				t.Errorf("%s: the page says %v, want %v", asked, got, good)
			}
			a := boss.Raw(http.MethodPost, path+"/check", url.Values{"redirect_uris": {"https://shop.example/cb", "https://*.preview.example/cb", "http://127.0.0.1/cb"},
				"redirect_uris_kind": {"exact", "pattern", "exact"}, "try": {asked}}, "same-origin")
			if said := a.JSON(); said["good"] != good || said["text"] == "" || len(said["wrong"].(map[string]any)) != 0 {
				t.Errorf("%s: while it is typed the page says %s", asked, a.Body)
			}
		}
		if a := ada.Raw(http.MethodPost, path+"/check", url.Values{"try": {"https://shop.example/cb"}}, "same-origin"); a.Status == http.StatusOK {
			t.Errorf("somebody may try addresses: %s", a.Body)
		}
	})
}

var (
	shownJSON = regexp.MustCompile(`(?s)<pre tabindex="0" aria-label="([^"]*)">(.*?)</pre>`)
	signed    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`)
)

func TestThePageShowsWhatAnApplicationIsTold(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada, adam := h.SetUp(), h.User("ada"), h.User("adam")
		shop := h.Client("shop", plain)
		path := clientsPath + "/" + shop.ID
		preview := func(query ...string) *apptest.Page {
			t.Helper()
			page := boss.Open(path + "?" + form(query...).Encode())
			if page.Status != http.StatusOK || signed.MatchString(page.Body) {
				t.Fatalf("there is no page, or a token is in it: %s", page)
			}
			return page
		}
		told := func(page *apptest.Page) map[string]map[string]any {
			t.Helper()
			all := map[string]map[string]any{}
			for _, m := range shownJSON.FindAllStringSubmatch(page.Body, -1) {
				var said map[string]any
				if err := json.Unmarshal([]byte(html.UnescapeString(m[2])), &said); err == nil {
					all[m[1]] = said
				}
			}
			return all
		}
		f, code := shop.Authorize(ada, "scope", "openid profile email groups")
		_, heard := shop.Userinfo(f.Exchange(code).AccessToken)
		for _, query := range [][]string{{"who", "ada"}, {"who", " ADA "}, {"person", ada.ID}} {
			page := preview(append(query, "scope", "openid", "scope", "profile", "scope", "email", "scope", "groups")...)
			shown := told(page)
			if len(shown) != 3 || fmt.Sprint(shown["User info"]) != fmt.Sprint(heard) || shown["ID token"]["sub"] != ada.ID || shown["Access token"]["client_id"] != shop.ID {
				t.Errorf("%q: the page shows %v, userinfo says %v", query, shown, heard)
			}
		}
		if shown := told(preview("who", "ada", "scope", "openid"))["User info"]; shown["sub"] != ada.ID || len(shown) != 1 {
			t.Errorf("of openid alone it shows %v", shown)
		}
		// A beginning that several have lets one choose; nobody's is said to be.
		page := preview("who", "ad")
		for _, p := range []*apptest.Person{ada, adam} {
			if !strings.Contains(page.Body, `name="person" value="`+p.ID+`"`) {
				t.Errorf("%s cannot be chosen", p.Name)
			}
		}
		if len(told(page)) != 0 {
			t.Error("it shows somebody before one is chosen")
		}
		page = preview("who", "zo<b>e")
		if !strings.Contains(page.Body, "begins with zo&lt;b&gt;e.") || strings.Contains(page.Body, "{search}") {
			t.Error("it does not say that there is nobody")
		}
		// Who the gate turns away is said, and why, and nothing else.
		h.Disable(ada)
		page = preview("who", "ada")
		if !strings.Contains(page.Body, "turn them away") || len(told(page)) != 0 {
			t.Errorf("of somebody who is disabled it shows %v", told(page))
		}
		edit := func(change func(*oidc.ClientEdit)) {
			t.Helper()
			c, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), shop.ID)
			if err != nil {
				t.Fatal(err)
			}
			e := c.Edit()
			change(&e)
			if _, err := h.App.OIDC.EditClient(t.Context(), audit.System("cli"), shop.ID, e); err != nil {
				t.Fatal(err)
			}
		}
		edit(func(e *oidc.ClientEdit) { e.GroupRestricted = true })
		restricted := preview("person", adam.ID)
		if !strings.Contains(restricted.Body, "turn them away") || len(told(restricted)) != 0 {
			t.Errorf("of somebody outside the groups it shows %v", told(restricted))
		}
		why := regexp.MustCompile(`turn them away\.</strong>([^<]+)<`)
		if a, b := why.FindStringSubmatch(page.Body), why.FindStringSubmatch(restricted.Body); a == nil || b == nil || a[1] == b[1] {
			t.Errorf("the reasons are %q and %q", a, b)
		}
		adam.SignIn()
		if page := adam.Open(path + "?who=ada"); page.Status != http.StatusForbidden || strings.Contains(page.Body, ada.ID) {
			t.Errorf("somebody is shown it: %s", page)
		}
	})
}

func TestPairsAreAddedAndEndedOnThePage(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada := h.SetUp(), h.User("ada")
		web, api, phone := h.Client("web"), h.Client("api"), h.Client("phone", apptest.Public)
		path := clientsPath + "/" + api.ID + "/exchanges"
		f, code := web.Authorize(ada, "scope", "openid")
		token := f.Exchange(code).AccessToken
		if page := ada.Submit(path, url.Values{"from": {web.ID}}); page.Status != http.StatusForbidden {
			t.Errorf("somebody adds a pair: %s", page)
		}
		swapped(t, "nobody allowed it", api.Swap(token), "unauthorized_client")
		for from, said := range map[string]string{"no-such-client": "no client with this id", "": "no client with this id"} {
			if page := boss.Submit(path, url.Values{"from": {from}}); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, said) || !strings.Contains(page.Body, `<tab-set at="apis">`) {
				t.Errorf("%q: %s", from, page)
			}
		}
		if page := boss.Submit(clientsPath+"/"+phone.ID+"/exchanges", url.Values{"from": {web.ID}}); page.Status < 400 {
			t.Errorf("a public client: %s", page)
		}
		for range 2 { // a pair that is there stays
			page := boss.Submit(path, url.Values{"from": {" " + web.ID + " "}})
			if page.Status != http.StatusOK || strings.Count(page.Body, `name="from" value="`+web.ID+`"`) != 1 {
				t.Errorf("the pair is not on the page: %s", page)
			}
		}
		got := api.Swap(token)
		swapped(t, "allowed", got, "")
		if page := ada.Submit(path+"/end", url.Values{"from": {web.ID}}); page.Status != http.StatusForbidden {
			t.Errorf("somebody ends a pair: %s", page)
		}
		if page := boss.Submit(path+"/end", url.Values{"from": {web.ID}}); page.Status != http.StatusOK || strings.Contains(page.Body, `name="from" value="`+web.ID+`"`) {
			t.Errorf("the pair is still on the page: %s", page)
		}
		if page := boss.Submit(path+"/end", url.Values{"from": {web.ID}}); page.Status != http.StatusNotFound {
			t.Errorf("ended twice: %s", page)
		}
		if status, _ := api.Userinfo(got.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("what was exchanged lives on: %d", status)
		}
		if status, _ := web.Userinfo(token); status != http.StatusOK {
			t.Errorf("what it was exchanged for is dead: %d", status)
		}
		swapped(t, "ended", api.Swap(token), "unauthorized_client")
		for _, event := range []audit.Name{audit.ExchangeAllowed, audit.ExchangeForbidden} {
			if n := recordedOf(h, event, api.ID, web.ID); n != 1 {
				t.Errorf("%s is recorded %d times", event, n)
			}
		}
	})
}

// The form holds the absolute lifetime of refresh tokens to its bounds, and it counts.
func TestTheAbsoluteLifetimeIsSetOnThePage(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada, shop := h.SetUp(), h.User("ada"), h.Client("shop")
		path := clientsPath + "/" + shop.ID
		for _, typed := range []string{"0.5", "525601", "-1", "soon", "0", "NaN"} {
			page := boss.Submit(path, clientForm("was", seenOf(t, boss, path), "redirect_uris", shop.RedirectURI, "redirect_uris_kind", "exact", "refresh_max_lifetime", typed))
			if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `id="refresh_max_lifetime-e"`) || !strings.Contains(page.Body, `value="`+typed+`"`) {
				t.Errorf("%q: %d", typed, page.Status)
			}
		}
		page := boss.Submit(path, clientForm("was", seenOf(t, boss, path), "redirect_uris", shop.RedirectURI, "redirect_uris_kind", "exact", "refresh_max_lifetime", "120"))
		if page.Status != http.StatusOK {
			t.Fatalf("not saved: %s", page)
		}
		f, code := shop.Authorize(ada)
		token := f.Exchange(code).RefreshToken
		time.Sleep(2*time.Hour - time.Second)
		if got := shop.Refresh(token); got.Status != http.StatusOK {
			t.Errorf("a second before: %d %s", got.Status, got.Error)
		}
		time.Sleep(time.Second)
		if got := shop.Refresh(token); got.Status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("when it is over: %d %s", got.Status, got.Error)
		}
	})
}
