package browser

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const groupsPath = "/settings/admin/user-groups"

// tab shows a tab of the page.
func (p *person) tab(name string) {
	p.t.Helper()
	p.click(`[role=tab][aria-controls="` + name + `"]`)
	p.see("#" + name)
}

// find searches by the form in which a field stands, with Enter, and waits for the answer.
func (p *person) find(field, words string) {
	p.t.Helper()
	p.fill(field, words)
	p.press("\r")
	p.until(`location.search.includes(` + fmt.Sprintf("%q", "="+url.QueryEscape(words)) + `) && document.readyState === "complete"`)
}

// TestGroups goes through the life of a group as an administrator sees it.
func TestGroups(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.newAccount("zoe", "Zoe", "Lindqvist")
		p.newAccount("zora", "Zora", "Smith")
		shop, _ := p.newClient("Shop", "https://shop.example.com/cb")
		p.open(groupsPath)
		p.text("No groups yet")
		p.click("a.btn.primary")
		p.at(groupsPath + "/new")
		p.fill("#friendly_name", "On call (EU)")
		p.until(`document.querySelector("#name").value === "on_call_eu"`)
		p.fill("#name", "x")
		p.submit("footer button.primary")
		p.see("#name[aria-invalid]")
		p.fill("#name", "on-call")
		p.submit("footer button.primary")
		p.text("On call (EU) is there")
		p.until(`location.hash === "#users"`)
		address := p.value(`location.pathname`)

		// Members come by search, the search stays, and they go again.
		p.find("#find", "zo")
		p.text("Zoe Lindqvist")
		p.text("Zora Smith")
		p.submit(`[name=add][aria-label="Add Zora Smith"]`)
		p.text("Zora Smith is in the group now")
		p.until(`document.activeElement.id === "find" && document.activeElement.value === "zo"`)
		p.until(`document.querySelectorAll("[name=add]").length === 1 && document.querySelectorAll("[name=remove]").length === 1`)
		p.submit(`[name=add][aria-label="Add Zoe Lindqvist"]`)
		p.text("2 members")
		p.submit(`[name=remove][aria-label="Remove Zora Smith"]`)
		p.text("Zora Smith is no longer in the group")
		p.find("#find", "zebra")
		p.text("Nobody’s name or address")

		p.tab("general")
		p.fill("#friendly_name", "O")
		p.submit("#general form button.primary")
		p.see("#friendly_name[aria-invalid]")
		p.fill("#friendly_name", "On call")
		p.submit("#general form button.primary")
		p.text("Names saved")
		p.until(`document.querySelector("h1").textContent === "On call" && document.querySelector("#name").value === "on-call"`)

		// There is nothing to open until a client is restricted.
		p.tab("clients")
		p.text("No app is restricted to groups")
		p.text("Open to everybody, and so to this group too")
		p.open(shop + "#access")
		p.see("#access")
		p.text("3 people today")
		p.click(`[name=group_restricted][value="1"]`)
		p.see(".if-nobody")
		p.submit("#access footer button")
		p.text("0 people today")
		p.open(clientsPath)
		p.text("Nobody")
		p.open(address + "#clients")
		p.see("#clients-of-find")
		p.fill("#clients-of-find", "sho")
		p.enter()
		p.picked("Shop")
		p.submit("#clients footer button")
		p.text("Saved which apps the group opens")
		p.picked("Shop")
		p.text("1 member, 1 restricted app")
		p.open(shop + "#access")
		p.see("#access")
		p.picked("On call")
		p.text("1 person today")

		// Claims have their kinds, and reserved ones are refused beside their field.
		p.open(address + "#custom-claims")
		p.see("#custom-claims")
		p.fill(`[id="claims[0]"]`, "role")
		p.fill(`[id="claims_value[0]"]`, "007")
		p.click("#custom-claims [data-add]")
		p.fill(`[id="claims[1]"]`, "Email")
		p.fill(`[id="claims_value[1]"]`, "root@example.com")
		p.click("#custom-claims [data-add]")
		p.fill(`[id="claims[2]"]`, "vip")
		p.do(chromedp.SetValue(chromedp.CSS("#custom-claims li:last-child select"), "yes"))
		p.submit("#custom-claims form footer button")
		p.see(`[id="claims[1]"][aria-invalid]`)
		p.text("Pocket ID itself says “Email” to apps")
		if got := p.value(`[...document.querySelectorAll("#claims li")].map(l => [...l.querySelectorAll("input,select,textarea")].map(f => f.value).join(":")).join()`); got != "role:text:007,Email:text:root@example.com,vip:yes:,:text:" {
			t.Errorf("after a fault the rows are %q", got)
		}
		p.click("#claims li:nth-child(2) [data-remove]")
		p.submit("#custom-claims form footer button")
		p.text("Claims saved")
		if got := p.value(`[...document.querySelectorAll("#claims li")].map(l => [...l.querySelectorAll("input,select,textarea")].map(f => f.value).join(":")).join()`); got != "role:text:007,vip:yes:,:text:" {
			t.Errorf("saved are %q", got)
		}

		// What goes with it is said before it goes.
		p.open(groupsPath)
		p.text("1 group")
		p.find("[type=search]", "zebra")
		p.text("Nothing begins with")
		p.find("[type=search]", "on c")
		p.click("td.act button")
		p.click("td.act a.danger")
		p.see("dialog[open]")
		p.text("1 person is in it")
		p.text("Nobody can open some apps any more")
		p.press("\x1b")
		p.gone("dialog")
		p.click("td.act button")
		p.click("td.act a.danger")
		p.click("dialog button.primary")
		p.text("On call is deleted")
		p.text("No groups yet")
		p.open(clientsPath)
		p.text("Nobody")
		p.quiet()
	})
}

