package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// admin sets the house up and leaves p signed in as its administrator.
func (s *server) admin(t *testing.T) *person {
	t.Helper()
	p := s.newPerson(t, "en")
	p.open("/setup")
	p.fill("#firstName", "Ada")
	p.fill("#lastName", "Lovelace")
	p.fill("#username", "ada")
	p.fill("#email", "ada@example.com")
	p.click("button.primary")
	p.at("/settings/account")
	return p
}

const clientsPath = "/settings/admin/oidc-clients"

// TestClients goes through the life of a client as an administrator sees it.
func TestClients(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t)
		p.open("/settings/admin")
		p.at(clientsPath)
		p.text("No clients yet")
		p.look("clients-empty")

		p.click("a.btn.primary")
		p.at(clientsPath + "/new")
		p.look("client-new")
		p.fill("#name", "Grafana")
		p.fill(`[id="redirect_uris[0]"]`, "https://grafana.example.com/#login")
		p.click("footer button.primary")
		p.see(`[id="redirect_uris[0]"][aria-invalid]`)
		if got := p.value(`document.querySelector("#name").value`); got != "Grafana" {
			t.Errorf("after a fault the name is %q", got)
		}
		p.look("client-new-fault")
		p.fill(`[id="redirect_uris[0]"]`, "https://grafana.example.com/login")
		p.click("footer button.primary")
		p.see("#new-secret")
		p.look("client-secret")
		secret := p.value(`document.querySelector("#new-secret").textContent`)
		if len(secret) != 43 {
			t.Errorf("the secret is %q", secret)
		}

		address := p.value(`location.pathname`)
		p.do(chromedp.Reload())
		p.see(`[role=tab][aria-selected=true][aria-controls=secrets]`)
		if strings.Contains(p.value(`document.documentElement.innerHTML`), secret) {
			t.Error("the secret is shown again")
		}
		p.look("client-secrets")
		p.click(`[aria-controls=general]`)
		p.look("client-general")

		p.fill("#launch_url", "https://grafana.example.com")
		p.click(`[aria-controls=tokens]`)
		p.look("client-tokens")
		p.fill("#access_token_lifetime", "soon")
		p.click(`[aria-controls=uris]`)
		p.look("client-uris")
		p.click("pair-list [data-add]")
		p.fill(`[id="redirect_uris[1]"]`, "https://grafana.example.com/second")
		p.click("#uris footer button")
		p.see(`#access_token_lifetime[aria-invalid]`)
		if got := p.value(`document.querySelector("#access_token_lifetime").value + document.querySelector("#launch_url").value`); got != "soonhttps://grafana.example.com" {
			t.Errorf("after a fault the fields hold %q", got)
		}
		p.look("client-fault")
		p.fill("#access_token_lifetime", "30")
		p.click("#tokens footer button")
		p.text("Saved")
		if got := p.value(`[...document.querySelectorAll("[name=redirect_uris]")].map(i => i.value).join() + document.querySelector("#access_token_lifetime").value`); got != "https://grafana.example.com/login,https://grafana.example.com/second,30" {
			t.Errorf("saved is %q", got)
		}

		p.click(`[aria-controls=secrets]`)
		p.do(chromedp.SetValue(chromedp.CSS("#expires"), "30"))
		p.click("button[form=secret]")
		p.see("#new-secret")
		p.click("a.btn.primary")
		p.at(address)
		p.click(`[aria-controls=secrets]`)
		p.look("client-two-secrets")
		p.click("#secrets .list a.danger")
		p.see("dialog[open]")
		p.look("secret-delete-dialog")
		p.click("dialog button.primary")
		p.text("The secret is deleted")
		p.see(`[role=tab][aria-selected=true][aria-controls=secrets]`)
		if got := p.value(`String(document.querySelectorAll("#secrets .list li").length)`); got != "1" {
			t.Errorf("%s secrets are left", got)
		}
		p.open(p.value(`document.querySelector("#secrets .list a.danger").href`))
		p.text("only secret")
		p.look("secret-delete")

		p.open(clientsPath + "?q=gra")
		p.text("Grafana")
		p.look("clients")
		p.open(clientsPath + "?q=nextcloud")
		p.text("Nothing begins with")
		p.look("clients-nothing")
		p.open(clientsPath)
		p.click("td.act button")
		p.click("td.act a.danger")
		p.see("dialog[open]")
		p.look("client-delete-dialog")
		p.press("Grafana")
		p.until(`!document.querySelector("dialog button.primary").disabled`)
		p.open(address + "/delete")
		p.look("client-delete")
		p.fill("#confirm", "Grafana")
		p.click("main button.primary")
		p.text("Grafana is deleted")
		p.text("No clients yet")
		p.quiet()
	})
}
