package browser

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	_ "pocketid/internal/dbtest" // SQLite for database/sql
)

// change brings about in the database what takes too long to wait for.
func (s *server) change(t *testing.T, statement string) {
	t.Helper()
	driver, dsn := "pgx", s.dsn
	if dsn == "" {
		driver, dsn = "sqlite", "file:"+filepath.Join(s.Dir, "data", "pocket-id.db")+"?_pragma=busy_timeout(5000)"
	}
	c, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// endSession ends all sessions of who is signed in, as another browser of theirs would.
func (p *person) endSession() {
	p.t.Helper()
	if got := p.promise(`fetch("/settings/account/sessions/everywhere", {method: "POST", redirect: "manual"}).then(r => r.type)`); got != "opaqueredirect" {
		p.fail("ending the sessions: %s", got)
	}
	p.out()
}

// fields are the values of the fields that a selector finds.
func (p *person) fields(selector string) string {
	p.t.Helper()
	return p.value(`[...document.querySelectorAll("` + selector + `")].map(i => i.type === "checkbox" ? String(i.checked) : i.value).join("|")`)
}

// cutOff takes the network away from a browser, or from what it asks for at one address.
func (p *person) cutOff(pattern string) {
	p.t.Helper()
	p.network([]*network.Conditions{{URLPattern: pattern, DownloadThroughput: -1, UploadThroughput: -1, Offline: true}})
}

// connect gives it back.
func (p *person) connect() { p.t.Helper(); p.network([]*network.Conditions{}) }

func (p *person) network(c []*network.Conditions) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: c})
		return err
	}))
}

// TestWhatWasTypedIsKept ends the session, the proof and the server while forms are open: what
// was typed is there again, and saving it still hears what somebody else has changed.
func TestWhatWasTypedIsKept(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		page := p.newAccount("augusta", "Ada", "Byron")
		p.newGroup("Crew")
		group := p.value(`location.pathname`)

		// The session has ended: signing in leads back to the page, and to its tab.
		p.open(group)
		p.tab("custom-claims")
		p.fill(`[id="claims[0]"]`, "team")
		p.fill(`[name=claims_value]`, "red")
		p.click(`[data-add]`)
		p.fill(`[id="claims[1]"]`, "desk")
		p.fill(`li:nth-child(2) [name=claims_value]`, "7")
		p.endSession()
		p.click(`form[action$="/claims"] button.primary`)
		p.text("What you typed is back")
		p.at(group)
		p.see(`[role=tab][aria-selected=true][aria-controls=custom-claims]`)
		if got := p.fields("[name=claims],[name=claims_value]"); got != "team|red|desk|7" {
			t.Errorf("the claims are %q", got)
		}
		p.look("kept-claims")
		p.submit(`form[action$="/claims"] button.primary`)
		p.until(`document.querySelectorAll("[name=claims]").length > 2`)
		p.open(group)
		if got := p.fields("[name=claims]"); got != "desk|team|" && got != "team|desk|" {
			t.Errorf("saved are %q", got)
		}
		if got := p.value(`String(document.querySelectorAll("main > .note, .note [data-kept]").length + (sessionStorage.getItem("kept") ? 10 : 0))`); got != "0" {
			t.Errorf("it is brought back once more: %s", got)
		}

		// What another changes meanwhile is told when it is saved after all.
		p.open(page)
		p.fill("#last_name", "King")
		p.elsewhere("#general", `d.set("first_name", "Augusta")`)
		p.endSession()
		p.submit("#general footer button.primary")
		p.text("What you typed is back")
		p.until(`document.querySelector("#last_name").value === "King" && document.querySelector("#first_name").value === "Ada"`)
		p.submit("#general footer button.primary")
		p.see(".note.warn")
		p.until(`document.querySelector("#last_name").value === "King" && document.querySelector("#first_name").value === "Augusta"`)
		p.submit("#general footer button.primary")
		p.gone(".note.warn")
		p.until(`document.querySelector("#last_name").value === "King" && document.querySelector("#first_name").value === "Augusta"`)

		// A proof that is over is given again.
		p.open("/settings/account/api-keys/new")
		p.proven("/settings/account/api-keys/new")
		p.fill("#name", "HR import")
		p.fill("#description", "Adds people")
		p.click(`[name=rights][value=some]`)
		p.value(`document.querySelector("#scope_users").value = "write"`)
		s.change(t, `DELETE FROM step_ups`)
		p.click("footer button.primary")
		p.at("/login/again")
		p.text("What you typed is kept")
		p.look("kept-again")
		p.proven("/settings/account/api-keys/new")
		p.text("What you typed is back")
		if got := p.fields("#name,#description,#scope_users"); got != "HR import|Adds people|write" {
			t.Errorf("after the proof the fields are %q", got)
		}
		p.click("footer button.primary")
		p.see("#new-key")

		// The server is gone: the page stays, says so, and goes on when it is back.
		p.open("/settings/admin/registration")
		p.fill("#clientRegistrationLimit", "77")
		p.see("form.typed .unsaved")
		s.stop()
		p.click("form[data-unsaved] footer button.primary")
		p.see(".offline:not([hidden])")
		p.look("server-gone")
		if got := p.fields("#clientRegistrationLimit"); got != "77" {
			t.Errorf("the field is %q", got)
		}
		s.launch(t)
		p.text("The server answers again.")
		p.gone(".offline:not([hidden])")
		p.submit("form[data-unsaved] footer button.primary")
		p.text("Saved. It holds at once.")
		p.until(`document.querySelector("#clientRegistrationLimit").value === "77"`)

		// A list that is searched while somebody types says it too, and a question that is asked in a dialog.
		p.open(usersPath)
		p.cutOff("")
		p.click("tbody tr .menu button")
		p.click(".pop:popover-open a.danger, .pop:popover-open a[data-ask]")
		p.see(".offline:not([hidden])")
		p.at(usersPath)
		p.connect()
		p.gone(".offline:not([hidden])")

		// The connection breaks off just then: the way back has what was typed.
		p.open("/settings/account")
		p.fill("#last_name", "Hopper")
		p.cutOff(s.URL + "/settings/account")
		p.click("#names footer button.primary")
		p.until(`!document.querySelector("#names")`)
		p.connect()
		p.do(chromedp.NavigateBack()) // the page of the browser has taken the place of the form's
		p.see("main[data-page]")
		p.open("/settings/account")
		p.until(`document.querySelector("#last_name")?.value === "Hopper"`)

		// Nothing is left of it for the next person at this browser.
		p.value(`(sessionStorage.setItem("kept", "{}"), "")`)
		p.click(".me")
		p.click(`form[action="/logout"] button`)
		p.until(`location.pathname !== "/settings/account" && sessionStorage.getItem("kept") === null`)
		p.quiet()
	})
}

// TestCeremoniesWithoutAServer cannot reach the server in each half of a ceremony, and tries again.
func TestCeremoniesWithoutAServer(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/account/passkeys")
		for _, half := range []string{"begin", "finish"} {
			p.open("/login/again?redirect=/settings/account/passkeys")
			p.ready()
			p.cutOff(s.URL + "/login/again/" + half)
			p.click("button.primary")
			p.text("The server did not answer")
			p.see("button.primary:not([disabled])")
			if half == "begin" {
				p.look("ceremony-gone")
			}
			p.connect()
			p.click("button.primary")
			p.at("/settings/account/passkeys")
		}
		p.quiet()
	})
}
