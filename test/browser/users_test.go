package browser

import (
	"fmt"
	"strings"
	"testing"

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

var _ = chromedp.Reload
