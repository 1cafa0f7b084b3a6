package protocol

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
)

// tiles are the names on a page of my apps, in their order.
func tiles(page *apptest.Page) (names []string) {
	for _, m := range regexp.MustCompile(`<li data-name="([^"]*)"`).FindAllStringSubmatch(page.Body, -1) {
		names = append(names, m[1])
	}
	return names
}

// My apps are what the gate lets one use, in pages of a bounded size and a bounded number of
// statements, however many there are.
func TestMyApps(t *testing.T) { // threats 3, 62, 75
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		const apps = "/settings/apps"
		admin := h.SetUp()
		if page := admin.Open(apps); !strings.Contains(page.Body, `href="/settings/admin/oidc-clients/new"`) {
			t.Errorf("an administrator without apps is not led to the first: %s", page)
		}
		ada := h.User("ada")
		ada.SignIn()
		if page := ada.Open(apps); strings.Contains(page.Body, "oidc-clients") || !strings.Contains(page.Body, "Your pocket is empty") {
			t.Errorf("somebody without apps sees %s", page)
		}
		h.Client("closed", func(e *oidc.ClientEdit) { e.GroupRestricted = true; e.LaunchURL = "https://closed.example/" })
		if page := admin.Open(apps); !strings.Contains(page.Body, "none that you may use") {
			t.Errorf("an administrator who may use none sees %s", page)
		}
		h.Client("machine", func(e *oidc.ClientEdit) { e.GrantTypes = oidc.MachineGrants })
		h.Client("zelda", func(e *oidc.ClientEdit) {
			e.LaunchURL, e.Description = "https://zelda.example/start?x=<1>", `"><script>alert(1)</script>`
		})
		h.Client("aaa")
		strange := h.Client("strange")
		h.SQL(`UPDATE clients SET kind = 'dynamic' WHERE id = $1`, strange.ID)
		page := ada.Open(apps)
		if got := fmt.Sprint(tiles(page)); got != "[zelda aaa]" {
			t.Errorf("ada sees %s", got)
		}
		if strings.Contains(page.Body, "<script>alert") || !strings.Contains(page.Body, `href="https://zelda.example/start?x=%3c1%3e" rel="noreferrer"`) || !strings.Contains(page.Body, ">zelda.example<") {
			t.Errorf("the tile is %s", page.Body)
		}
		if strings.Contains(page.Body, "/revoke") || strings.Contains(page.Body, "oidc-clients") {
			t.Error("what cannot be done is offered")
		}

		// What strangers registered is there for who uses it, and leaves with the access.
		strange.Authorize(ada, "scope", "openid")
		page = ada.Open(apps)
		if got := fmt.Sprint(tiles(page)); got != "[zelda aaa strange]" {
			t.Errorf("ada, who uses it, sees %s", got)
		}
		way := "/settings/account/apps/" + strange.ID + "/revoke?back=%2fsettings%2fapps"
		if !strings.Contains(page.Body, strings.ReplaceAll(way, "%2f", "%2F")) {
			t.Errorf("no way to take it back in %s", page.Body)
		}
		if page = ada.Submit(way, url.Values{}); page.URL.Path != apps || fmt.Sprint(tiles(page)) != "[zelda aaa]" {
			t.Errorf("taking it back leads to %s with %v", page.URL, tiles(page))
		}

		// The first page is one that the administrator chose.
		h.SQL(`INSERT INTO settings (id, value, updated_at) VALUES (1, '{"homePageUrl":"/settings/apps"}', $1)
			ON CONFLICT (id) DO UPDATE SET value = excluded.value`, time.Now().UnixMicro())
		for _, path := range []string{"/", "/settings"} {
			if page := ada.Open(path); page.URL.Path != apps {
				t.Errorf("%s leads to %s", path, page.URL.Path)
			}
		}

		for i := range 300 {
			h.SQL(`INSERT INTO clients (id, name, name_key, launch_url, created_at, updated_at) VALUES ($1, $2, $2, 'https://app.example/', 0, 0)`, fmt.Sprint("c", i), fmt.Sprintf("app %03d", i))
		}
		h.Settle()
		before := h.App.DB.Statements()
		page = ada.Open(apps)
		if n := h.App.DB.Statements() - before; n > 7 { // who (2), settings, the person, groups, clients, how many
			t.Errorf("a page of 300 takes %d statements", n)
		}
		if len(tiles(page)) != oidc.MaxApps || !strings.Contains(page.Body, "302 apps") {
			t.Errorf("the first page has %d", len(tiles(page)))
		}
		seen := map[string]bool{}
		for pages := 0; ; pages++ {
			for _, name := range tiles(page) {
				if seen[name] {
					t.Errorf("%s is there twice", name)
				}
				seen[name] = true
			}
			next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(page.Body)
			if next == nil || pages > 10 {
				break
			}
			page = ada.Open(html.UnescapeString(next[1]))
		}
		if len(seen) != 302 {
			t.Errorf("the pages have %d apps", len(seen))
		}
		if got := fmt.Sprint(tiles(ada.Open(apps + "?q=PP+29"))); got != "[app 290 app 291 app 292 app 293 app 294 app 295 app 296 app 297 app 298 app 299]" {
			t.Errorf("the search finds %s", got)
		}
		for _, odd := range []string{"?after=x", "?after=0", "?q=%25", "?q=_", "?after=2+a+b", "?q=" + strings.Repeat("a", 3000)} {
			if page := ada.Open(apps + odd); page.Status != http.StatusOK {
				t.Errorf("%s: %s", odd, page)
			}
		}
	})
}

