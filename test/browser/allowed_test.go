package browser

import (
	"net/url"
	"testing"
)

// TestAllowed takes access back from applications: in a dialog, with the keyboard, and on
// the page that asks where there are no scripts.
func TestAllowed(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		const apps = "/settings/account/apps"
		p := s.admin(t, "en")
		p.open("/settings/account")
		p.click(`.side a[href="` + apps + `"]`)
		p.at(apps)
		p.text("No app uses your account yet")
		p.look("allowed-empty")

		// Each application answers to this very page.
		ids := map[string]string{}
		for name, scope := range map[string]string{"Grafana": "openid profile email groups offline_access", "Wiki": "openid", "A name as long as the names of applications can be": "openid email"} {
			address, _ := p.newClient(name, s.URL+apps)
			ids[name] = address[len(clientsPath)+1:]
			q := url.Values{"client_id": {ids[name]}, "response_type": {"code"}, "redirect_uri": {s.URL + apps}, "scope": {scope}, "state": {"s"},
				"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
			p.open("/authorize?" + q.Encode())
			p.click("button.primary")
			p.until(`location.search.startsWith("?code=")`)
		}
		p.open(apps)
		p.until(`document.querySelectorAll(".list > li").length === 3`)
		p.text("Name, Email, Groups. Stays signed in")
		p.look("allowed")

		// A no changes nothing.
		take := func(name string) string { return `a[href="` + apps + "/" + ids[name] + `/revoke"]` }
		p.click(take("Grafana"))
		p.see("dialog[open]")
		p.text("Take back access from Grafana?")
		p.press("\x1b")
		p.gone("dialog")
		p.until(`document.activeElement === document.querySelector('` + take("Grafana") + `')`)
		p.press("\r")
		p.see("dialog[open]")
		p.look("allowed-dialog")
		p.click("dialog button.primary")
		p.text("Grafana has no access any more.")
		p.until(`document.querySelectorAll(".list > li").length === 2`)

		p.open(apps + "/" + ids["Wiki"] + "/revoke")
		p.look("allowed-end")
		p.click("main button.primary")
		p.at(apps)
		p.until(`document.querySelectorAll(".list > li").length === 1`)

		// What was taken back in another tab is no secret.
		p.open(apps + "/" + ids["Wiki"] + "/revoke")
		p.text("This app has no access")

		// It asks again.
		q := url.Values{"client_id": {ids["Wiki"]}, "response_type": {"code"}, "redirect_uri": {s.URL + apps}, "scope": {"openid"}, "state": {"s"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
		p.open("/authorize?" + q.Encode())
		p.text("Wiki wants to use your account")
		p.quiet()
	})
}
