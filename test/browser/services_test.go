package browser

import (
	"context"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

// TestServiceAccounts makes an account for a program and a key for it, uses the key, stops it
// by disabling the account, hands the account over, and deletes it. Owners are picked by a
// part of their name, with the keyboard and without; the list is sorted, and asked for those
// of an owner.
func TestServiceAccounts(t *testing.T) { // threats 62
	engines(t, func(t *testing.T, s *server) {
		const path = "/settings/admin/service-accounts"
		p := s.admin(t, "en")
		me := p.value(`document.querySelector("[data-me]").dataset.me`)
		s.house(t, func(ctx context.Context, by audit.Actor, a *app.App) {
			if _, err := a.Directory.AddUserAs(ctx, by, directory.NewUser{Username: "bea", Email: "bea@example.com", DisplayName: "Bea Byron"}); err != nil {
				t.Fatal(err)
			}
		})
		p.open("/settings/admin")
		p.click(`.side a[href="` + path + `"]`)
		p.at(path)
		p.look("services-empty")
		p.click(".empty a.btn.primary")
		p.at(path + "/new")
		p.fill("#owner", "nobody")
		p.fill("#username", "robot")
		p.fill("#display_name", "Cluster backup")
		p.fill("#description", "Copies the database each night")
		p.click("footer button.primary")
		p.see("#owner-e")
		p.look("service-new-fault")
		typed := func(part, want string) { // once the page finds people, and until it found the one
			t.Helper()
			p.until(`document.readyState === "complete" && document.querySelector("#owner[role=combobox]")`)
			p.fill("#owner", part)
			p.until(`document.querySelector("#owner-names:not([hidden]) [role=option]")?.innerText.includes("` + want + `")`)
		}
		pick := func(part, want string) {
			t.Helper()
			typed(part, want)
			p.press(kb.ArrowDown)
			p.until(`document.querySelector("#owner").getAttribute("aria-activedescendant") === "owner-names-0"`)
		}
		pick("byr", "bea")
		p.look("service-new-owners")
		p.press(kb.Escape)
		p.until(`document.querySelector("#owner-names").hidden && document.querySelector("#owner").value === "byr"`)
		pick("byr", "bea")
		p.press(kb.Enter)
		p.until(`document.querySelector("#owner-names").hidden && document.querySelector("#owner").value === "bea"`)
		p.click("footer button.primary")
		p.see("#keys")
		p.text("Bea Byron")
		p.until(`document.readyState === "complete"`)
		p.look("service")
		p.click("#keys a.btn.primary")
		p.proven(path)
		p.fill("#name", "Backup")
		p.click("footer button.primary")
		p.see("#new-key")
		key := p.value(`document.querySelector("#new-key").textContent`)
		use := func(want int) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/users/me", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-API-Key", key)
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			a.Body.Close()
			if a.StatusCode != want {
				t.Errorf("the key is answered %d, want %d", a.StatusCode, want)
			}
		}
		use(http.StatusOK)
		p.click("footer a.btn.primary")
		p.see("#keys td.act")
		if p.value(`document.documentElement.innerHTML.includes(`+"`"+key+"`"+`) ? "yes" : "no"`) != "no" {
			t.Error("the key is shown again")
		}
		p.look("service-key")
		p.click(`#danger a[href$="/disable"]`)
		p.see("dialog[open]")
		p.click("dialog button.primary")
		p.see(`#danger a[href$="/enable"]`)
		use(http.StatusForbidden)
		p.click(`#danger a[href$="/enable"]`)
		p.see("dialog[open]")
		p.click("dialog button.primary")
		p.see(`#danger a[href$="/disable"]`)
		use(http.StatusOK)
		typed("lovel", "ada")
		p.click("#owner-names [role=option]")
		p.until(`document.querySelector("#owner").value === "ada"`)
		p.submit("#hand footer button")
		p.see(`#hand .who a[href$="` + me + `"]`)
		var other string
		s.house(t, func(ctx context.Context, by audit.Actor, a *app.App) {
			u, err := a.Directory.AddServiceOf(ctx, by, "", "bea", directory.ServiceEdit{Username: "feeder", DisplayName: "A feed of news"})
			if err != nil {
				t.Fatal(err)
			}
			other = u.ID
		})
		rows := func(want string) {
			t.Helper()
			p.until(`[...document.querySelectorAll("tbody th a")].map(a => a.innerText).join() === "` + want + `"`)
		}
		p.open(path)
		p.look("services")
		rows("A feed of news,Cluster backup")
		p.click("thead th a")
		p.at(path + "?sort=-name")
		rows("Cluster backup,A feed of news")
		p.click("thead th:last-child a")
		p.at(path + "?sort=-created")
		rows("A feed of news,Cluster backup")
		pick("byr", "bea")
		p.press(kb.Enter)
		p.at(path + "?q=&owner=bea&state=&sort=-created")
		rows("A feed of news")
		p.look("services-of-an-owner")
		p.open(path)
		p.click(`tbody tr:last-child a.sub`)
		rows("Cluster backup")
		p.fill("#owner", "nobody"+kb.Enter)
		p.text("Nobody has the username or email “nobody”.")
		p.look("services-of-nobody")
		s.house(t, func(ctx context.Context, by audit.Actor, a *app.App) {
			if err := a.Directory.DeleteServices(ctx, by, other); err != nil {
				t.Fatal(err)
			}
		})
		p.click(".empty a.btn")
		p.click("tbody th a")
		p.click(`#danger a[href$="/delete"]`)
		p.see("dialog[open]")
		p.look("service-delete")
		p.fill("#confirm", "robot")
		p.click("dialog button.primary")
		p.at(path)
		p.see(".empty")
		use(http.StatusUnauthorized)
		p.quiet()
	})
}