// The overview shows what the house says, the chart what the log has, and the jobs that gave
// up are tried again by who may.
func TestOverviewOfTheHouse(t *testing.T) { // threats 63, 75
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin, ada := h.SetUp(), h.User("ada")
		for range 3 {
			ada.SignIn()
			ada.SignOut()
		}
		for _, id := range []string{"first", "second"} {
			h.SQL(`INSERT INTO jobs (id, kind, body, run_at, tries, rests, error, created_at) VALUES ($1, 'oidc.user_out', 'nobody', $2, 10, TRUE, 'it <b>broke</b>', $2)`, id, time.Now().UnixMicro())
		}
		h.Settle()
		before := h.App.DB.Statements()
		page := admin.Open("/settings/admin")
		// Who and settings 2, checks 4, chart 3, figures 3, the menu 3.
		if n := h.App.DB.Statements() - before; n > 16 {
			t.Errorf("the overview takes %d statements", n)
		}
		for _, want := range []string{"need a look", "One job has given up", "2 jobs have given up", "APP_URL is the address in use"} {
			if has := strings.Contains(page.Body, want); has != !strings.HasPrefix(want, "One job") {
				t.Errorf("it says %q: %t", want, has)
			}
		}
		came := audit.Filter{Events: audit.SignedIn.Names(), Limit: 100}
		list, err := h.App.Audit.List(t.Context(), audit.System("cli"), came)
		if err != nil {
			t.Fatal(err)
		}
		link := regexp.MustCompile(`<dd><a href="(/settings/audit-log/global[^"]*)">(\d+)</a>`).FindStringSubmatch(page.Body)
		if link == nil || link[2] != fmt.Sprint(list.Total) || list.Total < 4 {
			t.Errorf("the figure is %v, the log has %d", link, list.Total)
		} else if log := admin.Open(html.UnescapeString(link[1])); !strings.Contains(log.Body, link[2]+" entr") {
			t.Errorf("the list of the figure %s is %s", link[2], log.Body)
		}

		page = admin.Open("/settings/admin/jobs")
		if !strings.Contains(page.Body, "it &lt;b&gt;broke") || !strings.Contains(page.Body, "/settings/admin/jobs/second/forget") {
			t.Errorf("the jobs are %s", page.Body)
		}
		ada.SignIn()
		for _, path := range []string{"first/again", "second/forget"} {
			if a := ada.Raw(http.MethodPost, "/settings/admin/jobs/"+path, url.Values{}, "same-origin"); a.Status != http.StatusForbidden {
				t.Errorf("%s by somebody else: %d", path, a.Status)
			}
			if path == "second/forget" && !strings.Contains(admin.Open("/settings/admin/jobs/"+path).Body, "Forget this job?") {
				t.Error("nobody asks before a job is forgotten")
			}
			if page := admin.Submit("/settings/admin/jobs/"+path, url.Values{}); page.URL.Path != "/settings/admin/jobs" {
				t.Errorf("%s leads to %s", path, page)
			}
			if page := admin.Submit("/settings/admin/jobs/"+path, url.Values{}); page.Status != http.StatusNotFound {
				t.Errorf("%s again: %s", path, page)
			}
		}
		h.Settle()
		if page := admin.Open("/settings/admin"); !strings.Contains(page.Body, "No job has given up") {
			t.Errorf("afterwards: %s", page.Body)
		}
		if page := admin.Open("/settings/audit-log/global?event=system"); !strings.Contains(page.Body, "dropped a job") || !strings.Contains(page.Body, "be tried again") {
			t.Errorf("the log says %s", page.Body)
		}
	})
}
