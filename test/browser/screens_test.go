package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
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
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// house opens the installation beside its server, to fill it.
func (s *server) house(t *testing.T, fn func(ctx context.Context, by audit.Actor, a *app.App)) {
	t.Helper()
	var beside []string
	if s.dsn == "" {
		beside = []string{"DB_CONNECTION_STRING=" + filepath.Join(s.Dir, "data", "pocket-id.db")}
	}
	c, err := app.Load(s.env(beside...), "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Beside(t.Context(), c, c.Logger(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	fn(t.Context(), audit.System("cli"), a)
}

// longName is as long as a name may be, without a place to break it.
var longName = strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 3)[:50]

// names are those of a house in which many languages meet.
var names = [][2]string{
	{"Mia", "Lindqvist"}, {"李", "伟"}, {"محمد", "عبد الرحمن"}, {"Jonas", "Weber-Hohenstaufen"}, {"Amara", "Okafor"}, {"さくら", "田中"},
	{"Noé", "Garnier"}, {"Світлана", "Петрова"}, {"𠮷野", "家🪡"}, {longName, longName}, {"O’Brien", "<b>&amp;"}, {"Hanna", "Virtanen"},
}

// town fills the house with people, groups, clients and an API, and returns the id of a client
// that asks for consent.
func (s *server) town(t *testing.T) (client string) {
	t.Helper()
	s.house(t, func(ctx context.Context, by audit.Actor, a *app.App) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		var people []string
		for i, n := range names {
			u, err := a.Directory.AddUserAs(ctx, by, directory.NewUser{Username: fmt.Sprintf("person-%02d", i), Email: fmt.Sprintf("person-%02d@example.test", i), FirstName: n[0], LastName: n[1], Admin: i == 4, Disabled: i == 6})
			must(err)
			people = append(people, u.ID)
		}
		var groups []string
		for i, name := range []string{"Operations", "设计", longName[:50]} {
			g, err := a.Directory.AddGroup(ctx, by, directory.GroupEdit{Name: fmt.Sprintf("group-%d", i), FriendlyName: name})
			must(err)
			must(a.Directory.AddMembers(ctx, by, g.ID, people[i:i+8]))
			groups = append(groups, g.ID)
		}
		last := ""
		for i, name := range []string{"Grafana", "Nextcloud", "照片", longName[:50], "Forgejo"} {
			edit := oidc.NewClientEdit()
			edit.Name, edit.Description, edit.LaunchURL = name, "What people do with it, in a sentence", fmt.Sprintf("https://app-%d.example.com/", i)
			edit.RedirectURIs = []oidc.URI{{URI: fmt.Sprintf("https://app-%d.example.com/callback", i)}}
			if i == 1 {
				edit.GroupRestricted, edit.AllowedGroups = true, groups[:2]
			}
			edit.Public = i == 2
			c, _, err := a.OIDC.AddClient(ctx, by, edit)
			must(err)
			if last = c.ID; i == 0 {
				client = c.ID
			}
		}
		weather, err := a.OIDC.AddAPI(ctx, by, "https://api.example.com/weather", oidc.APIEdit{Name: "Weather station"})
		must(err)
		_, err = a.OIDC.SetPermissions(ctx, by, weather.ID, []oidc.Permission{{Name: "readings:read", Title: "Read measurements"}, {Name: "readings:write", Title: "Send measurements"}})
		must(err)
		_, err = a.OIDC.DisableClient(ctx, by, last)
		must(err)
		_, _, err = a.OIDC.AddRegistrationToken(ctx, by, oidc.RegistrationTokenEdit{Name: "Build server", Uses: 5, ExpiresAt: time.Now().AddDate(0, 1, 0)})
		must(err)
		must(a.OIDC.SetAPIClient(ctx, by, weather.ID, client, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"readings:read"}}))
	})
	return client
}

