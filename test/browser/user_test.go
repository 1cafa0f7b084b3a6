package browser

import (
	"context"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// newAccount adds somebody with a whole name and returns the path of its page.
func (p *person) newAccount(username, first, last string) string {
	p.t.Helper()
	p.open(usersPath + "/new")
	p.fill("#username", username)
	p.fill("#email", username+"@example.com")
	p.fill("#first_name", first)
	p.fill("#last_name", last)
	p.click("footer button.primary")
	p.see("#general")
	return p.value(`location.pathname`)
}

// newGroup adds a group.
func (p *person) newGroup(name string) {
	p.t.Helper()
	p.open("/settings/admin/user-groups/new")
	p.fill("#friendly_name", name)
	p.click("footer button.primary")
	p.until(`!location.pathname.endsWith("/new")`)
}

// loginLink is the path of a one-time link for somebody.
func (s *server) loginLink(t *testing.T, username string) string {
	t.Helper()
	link := regexp.MustCompile(`/lc/\S+`).FindString(s.cli(t, "one-time-access-token", username))
	if link == "" {
		t.Fatal("the command prints no link")
	}
	return link
}

// comeIn uses a one-time link and adds a first passkey.
func (p *person) comeIn(link string) {
	p.t.Helper()
	p.open(link)
	p.click("button.primary")
	p.at("/settings/account/passkeys/add")
	p.ready()
	p.click("button.primary")
	p.until(`location.pathname === "/settings/account/passkeys"`)
}

// signIn signs in with the passkey of the profile, which the field offers by itself.
func (p *person) signIn() {
	p.t.Helper()
	p.open("/login")
	p.until(`!location.pathname.startsWith("/login")`)
}

// out fails unless the person is signed out. It asks without going to a sign-in page, on
// which the passkey of the profile would sign in by itself.
func (p *person) out() {
	p.t.Helper()
	if got := p.promise(`fetch("/settings/account").then(r => new URL(r.url).pathname)`); got != "/login" {
		p.fail("signed in at %s", got)
	}
}

// picked waits until these groups are picked.
func (p *person) picked(names string) {
	p.t.Helper()
	p.until(`[...document.querySelectorAll(".picks .chip")].map(c => c.textContent).join() === "` + names + `"`)
}

// submit clicks a button of a form and waits until another page is there.
func (p *person) submit(selector string) {
	p.t.Helper()
	p.see(selector)
	p.value(`(document.documentElement.dataset.before = "1")`)
	p.click(selector)
	p.until(`!document.documentElement.dataset.before && document.readyState === "complete"`)
}

// promise evaluates an expression that yields a promise of a string.
func (p *person) promise(expression string) string {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("%s: %v", expression, err)
	}
	return v
}

// elsewhere saves a form of this page as another administrator would who has it open too.
func (p *person) elsewhere(form, change string) {
	p.t.Helper()
	if got := p.promise(`(async () => { const f = document.querySelector("` + form + `"), d = new URLSearchParams(new FormData(f)); ` + change +
		`; return String((await fetch(f.action, {method: "POST", body: d})).status) })()`); got != "200" {
		p.fail("saving elsewhere: %s", got)
	}
}

