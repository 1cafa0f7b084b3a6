package protocol

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

const usersPath = "/settings/admin/users/"

// matches are what the groups of a pattern find on a page.
func matches(t *testing.T, page *apptest.Page, pattern string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(page.Body, -1) {
		found = append(found, html.UnescapeString(m[1]))
	}
	if found == nil {
		t.Fatalf("%s is not on the page: %s", pattern, page)
	}
	return found
}

// seenOf is what the first form of a page says of what it shows.
func seenOf(t *testing.T, boss *apptest.Person, path string) string {
	t.Helper()
	return matches(t, boss.Open(path), `name="was" value="([^"]*)"`)[0]
}

// profileOf is the form of somebody's page as an administrator finds it.
func profileOf(t *testing.T, boss *apptest.Person, id string, changes ...string) url.Values {
	t.Helper()
	page := boss.Open(usersPath + id)
	f := url.Values{"was": matches(t, page, `name="was" value="([^"]*)"`)[:1]}
	for _, name := range []string{"first_name", "last_name", "username", "display_name", "email"} {
		f.Set(name, matches(t, page, `<input id="`+name+`"[^>]*? value="([^"]*)"`)[0])
	}
	if strings.Contains(page.Body, `name="admin" checked`) {
		f.Set("admin", "on")
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if f.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			f.Del(changes[i])
		}
	}
	return f
}

// kept are the rows that nobody may change here.
func kept(h *apptest.House) map[string][]string {
	rows := h.Rows()
	for table := range rows {
		switch table {
		case "users", "user_groups", "user_group_members", "passkeys", "grants", "audit":
		default:
			delete(rows, table)
		}
	}
	return rows
}

// threats 54: who is no administrator changes nothing of anybody, and an id of one person
// finds nothing under the address of another.
func TestPageOfAPersonIsForAdministrators(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada, eve := h.User("ada"), h.User("eve")
		ada.SignIn()
		eve.SignIn()
		boss.Prove("/login/again", usersPath+ada.ID)
		page := boss.Open(usersPath + ada.ID)
		remove := matches(t, page, `href="([^"]*/passkeys/[^"]*/remove)"`)
		end := matches(t, page, `action="([^"]*/sessions/[^"]*/end)"`)
		here := usersPath + ada.ID
		asks := []string{here, remove[0], here + "/sign-out"}
		deeds := map[string]url.Values{
			here:               profileOf(t, boss, ada.ID, "first_name", "Eve", "admin", "on"),
			here + "/groups":   {"groups": {"x"}},
			here + "/claims":   {"was": {"{}"}, "claims": {"team"}, "claims_kind": {"text"}, "claims_value": {"ops"}},
			remove[0]:          {},
			end[0]:             {},
			here + "/sign-out": {},
		}
		before := kept(h)
		for _, who := range []*apptest.Person{eve, ada} {
			for _, path := range asks {
				if page := who.Open(path); page.Status != http.StatusForbidden || strings.Contains(page.Body, "ada@example.test") {
					t.Errorf("%s opens %s: %s", who.Name, path, page)
				}
			}
			for path, form := range deeds {
				if page := who.Submit(path, form); page.Status != http.StatusForbidden {
					t.Errorf("%s sends %s: %s", who.Name, path, page)
				}
			}
		}
		stranger := h.Browser()
		for path, form := range deeds {
			if page := stranger.Submit(path, form); page.Status == http.StatusOK && page.URL.Path != "/login" {
				t.Errorf("a stranger sends %s: %s", path, page)
			}
		}
		for _, path := range []string{strings.Replace(remove[0], ada.ID, eve.ID, 1), strings.Replace(end[0], ada.ID, eve.ID, 1),
			strings.Replace(remove[0], ada.ID, boss.ID, 1), strings.Replace(end[0], ada.ID, boss.ID, 1),
			usersPath + "nobody/sign-out", usersPath + "nobody/groups", usersPath + "nobody/claims", usersPath + "nobody"} {
			if page := boss.Submit(path, url.Values{}); page.Status != http.StatusNotFound {
				t.Errorf("an id of somebody else at %s: %s", path, page)
			}
		}
		if page := boss.Open(strings.Replace(remove[0], ada.ID, eve.ID, 1)); page.Status != http.StatusNotFound {
			t.Errorf("the question about a passkey of somebody else: %s", page)
		}
		if after := kept(h); !reflect.DeepEqual(before, after) {
			t.Errorf("something changed:\n%v\n%v", before, after)
		}
		if !inside(ada) || !inside(eve) {
			t.Error("somebody is signed out")
		}
	})
}

