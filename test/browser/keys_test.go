package browser

import "testing"

// TestAPIKeys makes a key for some things and one for everything, finds them in the list of
// everybody, and revokes them.
func TestAPIKeys(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		const path = "/settings/account/api-keys"
		p := s.admin(t, "en")
		p.open("/settings/account")
		p.click(`.side a[href="` + path + `"]`)
		p.at(path)
		p.see(".empty")
		p.look("api-keys-empty")
		p.click(".empty a.btn.primary")
		p.proven(path + "/new")
		p.fill("#name", "HR")
		p.click(`[name=rights][value=some]`)
		p.look("api-key-new")
		p.click("footer button.primary")
		p.see("#rights .error")
		p.look("api-key-new-fault")
		p.fill("#name", "HR import")
		p.fill("#description", "Adds people from the HR list")
		p.value(`document.querySelector("#scope_users").value = "write"`)
		p.click("footer button.primary")
		p.see("#new-key")
		key := p.value(`document.querySelector("#new-key").textContent`)
		p.look("api-key-made")
		p.click("footer a.btn.primary")
		p.see("td.act")
		p.at(path)
		if p.value(`document.documentElement.innerHTML.includes(`+"`"+key+"`"+`) ? "yes" : "no"`) != "no" {
			t.Error("the key is shown again")
		}
		p.text("Users (change)")
		p.open(path + "/new?name=" + "%D9%85%D9%81%D8%AA%D8%A7%D8%AD+%F0%9F%97%9D+%E5%A4%87%E4%BB%BD%E8%84%9A%E6%9C%AC&ends=30")
		p.click("footer button.primary")
		p.see("#new-key")
		p.open(path)
		p.look("api-keys")
		p.open("/settings/admin/api-keys?q=import")
		p.text("HR import")
		p.open("/settings/admin/api-keys")
		p.look("api-keys-all")
		p.click("td.act a")
		p.see("dialog[open]")
		p.look("api-key-revoke")
		p.click("dialog button.primary")
		p.see(".toast")
		p.open(path)
		p.click("td.act a")
		p.see("dialog[open]")
		p.click("dialog button.primary")
		p.see(".empty")
		p.quiet()
	})
}