// TestUserProfile changes everything that an administrator may change of an account.
func TestUserProfile(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.newGroup("Operations")
		p.newGroup("Design")
		p.newAccount("amara", "Amara", "Okafor")
		p.text("Invited")
		p.fill("#username", "a b")
		p.fill("#last_name", "Okafor-Lang")
		p.submit("#general footer button")
		p.see("#username[aria-invalid]")
		if got := p.value(`document.querySelector("#last_name").value`); got != "Okafor-Lang" {
			t.Errorf("after a fault the name is %q", got)
		}
		p.fill("#username", "amara.okafor")
		p.click("#email_verified")
		p.value(`document.querySelector("#expires_at").value = "2099-12-31"`)
		p.submit("#general footer button")
		p.text("Saved")
		if got := p.value(`["#username", "#last_name", "#expires_at"].map(i => document.querySelector(i).value).join() + document.querySelector("#email_verified").checked`); got != "amara.okafor,Okafor-Lang,2099-12-31true" {
			t.Errorf("saved is %q", got)
		}

		// Groups by the keyboard.
		p.do(chromedp.Focus(chromedp.CSS("#groups-find")))
		p.press("ope")
		p.enter()
		p.press("des")
		p.enter()
		p.picked("Design,Operations")
		p.submit("#user-groups footer button")
		p.text("The groups are saved")
		p.picked("Design,Operations")
		p.click(".picks .chip:nth-child(1) button") // Design
		p.submit("#user-groups footer button")
		p.text("The groups are saved")
		p.picked("Operations")

		// Claims, with a fault beside the field first.
		p.fill(`[id="claims[0]"]`, "sub")
		p.fill(`[id="claims_value[0]"]`, "somebody")
		p.submit("#custom-claims footer button")
		p.see(`[id="claims[0]"][aria-invalid]`)
		p.fill(`[id="claims[0]"]`, "department")
		p.submit("#custom-claims footer button")
		p.text("The claims are saved")
		if got := p.value(`document.querySelector('[id="claims[0]"]').value + document.querySelector('[id="claims_value[0]"]').value`); got != "departmentsomebody" {
			t.Errorf("the claims are %q", got)
		}

		// Somebody else saves the same account while this page is open.
		p.elsewhere("#general", `d.set("first_name", "Amarachi"); d.set("display_name", "Amarachi O.")`)
		p.fill("#last_name", "Okafor")
		p.fill("#display_name", "Amara O.")
		p.submit("#general footer button")
		p.see("#general .note.warn")
		p.text("First name: Amarachi")
		p.text("Display name: Amarachi O.")
		if got := p.value(`["#first_name", "#last_name", "#display_name"].map(i => document.querySelector(i).value).join()`); got != "Amarachi,Okafor,Amara O." {
			t.Errorf("the form has %q", got)
		}
		p.submit("#general footer button")
		p.text("Saved")
		p.elsewhere("#groups-form", `d.delete("groups")`)
		p.do(chromedp.Focus(chromedp.CSS("#groups-find")))
		p.press("des")
		p.enter()
		p.submit("#user-groups footer button")
		p.text("Operations: removed")
		p.picked("Design")
		p.submit("#user-groups footer button")
		p.text("The groups are saved")

		// A second administrator, so that the first one can give up.
		p.value(`document.querySelector("#expires_at").value = ""`)
		p.click("#admin")
		p.submit("#general footer button")
		p.text("Saved")
		p.see(".head .badge")
		p.click("#activity header a")
		p.at("/settings/audit-log/global?person=")
		p.text("amara.okafor")
		own := usersPath + "/" + p.userID()
		p.open(own)
		p.click("#admin")
		p.submit("#general footer button")
		p.text("Give up being an admin?")
		p.click("form a.btn")
		p.at(own)
		p.until(`document.querySelector("#admin").checked`)
		p.click("#admin")
		p.submit("#general footer button")
		p.submit("form button.primary")
		p.at("/settings/account")
		p.text("You are no longer an admin.")
		if got := p.promise(`fetch("` + own + `").then(r => String(r.status))`); got != "403" {
			t.Errorf("the page of administrators answers %s", got)
		}
		p.quiet()
	})
}

// userID is the id of the person, which their passkey carries.
func (p *person) userID() string {
	p.t.Helper()
	return string(p.credentials()[0].UserHandle)
}

