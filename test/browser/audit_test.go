package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	activityPath = "/settings/audit-log"
	auditPath    = "/settings/audit-log/global"
)

// lines are the sentences of the log as the page shows it, but those about what the
// server did by itself at a time of its own.
func (p *person) lines() []string {
	p.t.Helper()
	text := p.value(`[...document.querySelectorAll(".log summary > span:nth-of-type(2)")].map(s => [...s.childNodes].filter(x => !x.classList || !x.classList.contains("sub")).map(x => x.textContent).join("").trim()).filter(s => !s.startsWith("The server ")).join("\n")`)
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// shows fails the test when the log does not have exactly these sentences. Their order is
// for other tests: what one transaction did has one instant.
func (p *person) shows(want ...string) {
	p.t.Helper()
	got := p.lines()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.t.Errorf("the log shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// filter chooses in the form of the log and sends it.
func (p *person) filter(choices ...string) {
	p.t.Helper()
	for i := 0; i < len(choices); i += 2 {
		p.value(fmt.Sprintf(`document.querySelector(%q).value = %q`, choices[i], choices[i+1]))
	}
	p.follow("form.tools button")
}

// follow clicks and waits for the next page, which may have the same address.
func (p *person) follow(selector string) {
	p.t.Helper()
	p.value(`document.documentElement.dataset.old = "1"`)
	p.click(selector)
	p.until(`!document.documentElement.dataset.old && document.readyState === "complete"`)
}

// TestAuditLog reads the log as an administrator: each filter, details, an entry, files.
func TestAuditLog(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/admin/oidc-clients")
		p.click(`.side a[href="` + auditPath + `"]`)
		p.at(auditPath)
		p.see(`.side a[aria-current=page][href="` + auditPath + `"]`)
		p.shows("ada made the account ada", "ada added the passkey Passkey", "ada signed in")

		grafana, _ := p.newClient("Grafana", "https://grafana.example.com/login")
		p.newClient("Wiki", "https://wiki.example.com/login")
		p.open(grafana)
		p.fill("#name", "Grafana Labs")
		p.click("footer button.primary")
		p.text("Saved")
		s.cli(t, "one-time-access-token", "ada")

		p.open(auditPath)
		p.shows("The command line made a login code for ada", "ada changed the client Grafana Labs", "ada made the client Wiki", "ada made the client Grafana",
			"ada made the account ada", "ada added the passkey Passkey", "ada signed in")

		// What changed is said field by field.
		p.click(".log li:nth-child(2) summary")
		p.see(".log li:nth-child(2) table.changes")
		if got := p.value(`document.querySelector(".log li:nth-child(2) table.changes tbody").innerText.replace(/\s+/g, " ").trim()`); got != "Name Grafana Grafana Labs" {
			t.Errorf("the change is told as %q", got)
		}
		if got := p.value(`document.querySelector(".log li:nth-child(2) dl").innerText`); !strings.Contains(got, "127.0.0.1") || !strings.Contains(got, "Local network") || !strings.Contains(got, "Chrome on Linux") {
			t.Errorf("where it was done is told as %q", got)
		}
		p.follow(".log li:nth-child(2) p a")
		p.at(auditPath + "/")
		p.text("Client changed")
		p.text("ada changed the client Grafana Labs")
		p.follow(`dd a[href*="client="]`)
		p.at(auditPath + "?client=")
		p.shows("ada changed the client Grafana Labs", "ada made the client Grafana")
		p.text("Grafana Labs")

		// An event, and one more filter on top of that of the link.
		p.filter("#event", "client.created")
		p.shows("ada made the client Grafana")
		p.follow("form.tools a.chip")
		p.shows("ada made the client Wiki", "ada made the client Grafana")
		p.filter("#event", "passkeys")
		p.shows("ada added the passkey Passkey")

		// A client by its name, as it is and as it was; a person; an address; nothing.
		p.open(auditPath)
		p.filter("input[name=q]", "LABS")
		p.shows("ada changed the client Grafana Labs", "ada made the client Grafana")
		p.filter("input[name=q]", "ada", "#event", "people")
		p.shows("ada made the account ada")
		p.open(auditPath)
		p.filter("input[name=q]", "203.0.113.9")
		p.text("Nothing matches")
		p.follow(".empty a.btn")
		p.at(auditPath)

		// Times and ways.
		p.filter("#when", "7")
		if got := len(p.lines()); got != 7 {
			t.Errorf("the last week has %d entries", got)
		}
		p.open(auditPath)
		p.click("details.filters summary")
		p.filter("#way", "cli")
		p.shows("The command line made a login code for ada")
		p.see("details.filters[open]")
		p.filter("#way", "", "#until", "2020-01-01")
		p.text("Nothing matches")
		p.filter("#from", "2021-01-01")
		p.text("“From” lies after “Until”")

		// A name is offered while it is typed, and means somebody for good when it is picked.
		p.open(auditPath)
		p.click("details.filters summary")
		p.fill("#which", "graf")
		p.see("#which-names li")
		p.press(kb.ArrowDown)
		p.see(`#which[aria-activedescendant="which-names-0"]`)
		p.value(`document.documentElement.dataset.old = "1"`)
		p.press("\r")
		p.until(`!document.documentElement.dataset.old && document.readyState === "complete"`)
		p.shows("ada changed the client Grafana Labs", "ada made the client Grafana")
		p.text("Grafana Labs")

		// Without a pick the server finds out whom a name means.
		p.open(auditPath)
		p.click("details.filters summary")
		p.filter("#who", "ADA", "#part", "did", "#event", "people")
		p.at(auditPath + "?event=people&part=did&person=")
		p.shows("ada made the account ada")
		p.open(auditPath + "?who=nobody+at+all")
		p.text("No name begins with “nobody at all”")

		// An entry leads to what it is about, and that back to its history.
		p.open(auditPath + "?event=client.edited")
		p.click(".log summary")
		p.follow(`.log dd > a[href^="/settings/admin/oidc-clients/"]`)
		p.follow(`.head a[href^="` + auditPath + `?client="]`)
		p.shows("ada changed the client Grafana Labs", "ada made the client Grafana")
		p.open(auditPath + "?event=others")
		p.see("button[data-print]:not([hidden])")

		// Files hold what the filters let pass.
		p.open(auditPath + "?event=client.created")
		file := p.fetch(p.value(`document.querySelector("a[download]").href`))
		if rows := strings.Split(strings.TrimSpace(file), "\n"); len(rows) != 3 || !strings.Contains(rows[2], ",Client made,ada,") || !strings.Contains(rows[2], ",Grafana,") {
			t.Errorf("the table is\n%s", file)
		}
		file = p.fetch(p.value(`document.querySelectorAll("a[download]")[1].href`))
		if rows := strings.Split(strings.TrimSpace(file), "\n"); len(rows) != 2 || !strings.HasPrefix(rows[0], "{") || !strings.Contains(rows[0], `"name":"Wiki"`) {
			t.Errorf("the lines are\n%s", file)
		}
		p.open(auditPath)
		p.text("ada downloaded the audit log")
		p.quiet()
	})
}

// fetch is the text of an address of the server.
func (p *person) fetch(address string) string {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf(`fetch(%q).then(r => r.text())`, address), chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("fetch %s: %v", address, err)
	}
	return out
}

