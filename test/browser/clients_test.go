package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// admin sets the house up and returns its administrator, signed in.
func (s *server) admin(t *testing.T, language string) *person {
	t.Helper()
	p := s.newPerson(t, language)
	p.setUp(words[language]["setup"])
	return p
}

const (
	clientsPath = "/settings/admin/oidc-clients"
	firstURI    = `[id="redirect_uris[0]"]`
)

// newClient adds a client and returns the path of its page and its secret.
func (p *person) newClient(name, uri string) (string, string) {
	p.t.Helper()
	p.open(clientsPath + "/new")
	p.fill("#name", name)
	p.fill(firstURI, uri)
	p.click("footer button.primary")
	p.see("#new-secret")
	return p.value(`location.pathname`), p.value(`document.querySelector("#new-secret").textContent`)
}

// TestClients goes through the life of a client as an administrator sees it.
func TestClients(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open(clientsPath)
		p.text("No clients yet")
		p.click("a.btn.primary")
		p.at(clientsPath + "/new")
		p.fill("#name", "Grafana")
		p.fill(firstURI, "https://grafana.example.com/#login")
		p.click("footer button.primary")
		p.see(firstURI + "[aria-invalid]")
		if got := p.value(`document.querySelector("#name").value`); got != "Grafana" {
			t.Errorf("after a fault the name is %q", got)
		}
		p.fill(firstURI, "https://grafana.example.com/login")
		p.click("footer button.primary")
		p.see("#new-secret")
		secret := p.value(`document.querySelector("#new-secret").textContent`)
		address := p.value(`location.pathname`)
		if len(secret) != 43 || strings.HasSuffix(address, "/new") {
			t.Errorf("the secret is %q at %s", secret, address)
		}
		p.do(chromedp.Reload())
		p.see(`[role=tab][aria-selected=true][aria-controls=secrets]`)
		if strings.Contains(p.value(`document.documentElement.innerHTML`), secret) {
			t.Error("the secret is shown again")
		}

		// What is typed in one tab is kept when another is at fault.
		p.click(`[aria-controls=general]`)
		p.fill("#launch_url", "https://grafana.example.com")
		p.click(`[aria-controls=tokens]`)
		p.fill("#access_token_lifetime", "soon")
		p.click(`[aria-controls=uris]`)
		p.click("pair-list [data-add]")
		p.fill(`[id="redirect_uris[1]"]`, "https://grafana.example.com/second")
		p.click("#uris footer button")
		p.see(`#access_token_lifetime[aria-invalid]`)
		if got := p.value(`document.querySelector("#access_token_lifetime").value + document.querySelector("#launch_url").value`); got != "soonhttps://grafana.example.com" {
			t.Errorf("after a fault the fields hold %q", got)
		}
		p.click(`[aria-controls=general]`)
		p.click(".note.bad a")
		p.see("#access_token_lifetime")
		p.fill("#access_token_lifetime", "30")
		p.click("#tokens footer button")
		p.text("Saved")
		p.see(`[role=tab][aria-selected=true][aria-controls=tokens]`)
		if got := p.value(`[...document.querySelectorAll("[name=redirect_uris]")].map(i => i.value).join() + document.querySelector("#access_token_lifetime").value`); got != "https://grafana.example.com/login,https://grafana.example.com/second,30" {
			t.Errorf("saved is %q", got)
		}

		p.click(`[aria-controls=secrets]`)
		p.do(chromedp.SetValue(chromedp.CSS("#expires"), "30"))
		p.click("button[form=secret]")
		p.see("#new-secret")
		p.click("footer a.btn.primary")
		p.at(address)
		p.click(`[aria-controls=secrets]`)
		p.click("#secrets .list a.danger")
		p.see("dialog[open]")
		p.press("\x1b")
		p.gone("dialog")
		if got := p.value(`String(document.activeElement === document.querySelector("#secrets .list a.danger"))`); got != "true" {
			t.Error("the focus does not come back to the link")
		}
		p.click("#secrets .list a.danger")
		p.click("dialog button.primary")
		p.text("The secret is deleted")
		p.see(`[role=tab][aria-selected=true][aria-controls=secrets]`)
		if got := p.value(`String(document.querySelectorAll("#secrets .list li").length)`); got != "1" {
			t.Errorf("%s secrets are left", got)
		}

		p.open(clientsPath + "?q=nextcloud")
		p.text("Nothing begins with")
		p.open(clientsPath + "?q=gra")
		p.click("td.act button")
		p.click("td.act a.danger")
		p.see("dialog[open]")
		p.until(`document.querySelector("dialog button.primary").disabled`)
		p.press("Grafana")
		p.until(`!document.querySelector("dialog button.primary").disabled`)
		p.click("dialog button.primary")
		p.text("Grafana is deleted")
		p.text("No clients yet")
		p.quiet()
	})
}

// TestClientPages looks at the pages about clients but the tabs.
func TestClientPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open(clientsPath)
		p.look("clients-empty")
		p.open(clientsPath + "/new")
		p.look("client-new")
		p.fill("#name", "Grafana")
		p.fill(firstURI, "https://grafana.example.com/#login")
		p.click("footer button.primary")
		p.see(firstURI + "[aria-invalid]")
		p.look("client-new-fault")
		p.fill(firstURI, "https://grafana.example.com/login")
		p.click("footer button.primary")
		p.see("#new-secret")
		p.look("client-secret")
		address := p.value(`location.pathname`)
		p.newClient("An application whose name is as long as it may be", "https://a-name-that-is-as-long-as-a-name-can-be.example.com/callback")
		p.open(clientsPath)
		p.look("clients")
		p.open(clientsPath + "?q=nextcloud")
		p.look("clients-nothing")
		p.open(address + "/delete")
		p.look("client-delete")
		p.open(address)
		p.click(`#general a[href$="/delete"]`)
		p.see("dialog[open]")
		p.look("client-delete-dialog")
		p.open(address)
		p.open(p.value(`document.querySelector("#secrets .list a.danger").href`))
		p.look("secret-delete")
		p.quiet()
	})
}

// TestClientTabs looks at the tabs of a client, and at what they cost.
func TestClientTabs(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "zh-CN")
		address, _ := p.newClient("Grafana", "https://grafana.example.com/login")
		for _, tab := range []string{"general", "uris", "access", "tokens", "secrets", "claims", "apis"} {
			p.open(clientsPath)
			p.open(address + "#" + tab)
			p.see("#" + tab)
			p.look("client-" + tab)
		}
		p.open(address + "#tokens")
		p.click(`#tokens [name=public][value="1"]`)
		p.see(".if-public")
		p.fill("#id_token_lifetime", "0")
		p.click("#tokens footer button")
		p.see("#id_token_lifetime[aria-invalid]")
		p.look("client-fault")

		for _, path := range []string{clientsPath, clientsPath + "/new", address} {
			p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
				_, err := chromedp.Call(ctx, network.ClearBrowserCache, cdp.Empty{})
				return err
			}))
			p.forget()
			p.open(path)
			p.until(`document.readyState === "complete"`)
			if n, bytes, urls := p.traffic(); n > 6 || bytes > 40<<10 {
				t.Errorf("%s takes %d bytes in %d requests: %s", path, bytes, n, urls)
			}
		}
		p.quiet()
	})
}