// TestUserAccess takes passkeys and sessions from somebody.
func TestUserAccess(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p, ada := s.admin(t, "en"), s.newPerson(t, "en")
		address := p.newAccount("amara", "Amara", "Okafor")
		ada.comeIn(s.loginLink(t, "amara"))
		there := s.newPerson(t, "en")
		there.own(ada.credentials()[0])
		there.signIn()

		p.open(address)
		p.until(`document.querySelectorAll("#sessions .list li").length === 2`)
		p.click("#sessions .list li:nth-child(1) form button")
		p.text("That session was signed out.")
		p.until(`document.querySelectorAll("#sessions .list li").length === 1`)
		there.out()
		there.signIn()

		p.open(address)
		p.click("#sessions header a")
		p.see("dialog[open]")
		p.text("Sign out Amara Okafor everywhere?")
		p.press("\x1b")
		p.gone("dialog")
		p.until(`document.activeElement === document.querySelector("#sessions header a")`)
		p.enter() // the keyboard is enough
		p.see("dialog[open]")
		p.submit("dialog button.primary")
		p.text("Amara Okafor is signed out everywhere")
		p.until(`!document.querySelector("#sessions .list")`)
		ada.out()
		there.out()
		there.signIn()

		p.open(address)
		p.click("#passkeys .list a.danger")
		p.at("/login/again")
		p.ready()
		p.click("button.primary")
		p.at(address + "/passkeys/")
		p.text("needs a login link from you")
		p.click("form a.btn")
		p.at(address)
		p.click("#passkeys .list a.danger")
		p.see("dialog[open]") // the proof still counts
		p.submit("dialog button.primary")
		p.text("was removed here")
		p.until(`!document.querySelector("#passkeys .list")`)
		there.out()
		there.open("/login")
		there.see("[data-problem]:not([hidden])")

		// A link brings them back.
		p.click(".head a.btn")
		p.until(`location.pathname.endsWith("/link")`)
		ada.newAuthenticator()
		ada.comeIn(s.loginLink(t, "amara"))
		p.open(address)
		p.until(`document.querySelectorAll("#passkeys .list li").length === 1`)

		// Disabled and enabled from here; deleting leads away.
		p.click(`#danger a[href$="/disable"]`)
		p.see("dialog[open]")
		p.submit("dialog button.primary")
		p.at(address)
		p.text("Disabled")
		ada.out()
		p.gone(".head a.btn")
		p.click(`#danger a[href$="/enable"]`)
		p.see("dialog[open]")
		p.submit("dialog button.primary")
		p.see(".head a.btn")
		ada.out()
		p.open(address)
		p.click(`#danger a[href$="/delete"]`)
		p.see("dialog[open]")
		p.press("amara")
		p.until(`!document.querySelector("dialog button.primary").disabled`)
		p.submit("dialog button.primary")
		p.at(usersPath)
		if got := p.promise(`fetch("` + address + `").then(r => String(r.status))`); got != "404" {
			t.Errorf("the page of somebody deleted answers %s", got)
		}
		p.quiet()
		ada.quiet()
		there.quiet()
	})
}

// TestUserLooks looks at the page of a person in its states, and at what it costs.
func TestUserLooks(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p, ada := s.admin(t, "zh-CN"), s.newPerson(t, "en")
		for _, name := range []string{"Operations", "Design", "A group whose name is as long as it can be, 50 ch."} {
			p.newGroup(name)
		}
		address := p.newAccount("konstantin-maximilian.von.der.hohenstaufen-lang", "Konstantin-Maximilian Alexander", "von der Hohenstaufen-Langenburg")
		p.look("user-invited")
		ada.comeIn(s.loginLink(t, "konstantin-maximilian.von.der.hohenstaufen-lang"))
		p.open(address)
		p.value(`document.querySelector("#groups").options[0].selected = true, ""`)
		p.submit("#user-groups footer button")
		p.see(".picks .chip")
		p.look("user")
		p.fill("#username", "a b")
		p.submit("#general footer button")
		p.see("#username[aria-invalid]")
		p.look("user-fault")
		p.open(address)
		p.elsewhere("#general", `d.set("first_name", "Konstantin"); d.set("admin", "on")`)
		p.fill("#last_name", "Hohenstaufen")
		p.submit("#general footer button")
		p.see("#general .note.warn")
		p.look("user-meanwhile")
		p.open(address)
		p.click("#sessions header a")
		p.see("dialog[open]")
		p.look("user-signout-dialog")
		p.open(address + "/sign-out")
		p.look("user-signout")
		p.open(address)
		p.click("#passkeys .list a.danger")
		p.at("/login/again")
		p.ready()
		p.click("button.primary")
		p.at(address + "/passkeys/")
		p.look("user-passkey")
		p.open(usersPath + "/" + p.userID())
		p.look("user-self")
		p.click("#admin")
		p.submit("#general footer button")
		p.until(`document.querySelector("[name=sure]")`)
		p.look("user-demote")

		p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, network.ClearBrowserCache, cdp.Empty{})
			return err
		}))
		p.forget()
		p.open(address)
		p.until(`document.readyState === "complete"`)
		if n, bytes, urls := p.traffic(); n > 6 || bytes > 40<<10 {
			t.Errorf("%s takes %d bytes in %d requests: %s", address, bytes, n, urls)
		}
		p.quiet()
	})
}