// TestActivity reads the log as the one whom it concerns.
func TestActivity(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/account")
		p.click(`.side a[href="` + activityPath + `"]`)
		p.at(activityPath)
		p.shows("Your account was made", "You added the passkey Passkey", "You signed in")
		p.newClient("Grafana", "https://grafana.example.com/login")
		s.cli(t, "one-time-access-token", "ada")
		p.open(activityPath)
		p.shows("A login code was made for you", "Your account was made", "You added the passkey Passkey", "You signed in")
		p.click(".log li:nth-child(1) summary")
		p.text("The command line")
		p.filter("#event", "passkeys")
		p.shows("You added the passkey Passkey")
		p.filter("#event", "PASSKEY_REMOVED")
		p.text("Nothing matches")
		p.follow(".empty a.btn")
		p.filter("#when", "1")
		if got := len(p.lines()); got != 4 {
			t.Errorf("the last day has %d entries", got)
		}

		// More than a page: older, newer, newest.
		p.repeat(40)
		p.open(activityPath)
		p.text("44 entries")
		first := p.lines()
		p.follow(".pager a[rel=next]")
		p.at(activityPath + "?at=")
		if got := p.lines(); len(first) != 25 || len(got) != 19 || !slices.Contains(got, "Your account was made") {
			t.Errorf("the pages have %d and %d entries, the last of which are %q", len(first), len(got), got[len(got)-3:])
		}
		p.gone(".pager a[rel=next]")
		p.follow(".pager a[rel=prev]")
		p.gone(".pager a[rel=prev]")
		if got := p.lines(); len(got) != 25 {
			t.Errorf("the way back leads to %d entries", len(got))
		}

		p.click(`footer a[href="/settings/account/sessions"]`)
		p.at("/settings/account/sessions")
		p.quiet()
	})
}

