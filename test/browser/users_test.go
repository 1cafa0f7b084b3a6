package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const usersPath = "/settings/admin/users"

// newUser adds somebody and returns the path of their page.
func (p *person) newUser(name string) string {
	p.t.Helper()
	p.open(usersPath + "/new")
	p.fill("#username", name)
	p.fill("#email", name+"@example.com")
	p.fill("#first_name", strings.ToUpper(name[:1])+name[1:])
	p.click("footer button.primary")
	p.see("#general")
	return p.value(`location.pathname`)
}

// proven proves once more who this is, for the page that was asked for.
func (p *person) proven(path string) {
	p.t.Helper()
	p.at("/login/again")
	p.ready()
	p.click("button.primary")
	p.at(path)
}

// row is the line of the list about somebody.
func row(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find(r => r.innerText.includes(%q))`, name)
}

// TestUserPages looks at the pages about people but that of one person.
func TestUserPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open(usersPath)
		p.look("users-one")
		p.open(usersPath + "?state=deleted")
		p.look("users-deleted-empty")
		p.open("/settings/admin/user-groups/new")
		p.fill("#friendly_name", "On call")
		p.click("footer button.primary")
		p.until(`!location.pathname.endsWith("/new")`)
		p.open(usersPath + "/new")
		p.look("user-new")
		p.fill("#username", "x y")
		p.click("summary")
		p.click("footer button.primary")
		p.see("[aria-invalid]")
		p.look("user-new-fault")
		noe := p.newUser("noe")
		bob := p.newUser("bob")
		p.open(usersPath)
		p.look("users")
		p.value(`document.querySelectorAll("tbody [type=checkbox]").forEach(c => c.click()), ""`)
		p.look("users-picked")
		p.open(usersPath + "?q=nobody")
		p.look("users-nothing")
		p.open(noe + "/disable")
		p.look("user-disable")
		p.open(noe + "/delete")
		p.look("user-delete")
		p.open(usersPath)
		p.value(row("bob") + `.querySelector("td.act button").click(), ""`)
		p.look("users-menu")
		p.click(":popover-open a.danger")
		p.see("dialog[open]")
		p.look("user-delete-dialog")
		p.open(noe + "/link")
		p.proven(noe + "/link")
		p.look("user-link")
		p.click("form button.primary")
		p.see("#new-link")
		p.look("user-linked")
		p.open(bob + "/delete")
		p.click("button.primary")
		p.quiet()
	})
}

// tabTo presses Tab until an expression about the focus, called f, is true.
func (p *person) tabTo(what string) {
	p.t.Helper()
	for range 60 {
		p.press("\t")
		if p.value(`String((f => !!(`+what+`))(document.activeElement))`) == "true" {
			return
		}
	}
	p.fail("the focus does not come to %s", what)
}

// state waits until the list says where the account of somebody stands, and does what is
// asked of it: rows are there before the module that counts those that are picked.
func (p *person) state(name, want string) {
	p.t.Helper()
	p.until(`document.readyState === "complete" && ` + row(name) + `?.querySelector("td .badge")?.innerText === "` + want + `"`)
}

// TestUsers goes through what an administrator does to people.
func TestUsers(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/admin/user-groups/new")
		p.fill("#friendly_name", "On call")
		p.click("footer button.primary")
		p.until(`!location.pathname.endsWith("/new")`)

		p.open(usersPath)
		p.text("Nobody but you, so far")
		p.click("a.btn.primary")
		p.at(usersPath + "/new")
		p.fill("#username", "ada")
		p.fill("#email", "noe@example.com")
		p.fill("#first_name", "Noé")
		p.fill("#last_name", "Garnier")
		p.until(`document.querySelector("#display_name").value === "Noé Garnier"`)
		p.fill("#groups-find", "call")
		p.press("\r")
		p.click("#email_verified")
		p.click("footer button.primary")
		p.see("#username[aria-invalid]")
		p.until(`document.readyState === "complete"`)
		if got := p.value(`["#display_name", "#email"].map(i => document.querySelector(i).value).join() + document.querySelector("#email_verified").checked + document.querySelector("#groups").selectedOptions.length`); got != "Noé Garnier,noe@example.comtrue1" {
			t.Errorf("after a fault the form holds %q", got)
		}
		p.fill("#username", "noe")
		p.fill("#display_name", "Noé G.")
		p.fill("#last_name", "Garnier-Petit")
		p.click("footer button.primary")
		p.text("Noé G. is added")
		noe := p.value(`location.pathname`)
		p.newUser("priya")
		p.newUser("tomasz")

		// The list is searched, filtered and sorted, by forms and links alone.
		p.open(usersPath)
		p.text("4 people")
		p.until(row("Noé") + `.innerText.includes("On call")`)
		p.fill("[name=q]", "garn")
		p.press("\r")
		p.at(usersPath + "?")
		p.text("1 person")
		p.click(".tools a.quiet")
		p.text("4 people")
		p.do(chromedp.SetValue(chromedp.CSS("#state"), "new"))
		p.click(".tools button")
		p.text("3 people")
		p.do(chromedp.SetValue(chromedp.CSS("#role"), "admin"))
		p.click(".tools button")
		p.text("No user matches")
		p.open(usersPath)
		for _, o := range []struct{ value, want string }{{"none", "3 people"}, {"one", "1 person"}, {"several", "No user matches"}} {
			p.do(chromedp.SetValue(chromedp.CSS("#passkeys"), o.value))
			p.click(".tools button")
			p.until(`location.search.includes("passkeys=` + o.value + `") && document.readyState === "complete"`)
			p.text(o.want)
		}
		p.open(usersPath)
		p.click(`thead th:nth-of-type(3) a`)
		p.see(`[aria-sort=ascending]:nth-of-type(3)`)
		p.click(`thead th:nth-of-type(3) a`)
		p.see(`[aria-sort=descending]:nth-of-type(3)`)
		if got := p.value(`document.querySelector("tbody tr td:nth-of-type(2)").innerText`); got != "tomasz" {
			t.Errorf("the last username comes first: %q", got)
		}

		// Somebody comes in by a link that is shown once.
		p.open(noe + "/link")
		p.proven(noe + "/link")
		p.do(chromedp.SetValue(chromedp.CSS("#hours"), "24"))
		p.click("form button.primary")
		p.see("#new-link")
		link := p.value(`document.querySelector("#new-link").textContent`)
		p.do(chromedp.Reload())
		p.at(noe)
		if strings.Contains(p.value(`document.documentElement.innerHTML`), link) {
			t.Error("the link is shown again")
		}
		guest := s.newPerson(t, "en")
		guest.open(link)
		guest.click("button.primary")
		guest.at("/settings")

		// One is disabled, and out at once, and let in again.
		p.open(usersPath + "?sort=-username")
		p.state("Noé", "No passkey")
		p.value(row("Noé") + `.querySelector("td.act button").click(), ""`)
		p.click(`:popover-open a[href*="/disable"]`)
		p.see("dialog[open]")
		p.click("dialog button.primary")
		p.text("Noé G. is disabled")
		p.at(usersPath + "?sort=-username")
		p.state("Noé", "Disabled")
		guest.open("/settings/account")
		guest.at("/login")
		p.value(row("Noé") + `.querySelector("td.act button").click(), ""`)
		p.click(`:popover-open a[href*="/enable"]`)
		p.see("dialog[open]")
		p.click("dialog button.primary")
		p.text("Noé G. is enabled")

		// Several at once.
		p.open(usersPath)
		for _, name := range []string{"Priya", "Tomasz"} {
			p.value(row(name) + `.querySelector("[type=checkbox]").click(), ""`)
		}
		p.text("Picked: 2")
		p.click(".bulk [value=disable]")
		p.text("Disable 2 people?")
		p.click("form button.primary")
		p.at("/settings/admin/user-work/")
		p.text("2 accounts are disabled")
		p.look("user-batch")
		p.click("footer button")
		p.text("2 accounts are enabled")
		p.click("a.crumb")
		p.state("Priya", "Invited")
		p.value(row("Priya") + `.querySelector("[type=checkbox]").click(), ""`)
		p.value(row("Noé") + `.querySelector("[type=checkbox]").click(), ""`)
		p.click(".bulk [value=join]")
		p.text("Add 2 people to a group")
		p.click("form button.primary")
		p.see("#group[aria-invalid]")
		p.look("users-join")
		p.value(`document.querySelector("#group").selectedIndex = 1, ""`)
		p.click("form button.primary")
		p.text("1 person is in On call now")
		p.open(usersPath)
		p.value(`document.querySelector("#group").selectedIndex = 1, ""`)
		p.click(".tools button")
		p.text("2 people")
		p.open(usersPath)
		p.click("[popovertarget=columns]")
		p.see("#columns:popover-open")
		p.look("users-columns")
		p.click("#columns [value=email]")
		p.click("#columns [value=created]")
		p.click("#columns button")
		p.see("thead th:nth-of-type(9)")
		p.until(`document.readyState === "complete"`)
		p.look("users-wide")
		for _, name := range []string{"Priya", "Tomasz"} {
			p.value(row(name) + `.querySelector("[type=checkbox]").click(), ""`)
		}
		p.click(".bulk [value=disable]")
		p.text("Disable 2 people?")
		p.click("form button.primary")
		p.text("2 accounts are disabled") // a list does not follow what is still being done
		p.open(usersPath)
		p.state("Priya", "Disabled")
		p.state("Tomasz", "Disabled")

		// Deleting asks for the name, keeps it from others, and gives it back when asked.
		p.value(row("Priya") + `.querySelector("td.act button").click(), ""`)
		p.click(`:popover-open a.danger`)
		p.see("dialog[open]")
		p.until(`document.querySelector("dialog button.primary").disabled`)
		p.press("priya")
		p.until(`!document.querySelector("dialog button.primary").disabled`)
		p.click("dialog button.primary")
		p.text("Priya is deleted")
		p.text("3 people")
		p.open(usersPath + "?state=deleted")
		p.value(row("Priya") + `.querySelector("td.act button").click(), ""`)
		p.click(`:popover-open a`)
		p.see("dialog[open]")
		p.press("priya")
		p.click("dialog button.primary")
		p.text("The names of priya are free")
		p.text("Nobody is deleted")
		p.newUser("priya")

		// There is no way to lock oneself out.
		p.open(usersPath)
		if got := p.value(`String(` + row("Ada Lovelace") + `.querySelectorAll("[type=checkbox], a[href*=disable], a[href*=delete]").length)`); got != "0" {
			t.Errorf("%s ways to go oneself", got)
		}
		p.quiet()
	})
}

// TestDisableByKeyboard disables somebody with Tab and Enter alone.
func TestDisableByKeyboard(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.newUser("bob")
		p.open(usersPath)
		p.tabTo(`f.getAttribute("aria-label") === "Actions for Bob"`)
		p.press("\r")
		p.see(":popover-open")
		p.tabTo(`f.matches(':popover-open a[href*="/disable"]')`)
		p.press("\r")
		p.see("dialog[open]")
		p.tabTo(`f.matches("dialog button.primary")`)
		p.press("\r")
		p.text("Bob is disabled")
		p.state("Bob", "Disabled")
		p.quiet()
	})
}

// TestFiltersOfPeopleStandInOneRow looks at what a list of people is asked by, with nothing
// chosen and with all: on a usual screen it is one row, whose search shows what is typed.
func TestFiltersOfPeopleStandInOneRow(t *testing.T) {
	for _, language := range []string{"en", "zh-CN"} {
		t.Run(language, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, s *server) {
				p := s.admin(t, language)
				p.open("/settings/admin/user-groups/new")
				p.fill("#friendly_name", "People with a long name of theirs")
				p.click("footer button.primary")
				p.until(`!location.pathname.endsWith("/new")`)
				group := p.value(`location.pathname.split("/").at(-1)`)
				for name, query := range map[string]string{"none": "", "all": "?q=ada&state=active&role=user&passkeys=several&sort=-seen&group=" + group} {
					p.open(usersPath + query)
					p.look("filters-" + name)
					p.size(640, 900)
					p.shot("filters-" + name + "-640")
					p.size(1280, 900)
					if rows := p.value(`String(new Set([...document.querySelectorAll(".tools>:not(.vh)")].map(i => i.getBoundingClientRect()).map(b => Math.round((b.top + b.bottom) / 2))).size)`); rows != "1" {
						t.Errorf("with %s chosen the filters stand in %s rows", name, rows)
					}
					if wide := p.value(`String(document.querySelector("[name=q]").offsetWidth > 120)`); wide != "true" {
						t.Errorf("with %s chosen nothing is left to search in", name)
					}
				}
				p.quiet()
			})
		})
	}
}

// TestUserListIsLight holds a full page of the list, in Chinese, to what it may cost.
func TestUserListIsLight(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "zh-CN")
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(async () => { for (let i = 0; i < 27; i++) await fetch("/settings/admin/users/new", {method: "POST",
			body: new URLSearchParams({username: "somebody.with.a.long.name" + i, email: "somebody.with.a.long.name" + i + "@a-long-name-of-a-host.example.com", first_name: "Jonas", last_name: "Weber-Hohenstaufen " + i})});
			return "" })()`, chromedp.EvalAwaitPromise)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{usersPath, usersPath + "/new"} {
			p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
				_, err := chromedp.Call(ctx, network.ClearBrowserCache, cdp.Empty{})
				return err
			}))
			p.forget()
			p.open(path)
			p.until(`document.readyState === "complete"`)
			if n, bytes, urls := p.traffic(); n > 6 || bytes > 40<<10 {
				t.Errorf("%s takes %d bytes in %d requests: %s", path, bytes, n, urls)
			} else {
				t.Logf("%s: %d bytes in %d requests", path, bytes, n)
			}
			p.see("table, #username")
		}
		p.open(usersPath)
		p.until(`document.querySelectorAll("tbody tr").length === 25`)
		p.look("users-many")
		p.click("[rel=next]")
		p.until(`document.querySelectorAll("tbody tr").length === 3`)
		p.quiet()
	})
}