// threats 3
func TestAdministratorTakesAPasskeyAway(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		here := usersPath + ada.ID
		remove := matches(t, boss.Open(here), `href="([^"]*/passkeys/[^"]*/remove)"`)[0]
		if page := boss.Open(remove); page.URL.Path != "/login/again" {
			t.Fatalf("without a fresh proof the question is %s", page)
		}
		if page := boss.Submit(remove, url.Values{}); page.URL.Path != "/login/again" {
			t.Fatalf("without a fresh proof the deed is %s", page)
		}
		if !inside(ada) {
			t.Fatal("it was done without a fresh proof")
		}
		next, code := boss.Prove("/login/again", remove)
		if code != "" || next != remove {
			t.Fatalf("the proof leads to %q, %s", next, code)
		}
		if page := boss.Open(next); page.Status != http.StatusOK || !strings.Contains(page.Body, "needs a login link") {
			t.Fatalf("the question does not say what becomes of them: %s", page)
		}
		if page := boss.Submit(remove, url.Values{}); page.URL.Path != here || page.Status != http.StatusOK {
			t.Fatalf("removing: %s", page)
		}
		if inside(ada) {
			t.Error("a session of a removed passkey lives on")
		}
		if _, code := ada.Prove("/login", "/settings"); code != "passkey_unknown" {
			t.Errorf("signing in with a removed passkey: %q", code)
		}
		link := h.Link(ada)
		if page := ada.Submit("/lc", url.Values{"code": {link}}); page.URL.Path != "/settings/account/passkeys/add" {
			t.Errorf("the way back in: %s", page)
		}
	})
}

// threats 3: what somebody has open is dead at once, before any job has run.
func TestAdministratorSignsSomebodyOutEverywhere(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada, shop := h.User("ada"), h.Client("shop")
		ada.SignIn()
		there := ada.Elsewhere()
		there.SignIn()
		online, code := shop.Authorize(ada, "scope", "openid")
		bound := online.Exchange(code)
		offline, code := shop.Authorize(there)
		away := offline.Exchange(code)
		pending, code := shop.Authorize(ada)
		link := h.Link(ada)
		time.Sleep(time.Second)

		here := usersPath + ada.ID
		if page := boss.Open(here + "/sign-out"); page.Status != http.StatusOK || !strings.Contains(page.Body, "ada Example") {
			t.Fatalf("the question: %s", page)
		}
		if page := boss.Submit(here+"/sign-out", url.Values{}); page.URL.Path != here {
			t.Fatalf("the deed: %s", page)
		}
		if inside(ada) || inside(there) {
			t.Error("a session lives on")
		}
		if got := pending.Redeem(code); got.Error != "invalid_grant" {
			t.Errorf("a code that was not redeemed: %+v", got)
		}
		for name, token := range map[string]apptest.Tokens{"of a session": bound, "for times without the person": away} {
			if status, _ := shop.Userinfo(token.AccessToken); status != http.StatusUnauthorized {
				t.Errorf("userinfo %s: %d", name, status)
			}
			if got := shop.Refresh(token.RefreshToken); got.Error != "invalid_grant" {
				t.Errorf("refresh %s: %+v", name, got)
			}
		}
		if page := h.Browser().Submit("/lc", url.Values{"code": {link}}); page.Status == http.StatusOK && page.URL.Path != "/lc" {
			t.Errorf("a login link from before: %s", page)
		}
		h.Settle()
		ada.SignIn()
		if !inside(ada) || !inside(boss) {
			t.Error("somebody cannot go on who should")
		}
		if got := shop.Refresh(away.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("signing in revived a refresh token: %+v", got)
		}
		page := boss.Open(here)
		end := matches(t, page, `action="([^"]*/sessions/[^"]*/end)"`)
		if len(end) != 1 {
			t.Fatalf("the sessions are %q", end)
		}
		if page := boss.Submit(end[0], url.Values{}); page.URL.Path != here {
			t.Errorf("ending one: %s", page)
		}
		if inside(ada) {
			t.Error("the session that was ended lives on")
		}
	})
}