// TestListOfGroups sorts and pages groups and members.
func TestListOfGroups(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		names := func() string {
			return p.value(`[...document.querySelectorAll("tbody th a")].map(a => a.textContent).join()`)
		}
		for i := range 27 {
			p.promise(fmt.Sprintf(`fetch(%q, {method: "POST", body: new URLSearchParams({friendly_name: "Group %02d"})}).then(r => r.url)`, groupsPath+"/new", i))
		}
		p.open(groupsPath)
		p.text("27 groups")
		p.submit("a[rel=next]")
		if got := names(); got != "Group 25,Group 26" {
			t.Errorf("on the second page are %q", got)
		}
		p.submit(".pager nav a")
		p.submit("th[aria-sort=ascending] a")
		p.see("th[aria-sort=descending]")
		if got := names(); got[:17] != "Group 26,Group 25" {
			t.Errorf("turned round they are %q", got)
		}
		p.submit("a[rel=next]")
		if got := names(); got != "Group 01,Group 00" {
			t.Errorf("and on the second page %q", got)
		}
		address := p.value(`document.querySelector("tbody th a").getAttribute("href")`)
		for i := range 27 {
			p.promise(fmt.Sprintf(`fetch(%q, {method: "POST", body: new URLSearchParams({username: "user%02d", email: "user%02d@example.com", first_name: "User", last_name: "%02d"})}).then(r => r.url)`, usersPath+"/new", i, i, i))
		}
		p.promise(`fetch("` + usersPath + `?q=user&sort=username").then(r => r.text()).then(async text => {
			for (const page of [text, await (await fetch(new DOMParser().parseFromString(text, "text/html").querySelector("a[rel=next]")?.getAttribute("href") ?? "` + usersPath + `?q=user2")).text()])
				await fetch("` + address + `/members", {method: "POST", body: new URLSearchParams([...new DOMParser().parseFromString(page, "text/html").querySelectorAll("tbody th a")].map(a => ["add", a.getAttribute("href").split("/").pop()]))});
			return ""; })`)
		p.open(address + "#users")
		p.see("#users")
		p.text("27 members")
		p.submit("#users a[rel=next]")
		p.until(`location.hash === "#users" && document.querySelectorAll("[name=remove]").length === 2`)
		p.find("#users [name=q]", "user1")
		p.text("10 members")
		p.submit(`[aria-label="Remove User 13"]`)
		p.until(`location.search === "?q=user1" && document.querySelectorAll("[name=remove]").length === 9`)
		p.open(groupsPath + "?sort=-members")
		p.until(`document.querySelector("tbody td.num").textContent === "26"`)
		p.quiet()
	})
}

// TestKeyboardRestrictsAClient goes from the menu to a client that only one group may
// use, with nothing but Tab, arrows, Enter and letters.
func TestKeyboardRestrictsAClient(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.newGroup("Operations")
		p.newGroup("Opera")
		shop, _ := p.newClient("Shop", "https://shop.example.com/cb")
		const key = "\t"
		focus := func(what, expression string) {
			t.Helper()
			for range 80 {
				p.press(key)
				if p.value(`String(!!(`+expression+`))`) == "true" {
					return
				}
			}
			p.fail("no key leads to %s", what)
		}
		p.open("/settings/account")
		focus("the administration", `document.activeElement.matches("a[href='/settings/admin']")`)
		p.enter()
		p.until(`location.pathname.startsWith("/settings/admin")`)
		focus("the list of clients", `document.activeElement.matches("a[href='`+clientsPath+`']")`)
		p.enter()
		p.at(clientsPath)
		p.until(`document.querySelector("tbody")`)
		focus("the client", `document.activeElement.textContent === "Shop"`)
		p.enter()
		p.at(shop)
		focus("the tabs", `document.activeElement.matches("[role=tab][aria-selected=true]")`)
		for range 3 {
			p.do(chromedp.KeyEvent("\u0303")) // the arrow to the right
		}
		p.until(`document.activeElement.getAttribute("aria-controls") === "access" && !document.querySelector("#access").hidden`)
		focus("the choice", `document.activeElement.matches("[name=group_restricted]")`)
		p.do(chromedp.KeyEvent("\u0301")) // the arrow up
		p.until(`document.activeElement.value === "1" && document.activeElement.checked`)
		focus("the groups", `document.activeElement.matches("#allowed_groups-find")`)
		p.press("operat")
		p.enter()
		p.picked("Operations")
		focus("the button", `document.activeElement.matches("#access footer button")`)
		p.enter()
		p.text("Saved")
		p.until(`document.querySelector("#allowed_groups").selectedOptions.length === 1 && document.querySelector("[name=group_restricted][value='1']").checked`)
		p.open(clientsPath)
		p.text("Members of 1 group")
		p.quiet()
	})
}