// repeat leaves n entries by changing the language to and fro.
func (p *person) repeat(n int) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`(async () => {
		for (let i = 0; i < %d; i++) await fetch("/language", {method: "POST", body: new URLSearchParams({locale: i %% 2 ? "en" : "zh-CN", back: "/settings/account"})});
		return true;
	})()`, n), chromedp.EvalAwaitPromise)); err != nil {
		p.fail("%v", err)
	}
}

// TestAuditPages looks at the pages of the log: an entry by itself, and nothing.
func TestAuditPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		grafana, _ := p.newClient("Grafana", "https://grafana.example.com/login")
		p.open(grafana)
		p.fill("#name", "Grafana Labs")
		p.fill("#launch_url", "https://grafana.example.com/a-long-address/that-does-not-fit-into-a-narrow-column/at-all")
		p.click("footer button.primary")
		p.text("Saved")
		s.cli(t, "one-time-access-token", "ada")
		p.open(auditPath)
		p.click(".log li:nth-child(2) summary")
		p.look("audit")
		p.follow(".log li:nth-child(2) p a")
		p.at(auditPath + "/")
		p.look("audit-entry")
		p.open(auditPath + "?q=argo&when=7&until=2020-01-01&way=api&person=nobody")
		p.look("audit-none")
		p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
			return err
		}))
		p.open(auditPath)
		if got := p.value(`[...document.querySelectorAll(".band, .side, form.tools, .head .btn")].filter(x => x.checkVisibility()).map(x => x.className).join()`); got != "" {
			t.Errorf("on paper there are %s", got)
		}
		if got := p.value(`[...document.querySelectorAll(".log dl")].filter(x => !x.checkVisibility()).length + ""`); got != "0" {
			t.Errorf("on paper %s entries hide what is known of them", got)
		}
		p.shot("audit-print")
		// A list has all its columns, and each row as many cells as there are heads.
		p.size(718, 1000)
		p.open(usersPath)
		if got := p.value(`["thead th", "tbody :is(th,td)", ".band, .side, .tools, .btn, .pick, .act"].map(s => [...document.querySelectorAll(s)].filter(x => x.checkVisibility()).length).join()`); got != "6,6,0" {
			t.Errorf("on paper the list of users has heads, cells and things to press: %s", got)
		}
		p.quiet()
	})
}

// TestActivityPages looks at the log of one person, and at both logs with much in them.
func TestActivityPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		s.cli(t, "one-time-access-token", "ada")
		p.open(activityPath)
		p.click(".log li summary")
		p.look("activity")
		p.open(activityPath + "?event=PASSKEY_REMOVED")
		p.axe("activity-none")
		p.repeat(41)
		for _, path := range []string{auditPath, activityPath} {
			p.forget()
			p.open(path)
			if n, size, urls := p.traffic(); n > 6 || size > 40_000 {
				t.Errorf("%s takes %d requests and %d bytes: %v", path, n, size, urls)
			}
		}
		p.open(auditPath)
		p.look("audit-chinese")
		p.open(activityPath)
		p.axe("activity-chinese")

		// The keyboard alone opens an entry.
		p.value(`document.querySelector(".log summary").focus(), ""`)
		p.press("\r")
		p.until(`document.querySelector(".log details").open`)
		p.quiet()
	})
}