// threats 56: the right of an administrator ends with the next request, and the last one keeps it.
func TestRightsAreAskedAtEachRequest(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		own := usersPath + boss.ID
		if page := boss.Submit(own, profileOf(t, boss, boss.ID, "admin", "", "sure", "1")); page.Status != http.StatusUnprocessableEntity {
			t.Fatalf("the last one gives up: %s", page)
		}
		if page := boss.Submit(own, profileOf(t, boss, boss.ID, "admin", "")); page.Status != http.StatusUnprocessableEntity || strings.Contains(page.Body, `name="sure"`) {
			t.Fatalf("the last one is asked in vain: %s", page)
		}
		if page := boss.Submit(usersPath+ada.ID, profileOf(t, boss, ada.ID, "admin", "on")); page.Status != http.StatusOK || page.URL.Path != usersPath+ada.ID {
			t.Fatalf("making an administrator: %s", page)
		}
		if page := ada.Open(own); page.Status != http.StatusOK {
			t.Fatalf("the new one sees %s", page)
		}
		page := boss.Submit(own, profileOf(t, boss, boss.ID, "admin", "", "first_name", "Mia"))
		if !strings.Contains(page.Body, `name="sure"`) {
			t.Fatalf("giving up one's own right is not asked about: %s", page)
		}
		if page := boss.Open(own); page.Status != http.StatusOK {
			t.Fatalf("the question was a deed: %s", page)
		}
		form := url.Values{"sure": {"1"}}
		for _, m := range regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(page.Body, -1) {
			form.Set(m[1], html.UnescapeString(m[2]))
		}
		if page := boss.Submit(own, form); page.URL.Path != "/settings/account" || page.Status != http.StatusOK {
			t.Fatalf("giving up: %s", page)
		}
		if page := boss.Open(own); page.Status != http.StatusForbidden {
			t.Errorf("without the right: %s", page)
		}
		if got := profileOf(t, ada, boss.ID); got.Has("admin") || got.Get("first_name") != "Mia" {
			t.Errorf("saved is %v", got)
		}
	})
}

// Two administrators who have one page open do not take each other's changes back.
func TestTwoAdministratorsAtOnePage(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := h.User("ada")
		here := usersPath + ada.ID
		first := profileOf(t, boss, ada.ID, "first_name", "Augusta", "display_name", "Augusta Ada")
		second := profileOf(t, boss, ada.ID, "last_name", "Lovelace", "display_name", "Countess")
		if page := boss.Submit(here, first); page.Status != http.StatusOK || page.URL.Path != here {
			t.Fatalf("the first one: %s", page)
		}
		page := boss.Submit(here, second)
		if page.Status != http.StatusUnprocessableEntity {
			t.Fatalf("the second one: %s", page)
		}
		for name, want := range map[string]string{"first_name": "Augusta", "last_name": "Lovelace", "display_name": "Countess"} {
			if got := matches(t, page, `<input id="`+name+`"[^>]*? value="([^"]*)"`)[0]; got != want {
				t.Errorf("the field %s has %q, want %q", name, got, want)
			}
		}
		if got := strings.Join(matches(t, page, `<li>([^<]*: Augusta[^<]*)</li>`), "; "); got != "First name: Augusta; Display name: Augusta Ada" {
			t.Errorf("what changed is %q", got)
		}
		second.Set("first_name", "Augusta")
		second["was"] = matches(t, page, `name="was" value="([^"]*)"`)[:1]
		if page := boss.Submit(here, second); page.Status != http.StatusOK {
			t.Fatalf("saving again: %s", page)
		}
		if got := profileOf(t, boss, ada.ID); got.Get("first_name") != "Augusta" || got.Get("last_name") != "Lovelace" || got.Get("display_name") != "Countess" {
			t.Errorf("saved is %v", got)
		}

		claims := func(was string, pairs ...string) *apptest.Page {
			form := url.Values{"was": {was}}
			for i := 0; i < len(pairs); i += 2 {
				form.Add("claims", pairs[i])
				form.Add("claims_kind", "text")
				form.Add("claims_value", pairs[i+1])
			}
			return boss.Submit(here+"/claims", form)
		}
		if page := claims("{}", "team", "ops"); page.Status != http.StatusOK {
			t.Fatalf("the first claims: %s", page)
		}
		page = claims("{}", "desk", "4")
		if page.Status != http.StatusUnprocessableEntity {
			t.Fatalf("the second claims: %s", page)
		}
		if got := strings.Join(matches(t, page, `name="claims" value="([^"]+)"`), " "); got != "desk team" {
			t.Errorf("the claims to look at are %q", got)
		}
		if page := claims(`not JSON`, "desk", "4"); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("a damaged form: %s", page)
		}
	})
}