// elsewhere are pages that no link leads to, because a flow or a form does, and who looks at
// them.
var elsewhere = map[string]string{
	"/consent":                          "TestJourney: a request of an application",
	"/authorize":                        "TestJourney: a request of an application",
	"/authorize/next":                   "TestJourney: a request of an application",
	"/api/oidc/end-session":             "TestSigningOutReachesApplications: an application signs somebody out",
	"/device/confirm":                   "TestDevice: a device that waits",
	"/favicon.ico":                      "a picture",
	"/lc/{code}":                        "TestLoginLinkThenFirstPasskey: a link from somebody",
	"/logout":                           "TestJourney: a form",
	"/settings/account/sessions/others": "TestSessions: somebody who is signed in twice",
	"/login/alternative":                "an old address, which leads on",
	"/login/alternative/code":           "an old address, which leads on",
	"/login/select":                     "TestJourney: a request of an application",
	"/settings/admin/audit-log/global/export": "a file",
	"/settings/admin/users/picked":            "TestUsers: a form",
	"/settings/admin/users/{id}/release":      "TestUserPages: somebody who is deleted",
	"/settings/audit-log/global/export":       "a file",
	"/settings/account/api-keys/{id}/renew":   "TestAPIKeys: somebody with a key",
	"/settings/account/api-keys/{id}/revoke":  "TestAPIKeys: somebody with a key",
	"/settings/admin/api-keys/{id}/revoke":    "TestAPIKeys: somebody with a key",
	"/settings/account/delete":                "TestPeopleDeleteTheirAccount: the settings allow it",
	"/settings/admin/jobs":                    "TestOverviewOfTheHouse: a job that rests",
	"/settings/admin/jobs/{id}/forget":        "TestOverviewOfTheHouse: a job that rests",
	"/settings/admin/user-work":               "TestUsers: work on many accounts",
	"/settings/admin/user-work/{id}":          "TestUsers: work on many accounts",
	"/setup":                                  "TestJourney: a new house",
	"/signup/setup":                           "TestJourney: a new house",
	"/theme.css":                              "a style sheet",
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
			if (to.origin !== location.origin || seen.has(next)) continue
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

// Every page is reached by links, no link is dead, and on none of them axe-core finds
// anything: in Chinese, in the dark, on the narrowest phone, with names of all kinds. With
// SCREENS=directory each is pictured in both languages, wide and narrow, light and dark, and
// a contact sheet shows them all (make screenshots).
func TestEveryPage(t *testing.T) { // threats 29
	patience = 30 * time.Minute
	t.Cleanup(func() { patience = usualPatience })
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		client := s.town(t)
		// An application that somebody has signed in to.
		p.open("/authorize?" + url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {"https://app-0.example.com/callback"}, "scope": {"openid profile readings:read"},
			"resource": {"https://api.example.com/weather"}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}.Encode())
		p.at("/consent")
		p.click("button[value=allow]")
		p.until(`location.host !== ` + fmt.Sprintf("%q", strings.TrimPrefix(s.URL, "http://")))
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
		found = append(found, s.newPerson(t, "en").crawl(list, "/login", "/language", "/device", "/lc", "/signed-out", "/logout")...)
		pages, reached := map[string]string{}, map[string]bool{} // the address to look at, by its kind
		for _, f := range found {
			reached[f.Kind], reached[f.Asked] = true, true
			if f.Status >= 400 {
				t.Errorf("a link leads to %s: %d", f.Path, f.Status)
			} else if f.Kind != "" && (pages[f.Kind] == "" || len(f.At) < len(pages[f.Kind])) {
				pages[f.Kind] = f.At
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
		dir := os.Getenv("SCREENS")
		if dir != "" {
			p.picture(dir, pages)
			return
		}
		p.speak("zh-CN")
		p.scheme("dark")
		p.size(360, 800)
		for _, kind := range slices.Sorted(maps.Keys(pages)) {
			if _, ok := elsewhere[kind]; ok {
				continue
			}
			p.open(pages[kind])
			p.axe(kind)
			if over := p.value(`String(document.documentElement.scrollWidth - innerWidth)`); over != "0" && !strings.HasPrefix(over, "-") {
				t.Errorf("%s scrolls sideways by %s px", kind, over)
				p.shot("sideways" + strings.ReplaceAll(kind, "/", "-"))
			}
		}
		p.quiet()
	})
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

// picture makes a picture of each page in each guise, and a contact sheet of them.
func (p *person) picture(dir string, pages map[string]string) {
	p.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	var sheet strings.Builder
	sheet.WriteString("<!doctype html><meta charset=utf-8><title>Every page</title><style>body{font:14px system-ui;margin:2rem}figure{display:inline-block;margin:0 1rem 1rem 0;vertical-align:top}img{max-height:34rem;border:1px solid #999}h2{font:600 16px ui-monospace}</style>\n")
	kinds := slices.Sorted(maps.Keys(pages))
	rows := map[string]string{}
	for _, language := range []string{"en", "zh-CN"} {
		p.speak(language)
		for _, kind := range kinds {
			if _, ok := elsewhere[kind]; ok {
				continue
			}
			p.open(pages[kind])
			for _, width := range []int64{1280, 390} {
				p.size(width, 900)
				for _, scheme := range []string{"light", "dark"} {
					p.scheme(scheme)
					b, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
					if err != nil {
						p.fail("%s: %v", kind, err)
					}
					name := fmt.Sprintf("%s-%s-%d-%s.png", strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(kind, "-"), "-"), language, width, scheme)
					if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
						p.t.Fatal(err)
					}
					rows[kind] += fmt.Sprintf("<figure><a href=%q><img src=%q loading=lazy alt=%q></a><figcaption>%s, %d, %s</figcaption></figure>\n", name, name, name, language, width, scheme)
				}
			}
		}
	}
	for _, kind := range kinds {
		fmt.Fprintf(&sheet, "<h2>%s</h2>\n%s", html.EscapeString(kind), rows[kind])
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(sheet.String()), 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.t.Logf("the contact sheet is %s", filepath.Join(dir, "index.html"))
}
