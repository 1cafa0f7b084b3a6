package protocol

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// accounts sets what holds for the accounts of people.
func accounts(t *testing.T, h *apptest.House, c settings.Accounts) {
	t.Helper()
	if _, err := h.App.Settings.Change(context.Background(), audit.System("cli"), c); err != nil {
		t.Fatal(err)
	}
}

// People delete their own account where the settings let them: after a proof for just that,
// and then nothing of it opens anything any more.
func TestPeopleDeleteTheirAccount(t *testing.T) { // threats 3, 33, 38
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		const leave = "/settings/account/delete"
		admin, ada := h.SetUp(), h.User("ada")
		shop := h.Client("shop")
		f, code := shop.Authorize(ada)
		tokens := f.Exchange(code)
		ada.SignIn()

		if page := ada.Open(leave); page.Status != http.StatusForbidden || strings.Contains(ada.Open("/settings/account").Body, leave) {
			t.Errorf("where it is not allowed: %s", page)
		}
		if page := ada.Submit(leave, nil); page.URL.Path != "/login/again" && page.Status != http.StatusForbidden {
			t.Errorf("sending it all the same: %s", page)
		}
		accounts(t, h, settings.Accounts{AllowOwnAccountEdit: true, AllowAccountDelete: true})
		if page := admin.Open(leave); page.Status != http.StatusOK || !strings.Contains(page.Body, "last administrator") {
			t.Errorf("the last administrator is asked: %s", page)
		}

		// A session is not enough, and neither is a proof for something else.
		if page := ada.Submit(leave, nil); page.URL.Path != "/login/again" {
			t.Errorf("without a proof: %s", page)
		}
		time.Sleep(time.Second)
		if _, code := ada.Prove("/login/again", "/settings/account/passkeys/add"); code != "" {
			t.Fatal(code)
		}
		if page := ada.Submit(leave, nil); page.URL.Path != "/login/again" {
			t.Errorf("with a proof for passkeys: %s", page)
		}
		time.Sleep(time.Minute)
		if next, code := ada.Prove("/login/again", leave); code != "" || next != leave {
			t.Fatalf("the proof leads to %q: %s", next, code)
		}
		if page := ada.Open(leave); !strings.Contains(page.Body, "shop") || !strings.Contains(page.Body, "ada@example.test") || !strings.Contains(page.Body, "stay reserved") {
			t.Errorf("the question does not name what goes and what stays: %s", page)
		}
		time.Sleep(4 * time.Minute)
		if page := ada.Submit(leave, nil); page.URL.Path != "/login/again" {
			t.Errorf("a proof of four minutes ago counts: %s", page)
		}
		if _, code := ada.Prove("/login/again", leave); code != "" {
			t.Fatal(code)
		}
		session := ada.Cookie("session")
		if page := ada.Submit(leave, nil); page.Status != http.StatusOK || !strings.Contains(page.Body, "Your account was deleted.") {
			t.Errorf("the end is %s", page)
		}
		h.Settle()
		if a := h.Program().Get("/settings/account", "Cookie", "__Host-session="+session); a.Status != http.StatusSeeOther {
			t.Errorf("the session opens %d", a.Status)
		}
		if status, _ := shop.Userinfo(tokens.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("the access token is answered %d", status)
		}
		if rows := strings.Join(h.Rows()["audit"], "\n"); strings.Count(rows, "user.deleted") != 1 {
			t.Error("it is not recorded once")
		}
	})
}

// What an administrator changed while somebody had their profile open is not taken back
// unseen: what was typed stays, and what changed is said.
func TestProfileChangedMeanwhile(t *testing.T) { // threats 65
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		u, err := h.App.Directory.User(t.Context(), ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		was, err := json.Marshal(u.Profile())
		if err != nil {
			t.Fatal(err)
		}
		edit := u.Edit()
		edit.LastName = "Byron <b>"
		if _, err := h.App.Directory.EditUser(t.Context(), audit.System("cli"), ada.ID, edit); err != nil {
			t.Fatal(err)
		}
		typed := url.Values{"username": {"ada"}, "email": {u.Email}, "first_name": {"阿达"}, "last_name": {u.LastName}, "display_name": {"آدا 🧶"}, "was": {string(was)}}
		page := ada.Submit("/settings/account", typed)
		if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, "Byron &lt;b&gt;") || !strings.Contains(page.Body, `value="阿达"`) || !strings.Contains(page.Body, "آدا 🧶") {
			t.Errorf("a profile that changed meanwhile: %s", page)
		}
		if now, err := h.App.Directory.User(t.Context(), ada.ID); err != nil || now.FirstName != u.FirstName || now.LastName != "Byron <b>" {
			t.Errorf("it is %+v, %v", now.Profile(), err)
		}
	})
}

// The pages of an account cost as many statements for many rows as for few.
func TestPagesOfAnAccountAskOnce(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		pages := []string{"/settings/account", "/settings/account/passkeys", "/settings/account/sessions", "/settings/account/apps", "/settings/audit-log"}
		cost := func(path string) int64 {
			t.Helper()
			ada.Open(path) // what is written once a minute
			before := h.App.DB.Statements()
			if page := ada.Open(path); page.Status != http.StatusOK || page.URL.Path != path {
				t.Fatalf("%s: %s", path, page)
			}
			return h.App.DB.Statements() - before
		}
		for _, name := range []string{"first", "second"} {
			api := h.API("https://"+name+".example", "read", "write")
			c := h.Client(name)
			api.Allow(c, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"read", "write"}})
			c.Authorize(ada, "scope", "openid read", "resource", "https://"+name+".example")
			ada.Elsewhere().SignIn()
		}
		few := map[string]int64{}
		for _, path := range pages {
			few[path] = cost(path)
			if few[path] > 12 {
				t.Errorf("%s costs %d statements", path, few[path])
			}
		}
		for i := range 12 {
			name := "more-" + string(rune('a'+i))
			api := h.API("https://"+name+".example", "read")
			c := h.Client(name)
			api.Allow(c, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"read"}})
			c.Authorize(ada, "scope", "openid read", "resource", "https://"+name+".example")
			ada.Elsewhere().SignIn()
		}
		for _, path := range pages {
			if n := cost(path); n > few[path]+1 { // a full page looks what stands on the next one
				t.Errorf("%s costs %d statements with many rows, %d with few", path, n, few[path])
			}
		}
		apps := ada.Open("/settings/account/apps")
		if !strings.Contains(apps.Body, "May read") || strings.Contains(apps.Body, "May write") {
			t.Errorf("the apps do not say what they may do at APIs: %s", apps)
		}
	})
}

// Whoever is signed out on a page of their account comes back to it.
func TestPagesOfAnAccountAreComeBackTo(t *testing.T) { // threats 33
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		for _, path := range []string{"/settings/account", "/settings/account/passkeys", "/settings/account/sessions", "/settings/account/apps", "/settings/account/delete", "/settings/audit-log?event=passkeys"} {
			a := h.Program().Get(path)
			if a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/login?redirect="+url.QueryEscape(path) {
				t.Errorf("%s leads to %d %s", path, a.Status, a.Header.Get("Location"))
			}
		}
	})
}
