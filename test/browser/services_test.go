package browser

import (
	"context"
	"net/http"
	"testing"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

// TestServiceAccounts makes an account for a program and a key for it, uses the key, stops it
// by disabling the account, hands the account over, and deletes it.
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
		p.fill("#owner", "bea")
		p.click("footer button.primary")
		p.see("#keys")
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
		p.fill("#owner", me)
		p.submit("#hand footer button")
		p.see(`#hand .who a`)
		p.open(path)
		p.look("services")
		p.click("th a")
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
