package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// elsewhere are pages that no link leads to, because a flow or a form does, and who looks at
// them. The states below look at some of them here.
var elsewhere = map[string]string{
	"/consent":                          "a state below",
	"/authorize":                        "TestJourney: a request of an application",
	"/authorize/next":                   "TestJourney: a request of an application",
	"/api/oidc/end-session":             "TestSigningOutReachesApplications: an application signs somebody out",
	"/device/confirm":                   "a state below",
	"/favicon.ico":                      "a picture",
	"/lc/{code}":                        "TestLoginLinkThenFirstPasskey: a link from somebody",
	"/logout":                           "TestJourney: a form",
	"/settings/account/sessions/others": "TestSessions: somebody who is signed in twice",
	"/login/alternative":                "an old address, which leads on",
	"/login/alternative/code":           "an old address, which leads on",
	"/login/select":                     "TestJourney: a request of an application",
	"/settings/admin/audit-log/global/export": "a file",
	"/settings/admin/users/picked":            "a state below",
	"/settings/admin/users/{id}/release":      "a state below",
	"/settings/audit-log/global/export":       "a file",
	"/setup":                                  "TestJourney: a new house",
	"/signup/setup":                           "TestJourney: a new house",
	"/theme.css":                              "a style sheet",
}

// A state is a page as no link leads to it: in the middle of something, with nothing in it,
// with too much in it, or because something is wrong.
type state struct {
	Name, Path string
	// Click is what is pressed there first, and Then what can be seen afterwards.
	Click, Then string
	// Guest is that somebody sees it who is not signed in.
	Guest bool
	// Pictured is that another state or test looks at the like: here it is only pictured.
	Pictured bool
}

// states are looked at beside the pages that links lead to.
func (s *server) states(made town, device string) []state {
	const admin = "/settings/admin"
	asks := func(client string, i int, more ...string) string {
		q := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {fmt.Sprintf("https://app-%d.example.com/callback", i)}, "scope": {"openid profile email groups offline_access"},
			"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
		for j := 0; j < len(more); j += 2 {
			q.Set(more[j], more[j+1])
		}
		return "/authorize?" + q.Encode()
	}
	client, user := clientsPath+"/"+made.Branded, usersPath+"/"+made.Crowded
	list := []state{
		{Name: "consent", Path: asks(made.Consents, 0, "prompt", "consent", "resource", "https://api.example.com/weather")},
		{Name: "consent-with-a-look", Path: asks(made.Branded, 1, "prompt", "consent")},
		{Name: "login-with-a-look", Path: asks(made.Branded, 1), Guest: true},
		{Name: "device-confirm", Path: device, Then: "form .usercode, form .match, .switcher"},
		{Name: "login-link", Path: user + "/link", Click: "form button.primary", Then: "svg.qr"},
		{Name: "user-crowded", Path: user},
		{Name: "user-released", Path: usersPath + "/" + made.Deleted + "/release"},
		{Name: "users-picked", Path: usersPath + "/picked?all=1&do=join"},
		{Name: "users-fault", Path: usersPath + "/new", Click: "footer button.primary", Then: "[aria-invalid]"},
		{Name: "no-page", Path: "/settings/nowhere"},
		{Name: "no-page-guest", Path: "/nowhere", Guest: true, Pictured: true},
		{Name: "no-user", Path: usersPath + "/nobody"},
		{Name: "no-group", Path: admin + "/user-groups/none", Pictured: true},
		{Name: "no-client", Path: clientsPath + "/none", Pictured: true},
		{Name: "no-api", Path: admin + "/apis/none", Pictured: true},
		{Name: "no-key", Path: "/settings/account/api-keys/none/revoke", Pictured: true},
		{Name: "no-callback", Path: asks(made.Consents, 3)},
		{Name: "device", Path: "/device"},
		{Name: "no-consent", Path: "/consent"},
		{Name: "no-link", Path: "/lc/ABCDEF", Click: "button.primary", Then: ".note.bad", Guest: true},
		{Name: "users-none", Path: usersPath + "?q=nobody-like-this"},
		{Name: "groups-none", Path: admin + "/user-groups?q=nothing-like-this"},
		{Name: "clients-none", Path: clientsPath + "?q=nothing-like-this"},
		{Name: "apis-none", Path: admin + "/apis?q=nothing-like-this"},
		{Name: "keys-none", Path: admin + "/api-keys?q=nothing-like-this"},
		{Name: "audit-none", Path: "/settings/audit-log/global?q=nothing-like-this"},
		{Name: "apps-none", Path: "/settings/apps?q=nothing-like-this"},
	}
	for _, tab := range []string{"look", "uris", "access", "tokens", "secrets", "apis", "claims"} {
		list = append(list, state{Name: "client-" + tab, Path: client + "#" + tab, Then: "#" + tab, Pictured: tab != "look"})
	}
	for _, tab := range []string{"signin", "branding", "advanced"} {
		list = append(list, state{Name: "settings-" + tab, Path: settingsPath + "#" + tab, Then: "#" + tab, Pictured: true})
	}
	return list
}

