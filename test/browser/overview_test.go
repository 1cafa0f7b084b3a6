package browser

import (
	"net/url"
	"strconv"
	"testing"
	"time"
)

// TestOverview is the first page of an administrator: checks, the chart with its table and
// the lists that it leads to, counts in the menu; and the page of jobs that gave up.
func TestOverview(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/account")
		p.click(`.band a[href="/settings/admin"]`)
		p.at("/settings/admin")
		p.text("APP_URL is the address in use")
		// The tests have no limits, and the key for RS256 is made seconds after a first start.
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end) &&
			p.value(`String(document.querySelector("main").innerText.includes("A signing key is still being made"))`) == "true"; {
			time.Sleep(250 * time.Millisecond)
			p.open("/settings/admin")
		}
		p.text("One thing needs a look")
		p.text("Guesses are not slowed down")
		p.until(`document.querySelector('.list .disc').matches('.warn')`)
		p.until(`document.querySelector('.side a[href="/settings/admin/users"] .count').textContent === "1"`)
		p.until(`document.querySelector('.side a[href="/settings/admin/api-keys"] .count').textContent === "0"`)
		p.click("details summary")
		p.see("details table")
		p.look("overview")
		p.click(`details tbody tr:first-child a`)
		p.at("/settings/audit-log/global?event=signed-in")
		p.until(`document.querySelector(".log, .list, ol, ul")`)
		p.open("/settings/admin")
		p.click(`a.btn[href="/settings/admin"]`)
		p.text("APP_URL is the address in use")

		// What the browser says counts, whatever the server saw.
		p.value(`(document.querySelector("[data-origin]").dataset.origin = "https://elsewhere.example", "")`)
		p.value(`(import(document.querySelector("script[src*=overview]").src + "?again"), "")`)
		p.text("Your browser is at another address than APP_URL")

		p.open("/settings/admin/jobs")
		p.text("Nothing has given up")
		p.look("jobs-empty")

		p.forget()
		p.open("/settings/admin")
		p.text("Guesses are not slowed down")
		p.small()
		p.quiet()
	})
}

// small holds a page inside to what it may cost.
func (p *person) small() {
	p.t.Helper()
	p.until(`document.readyState === "complete"`)
	if n, bytes, urls := p.traffic(); n > 6 || bytes > 40<<10 {
		p.t.Errorf("the page takes %d requests and %d bytes: %v", n, bytes, urls)
	}
}

// launch gives a client the address where it starts, and a description.
func (p *person) launch(address, launch, description string) {
	p.t.Helper()
	p.open(address)
	p.fill("#launch_url", launch)
	p.fill("#description", description)
	p.submit("#general button.primary, footer button.primary")
}

// TestApps is what somebody may open: nothing at first, then tiles that are filtered as one
// types, with the keyboard, and access that is taken back.
func TestApps(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		const apps = "/settings/apps"
		p := s.admin(t, "en")
		p.open("/settings/account")
		p.click(`.band a[href="` + apps + `"]`)
		p.at(apps)
		p.text("Your pocket is empty")
		p.look("apps-none")
		p.click("main a.btn.primary")
		p.at(clientsPath + "/new")

		grafana, _ := p.newClient("Grafana", s.URL+apps)
		p.launch(grafana, s.URL+"/settings/account/passkeys", "Dashboards")
		wiki, _ := p.newClient("维基 and a name as long as a name can be, so…", s.URL+apps)
		p.launch(wiki, "https://wiki.example.com/start", "Ein Satz, der so lang ist, dass er nicht in eine Zeile passt, und noch ein wenig länger")
		p.newClient("No address", s.URL+apps)
		q := url.Values{"client_id": {grafana[len(clientsPath)+1:]}, "response_type": {"code"}, "redirect_uri": {s.URL + apps}, "scope": {"openid email"}, "state": {"s"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
		p.open("/authorize?" + q.Encode())
		p.click("button.primary")
		p.until(`location.search.startsWith("?code=")`)

		p.open(apps)
		p.text("3 apps you may sign in to")
		p.until(`/^Good (night|morning|afternoon|evening), /.test(document.querySelector("h1").innerText.trim())`)
		p.text("Apps without an address")
		p.text("Used within the last hour")
		p.look("apps")
		p.forget()
		p.open(apps)
		p.text("Dashboards")
		p.small()

		// Typing filters, and Enter opens what is left.
		left := func(n int) {
			p.t.Helper()
			p.until(`document.querySelectorAll(".tiles > li:not([hidden])").length === ` + strconv.Itoa(n))
		}
		p.fill("[data-tiles]", "graf")
		left(1)
		p.gone("[data-others]:not([hidden])")
		p.fill("[data-tiles]", "nothing like it")
		left(0)
		p.see("[data-none]")
		p.fill("[data-tiles]", "GRAFANA")
		left(1)
		p.press("\r")
		p.at("/settings/account/passkeys")

		// With the keyboard into the menu of a tile, and out of it with a yes.
		p.open(apps)
		menu := `document.activeElement.getAttribute("aria-label") === "What can be done with Grafana"`
		for range 30 {
			p.press("\t")
			if p.value(`String(`+menu+`)`) == "true" {
				break
			}
		}
		p.until(menu)
		p.press("\r")
		p.see(".pop:popover-open a[data-ask]")
		p.look("apps-menu")
		p.click(".pop:popover-open a[data-ask]")
		p.see("dialog[open]")
		p.text("Take back access from Grafana?")
		p.click("dialog button.primary")
		p.at(apps)
		p.text("Grafana has no access any more.")
		p.gone(`a[data-ask]`)

		// Somebody else sees what everybody may use, without the way to change it.
		p.open(apps + "?q=wiki")
		p.text("None of your apps has this in its name.")
		p.open(apps + "?q=" + url.QueryEscape("维基"))
		p.text("wiki.example.com")
		p.look("apps-search")
		p.quiet()
	})
}