// TestGroupPages looks at the pages about groups.
func TestGroupPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open(groupsPath)
		p.look("groups-empty")
		p.open(groupsPath + "/new")
		p.look("group-new")
		p.fill("#friendly_name", "x")
		p.submit("footer button.primary")
		p.see("#friendly_name[aria-invalid]")
		p.look("group-new-fault")
		p.newAccount("zoe", "Zoe", "Lindqvist")
		p.newAccount("jonas", "Jonas-Maximilian", "Weber-Hohenstaufen von der Lippe zu Schaumburg")
		p.newGroup("Design")
		p.newGroup("A group whose name is exactly as long as it may be")
		long := p.value(`location.pathname`)
		p.newGroup("Operations")
		address := p.value(`location.pathname`)
		p.look("group-members-none")
		for _, name := range []string{"zoe", "jonas"} {
			p.find("#find", name)
			p.submit("[name=add]")
		}
		p.find("#find", "a")
		p.look("group-members")
		for i, name := range []string{"Grafana", "Wiki", "Nextcloud", "An application whose name is as long as it may be"} {
			shop, _ := p.newClient(name, "https://app.example.com/cb")
			if i == 0 {
				continue
			}
			p.open(clientsPath)
			p.open(shop + "#access")
			p.click(`[name=group_restricted][value="1"]`)
			if i == 1 {
				p.look("client-access-nobody")
			}
			p.submit("#access footer button")
		}
		p.open(address + "#clients")
		for _, name := range []string{"Wiki", "An app"} {
			p.fill("#clients-of-find", name)
			p.enter()
		}
		p.submit("#clients footer button")
		p.look("group-clients")
		p.click("#clients-of-find")
		p.see("#clients-of-find-list")
		p.look("group-clients-open")
		p.open(address + "#custom-claims")
		p.see("#custom-claims")
		p.look("group-claims-none")
		for i, row := range [][3]string{{"role", "text", "editor"}, {"quota_gb", "number", "250"}, {"vip", "yes", ""}, {"teams", "list", "blue\nred"}, {"office", "json", `{"street": "Storgata 1"}`}} {
			p.fill(fmt.Sprintf(`[id="claims[%d]"]`, i), row[0])
			p.do(chromedp.SetValue(chromedp.CSS(fmt.Sprintf("#claims li:nth-child(%d) select", i+1)), row[1]))
			if row[2] != "" {
				p.fill(fmt.Sprintf(`[id="claims_value[%d]"]`, i), row[2])
			}
			p.click("#custom-claims [data-add]")
		}
		p.submit("#custom-claims form footer button")
		p.text("Claims saved")
		p.look("group-claims")
		p.fill(`[id="claims[0]"]`, "sub")
		p.submit("#custom-claims form footer button")
		p.look("group-claims-fault")
		p.open(address)
		p.look("group-general")
		p.open(groupsPath)
		p.look("groups")
		p.open(groupsPath + "?q=nothing")
		p.look("groups-nothing")
		p.open(address + "/delete")
		p.look("group-delete")
		p.open(address)
		p.click("#general a.danger")
		p.see("dialog[open]")
		p.look("group-delete-dialog")
		p.open(clientsPath)
		p.look("clients-with-access")
		for _, path := range []string{groupsPath, groupsPath + "/new", address, long + "?find=a#users"} {
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

// TestGroupPagesInChinese looks at what is written differently there.
func TestGroupPagesInChinese(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "zh-CN")
		p.newAccount("zoe", "佐伊", "林")
		p.newGroup("数据团队")
		address := p.value(`location.pathname`)
		p.find("#find", "佐")
		p.submit("[name=add]")
		p.look("group-zh-members")
		p.tab("general")
		if got := p.value(`document.querySelector("#name").value`); got != "数据团队" {
			t.Errorf("the name is %q", got)
		}
		p.look("group-zh-general")
		p.tab("custom-claims")
		p.look("group-zh-claims")
		p.open(groupsPath + "?q=" + url.QueryEscape("团队"))
		p.look("groups-zh")
		shop, _ := p.newClient("Grafana", "https://app.example.com/cb")
		p.open(clientsPath)
		p.open(shop + "#access")
		p.click(`[name=group_restricted][value="1"]`)
		p.fill("#allowed_groups-find", "数")
		p.enter()
		p.look("client-zh-access")
		p.submit("#access footer button")
		p.open(address + "/delete")
		p.look("group-zh-delete")
		p.quiet()
	})
}