// crawl follows links inside the house, a few for each kind of page. It is a function of the
// page, which has the cookies, and gives a list of what it found.
const crawl = `(async (kinds, begin) => {
	kinds = kinds.map(k => [k, new RegExp("^" + k.replace(/[.$]/g, "\\$&").replace(/\{[^}]*\}/g, "[^/]+") + "$")])
	const kindOf = path => (kinds.find(k => !k[0].includes("{") && k[1].test(path)) || kinds.find(k => k[1].test(path)) || [null])[0]
	const found = [], seen = new Set(begin), queue = [...begin], times = {}
	while (queue.length) {
		const path = queue.shift(), res = await fetch(path), at = new URL(res.url)
		const kind = kindOf(at.pathname), type = res.headers.get("Content-Type") || ""
		found.push({path, asked: kindOf(path.split("?")[0]), kind, status: res.status, at: at.pathname + at.search})
		if (!type.startsWith("text/html") || res.redirected && seen.has(at.pathname + at.search)) continue
		seen.add(at.pathname + at.search)
		const doc = new DOMParser().parseFromString(await res.text(), "text/html")
		for (const a of doc.querySelectorAll("a[href]")) {
			const to = new URL(a.getAttribute("href"), res.url), next = to.pathname + to.search
			if (to.origin !== location.origin || seen.has(next) || to.pathname.endsWith("/export")) continue
			const which = kindOf(to.pathname) + (to.search ? "?" : "")
			if ((times[which] = (times[which] || 0) + 1) > 20) continue
			seen.add(next)
			queue.push(next)
		}
	}
	return JSON.stringify(found)
})`

// A page that the crawl came to.
type screen struct {
	Path, Asked string // what the link says, and its kind
	At, Kind    string // where it ends, as with a page that wants a fresh proof
	Status      int
}