// The page of a client does not take back what another administrator saved meanwhile.
func TestTwoAdministratorsAtOneClient(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, shop := h.SetUp(), h.Client("shop")
		here := clientsPath + "/" + shop.ID
		seen := seenOf(t, boss, here)
		save := func(was string, changes ...string) *apptest.Page {
			f := url.Values{"was": {was}, "name": {"shop"}, "redirect_uris": {shop.RedirectURI}, "redirect_uris_kind": {"exact"},
				"post_logout_uris": {"https://shop.example/"}, "public": {"0"}, "id_token_alg": {"RS256"}, "refresh_issue": {"always"},
				"refresh_rotation": {""}, "access_token_lifetime": {"60"}, "id_token_lifetime": {"60"}, "refresh_token_lifetime": {"43200"}}
			for i := 0; i < len(changes); i += 2 {
				f.Set(changes[i], changes[i+1])
			}
			return boss.Submit(here, f)
		}
		if page := save(seen, "access_token_lifetime", "5", "skip_consent", "on"); page.Status != http.StatusOK {
			t.Fatalf("the first one: %s", page)
		}
		page := save(seen, "description", "A shop")
		if page.Status != http.StatusUnprocessableEntity {
			t.Fatalf("the second one: %s", page)
		}
		for name, want := range map[string]string{"description": "A shop", "access_token_lifetime": "5"} {
			if got := matches(t, page, `<input id="`+name+`"[^>]*? value="([^"]*)"`)[0]; got != want {
				t.Errorf("the field %s has %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(page.Body, `name="skip_consent" checked`) {
			t.Error("a switch that nobody touched is turned back")
		}
		if page := save(matches(t, page, `name="was" value="([^"]*)"`)[0], "description", "A shop", "access_token_lifetime", "5", "skip_consent", "on"); page.Status != http.StatusOK {
			t.Errorf("saving again: %s", page)
		}
	})
}

// With more groups than a form offers, those of the person can still be taken away, and
// none is lost by saving.
func TestPersonAmongManyGroups(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := h.User("ada")
		for i := range 301 {
			h.SQL(`INSERT INTO user_groups (id, name, name_key, friendly_name, friendly_key, created_at, updated_at) VALUES ($1, $1, $1, $1, $1, 1, 1)`, fmt.Sprintf("g%03d", i))
		}
		for _, id := range []string{"g299", "g300"} {
			h.SQL(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, 1)`, id, ada.ID)
		}
		here := usersPath + ada.ID
		page := boss.Open(here)
		if got := matches(t, page, `<option value="(g\d+)" selected>`); !slices.Equal(got, []string{"g299", "g300"}) || strings.Contains(page.Body, "g000") {
			t.Errorf("offered are %q", got)
		}
		if page := boss.Submit(here+"/groups", url.Values{"was": {"g299", "g300"}, "groups": {"g300"}}); page.Status != http.StatusOK {
			t.Fatalf("saving: %s", page)
		}
		if got := matches(t, boss.Open(here), `<option value="(g\d+)" selected>`); !slices.Equal(got, []string{"g300"}) {
			t.Errorf("the groups are %q", got)
		}
	})
}