// Every page is reached by links, no link is dead, and on none of them and in no state axe-core
// finds anything: in Chinese, in the dark, on the narrowest phone, with names of all kinds. With
// SCREENS=directory each is pictured in both languages, wide and narrow, light and dark, and
// a contact sheet shows them all (make screenshots).
func TestEveryPage(t *testing.T) { // threats 29
	onSQLite(t, func(t *testing.T, s *server) {
		s.patience = 30 * time.Minute
		p, guest := s.admin(t, "en"), s.newPerson(t, "en")
		made := s.town(t)
		// An application that somebody has signed in to, a key, and a device that waits.
		p.open("/authorize?" + url.Values{"response_type": {"code"}, "client_id": {made.Consents}, "redirect_uri": {"https://app-0.example.com/callback"}, "scope": {"openid profile readings:read"},
			"resource": {"https://api.example.com/weather"}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}.Encode())
		p.at("/consent")
		p.click("button[value=allow]")
		p.until(`location.host !== ` + fmt.Sprintf("%q", strings.TrimPrefix(s.URL, "http://")))
		p.open("/settings/account/api-keys/new?name=Nightly+backup")
		p.proven("/settings/account/api-keys/new")
		p.click("footer button.primary")
		p.see("#new-key")
		s.house(t, func(ctx context.Context, _ audit.Actor, a *app.App) {
			err := a.DB.Write(ctx, func(tx *db.Tx) error {
				tx.Do(`UPDATE api_keys SET expires_at = $1`, tx.Now().AddDate(0, 0, -1).UnixMicro())
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		p.open("/settings/account/api-keys/new?name=Terraform&ends=date&date=" + time.Now().UTC().AddDate(0, 0, 5).Format("2006-01-02"))
		p.click("footer button.primary")
		p.see("#new-key")
		address, secret := p.newClient("Television", s.URL+"/settings/account")
		b := &box{s: s, t: t, id: address[len(clientsPath)+1:], secret: secret}
		b.ask("openid profile groups")
		p.open("/settings/account")

		golden, err := os.ReadFile("../../internal/app/testdata/routes.txt")
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^(/\S*)\s+GET\s+.*\spage\b.*$`).FindAllStringSubmatch(string(golden), -1) {
			kinds[m[1]] = true
		}
		list, err := json.Marshal(slices.Sorted(maps.Keys(kinds)))
		if err != nil {
			t.Fatal(err)
		}
		found := p.crawl(list, "/settings/account", "/settings/admin", "/login/again?redirect=/settings/account")
		strangers := len(found)
		found = append(found, guest.crawl(list, "/login", "/language", "/device", "/lc", "/signed-out", "/logout")...)
		pages, reached := map[string]state{}, map[string]bool{} // the address to look at, by its kind
		for i, f := range found {
			reached[f.Kind], reached[f.Asked] = true, true
			if f.Status >= 400 {
				t.Errorf("a link leads to %s: %d", f.Path, f.Status)
			} else if now := pages[f.Kind]; f.Kind != "" && elsewhere[f.Kind] == "" && (now.Path == "" || len(f.At) < len(now.Path) || i >= strangers && !now.Guest && forGuests[f.Kind]) {
				pages[f.Kind] = state{Name: f.Kind, Path: f.At, Guest: i >= strangers && forGuests[f.Kind]}
			}
		}
		for kind := range kinds {
			if _, ok := elsewhere[kind]; !ok && !reached[kind] && kind != "/{$}" && kind != "/settings" && kind != "/settings/admin" {
				t.Errorf("no link leads to %s", kind)
			}
		}
		if t.Failed() {
			return
		}
		var stops []state
		for _, kind := range slices.Sorted(maps.Keys(pages)) {
			stops = append(stops, pages[kind])
		}
		stops = append(stops, s.states(made, b.Link)...)
		both := [2]*person{p, guest}
		if dir := os.Getenv("SCREENS"); dir != "" {
			only := regexp.MustCompile(os.Getenv("SCREENS_OF")) // to look at a few again
			stops = slices.DeleteFunc(stops, func(at state) bool { return !only.MatchString(at.Name) })
			pictures(both, dir, stops)
			return
		}
		for _, who := range both {
			who.speak("zh-CN")
			who.scheme("dark")
			who.size(360, 800)
		}
		for _, at := range stops {
			if at.Pictured {
				continue
			}
			who := at.by(both)
			who.axe(at.Name)
			for _, dir := range []string{"ltr", "rtl"} {
				if over := who.value(`(document.documentElement.dir = "` + dir + `", String(document.documentElement.scrollWidth - innerWidth))`); over != "0" && !strings.HasPrefix(over, "-") {
					t.Errorf("%s scrolls sideways by %s px, %s", at.Name, over, dir)
					who.shot("sideways-" + dir + strings.ReplaceAll(at.Name, "/", "-"))
				}
			}
		}
		p.quiet()
		guest.quiet()
	})
}

// forGuests are the pages that look different to somebody who is not signed in, as they
// mostly are.
var forGuests = map[string]bool{"/login": true, "/lc": true, "/language": true, "/signed-out": true}

// by goes there as whoever sees it.
func (at state) by(both [2]*person) *person {
	p := both[0]
	if at.Guest {
		p = both[1]
	}
	p.open(at.Path)
	if strings.HasPrefix(p.value(`location.pathname`), "/login/again") && !strings.HasPrefix(at.Path, "/login/again") {
		p.proven(at.Path)
	}
	if at.Click != "" {
		p.click(at.Click)
	}
	if at.Then != "" {
		p.see(at.Then)
	}
	return p
}

// crawl follows the links from some addresses, as somebody may who has the cookies of p.
func (p *person) crawl(kinds []byte, begin ...string) (found []screen) {
	p.t.Helper()
	p.open(begin[0])
	list, err := json.Marshal(begin)
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf("%s(%s, %s)", crawl, kinds, list), chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("crawl: %v", err)
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		p.t.Fatal(err)
	}
	return found
}

// speak changes the language of an account and its browser.
func (p *person) speak(language string) {
	p.t.Helper()
	p.open("/language")
	p.click(`button[value="` + language + `"]`)
	p.until(`document.documentElement.lang === "` + language + `" && location.pathname !== "/language"`)
}

// pictures makes a picture of each page in each guise, and a contact sheet of them.
func pictures(both [2]*person, dir string, stops []state) {
	t := both[0].t
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, language := range []string{"en", "zh-CN"} {
		for _, p := range both {
			p.speak(language)
		}
		for _, at := range stops {
			p := at.by(both)
			take := func(width int64, guise string) {
				b, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					p.fail("%s: %v", at.Name, err)
				}
				name := fmt.Sprintf("%s-%s-%d-%s.png", strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(at.Name, "-"), "-"), language, width, guise)
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
					t.Fatal(err)
				}
				rows[at.Name] += fmt.Sprintf("<figure><a href=%q><img src=%q loading=lazy alt=%q></a><figcaption>%s, %d, %s</figcaption></figure>\n", name, name, name, language, width, guise)
			}
			for _, width := range []int64{390, 1280} {
				p.size(width, 900)
				for _, scheme := range []string{"light", "dark"} {
					p.scheme(scheme)
					take(width, scheme)
				}
			}
			if language == "en" {
				p.forced()
				take(1280, "forced")
				p.scheme("light")
				p.value(`document.documentElement.dir = "rtl"`)
				take(1280, "rtl")
			}
		}
	}
	var sheet strings.Builder
	sheet.WriteString("<!doctype html><meta charset=utf-8><title>Every page</title><style>body{font:14px system-ui;margin:2rem}figure{display:inline-block;margin:0 1rem 1rem 0;vertical-align:top}img{max-height:34rem;border:1px solid #999}h2{font:600 16px ui-monospace}</style>\n")
	for _, at := range stops {
		fmt.Fprintf(&sheet, "<h2>%s</h2>\n%s", html.EscapeString(at.Name), rows[at.Name])
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(sheet.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the contact sheet is %s", filepath.Join(dir, "index.html"))
}
