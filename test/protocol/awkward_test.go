package protocol

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

// answersAnything are the addresses whose wildcard need not name something that there is, and why.
var answersAnything = map[string]string{
	"POST /settings/account/sessions/{id}/end":           "a session that has ended is what was asked for",
	"POST /settings/admin/users/{id}/sessions/{sid}/end": "as one's own",
	"GET /settings/admin/apis/{id}/clients/{client}":     "what is asked for first is the API",
}

// outlives are the addresses that answer although what they were about has been deleted, and why.
var outlives = map[string]string{
	"GET /settings/audit-log/global/{id}":                "the log outlives what it tells of",
	"GET /settings/admin/user-work/{id}":                 "work on accounts outlives them",
	"POST /settings/admin/user-work/{id}/stop":           "as its page",
	"POST /settings/admin/user-work/{id}/undo":           "as its page",
	"GET /settings/admin/users/{id}/release":             "it is about somebody who was deleted",
	"POST /settings/admin/users/{id}/release":            "as its page",
	"GET /settings/admin/api-keys/{id}/revoke":           "a key stays in the list for a while",
	"POST /settings/admin/api-keys/{id}/revoke":          "as its page",
	"POST /settings/admin/users/{id}/sessions/{sid}/end": "a session that has ended is what was asked for",
}

var wild = regexp.MustCompile(`\{[a-z]+\}`)

// inside reports whether a route is a page for those who are signed in, or a form of one.
func (r route) inside() bool {
	return r.surface == "page" && (r.access == "signed in" || r.access == "admin") && (r.method == http.MethodGet || r.method == http.MethodPost)
}

// Every page and every form answers to a session that has ended, to somebody without the
// right, to an address of nothing, and to something that was deleted while its page was
// open. Nothing changes by any of it. A route that is new is walked from its first day.
func TestPagesInAwkwardSituations(t *testing.T) { // threats 27, 33, 49, 63
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		all := routes(t)
		admin := h.SetUp()
		ada, eve := thingsOf(t, h, h.User("ada")), thingsOf(t, h, h.User("eve"))
		boss := &clerk{t: t, h: h, Person: admin, own: thingsOf(t, h, admin), others: ada}
		other := &clerk{t: t, h: h, Person: eve.person, own: eve, others: ada}

		// What the administrator has open: pages with their addresses, forms as they are filled.
		type opened struct {
			route   route
			address string
			values  url.Values
		}
		var open []opened
		seen := map[string]bool{}
		for _, r := range pagesFirst(all) {
			if !r.inside() {
				continue
			}
			open = append(open, opened{r, boss.address(r.path), nil})
			for _, l := range boss.leaves(r, all) {
				method, path, _ := strings.Cut(l.route, " ")
				at := slices.IndexFunc(all, func(r route) bool { return r.method == method && r.path == path })
				if at < 0 || !all[at].inside() || method != http.MethodPost || seen[l.route] {
					continue
				}
				seen[l.route] = true
				open = append(open, opened{all[at], l.action, l.form.Values()})
			}
		}
		for _, r := range all { // forms whose page is not there now
			if address := r.method + " " + r.path; r.inside() && r.method == http.MethodPost && !seen[address] {
				open = append(open, opened{r, boss.address(r.path), url.Values{}})
			}
		}
		if len(open) < 120 {
			t.Errorf("only %d pages and forms are walked", len(open))
		}
		boss.comeBack()
		h.Settle()
		before := h.Rows()
		unchanged := func(what string) {
			t.Helper()
			h.Settle()
			if got := changes(before, h.Rows()); len(got) > 0 {
				t.Errorf("%s changed %v", what, got)
			}
		}
		form := regexp.MustCompile(`href="(/login[^"]*)"`)

		for _, o := range open { // the session has ended
			a := h.Browser().Raw(o.route.method, o.address, o.values, "same-origin")
			name := o.route.method + " " + o.route.path + " without a session"
			if o.route.method == http.MethodGet {
				if want := "/login?redirect=" + url.QueryEscape(o.address); a.Status != http.StatusSeeOther || a.Header.Get("Location") != want {
					t.Errorf("%s: %d to %q, want %q", name, a.Status, a.Header.Get("Location"), want)
				}
				continue
			}
			m := form.FindStringSubmatch(a.Body)
			if a.Status != http.StatusUnauthorized || m == nil || !strings.Contains(a.Body, "Nothing was saved.") {
				t.Errorf("%s: %d, and it leads to %q", name, a.Status, m)
				continue
			}
			u, err := url.Parse(html.UnescapeString(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			target := u.Query().Get("redirect")
			if page := boss.Open(target); target == "" && o.route.path != "/login/other" || page.Status >= 400 && seen[o.route.method+" "+o.route.path] && o.route.path != "/device/confirm" { // whose page is out of date, and says so
				t.Errorf("%s: after signing in %q is answered %s", name, target, page)
			}
		}
		unchanged("forms without a session")

		for _, o := range open { // no right to it
			if o.route.access != "admin" {
				continue
			}
			if a := other.Raw(o.route.method, o.address, o.values, "same-origin"); a.Status != http.StatusForbidden || !strings.Contains(a.Body, "<h1>") {
				t.Errorf("%s %s without the right: %d", o.route.method, o.route.path, a.Status)
			}
		}
		unchanged("forms without the right")

		for _, o := range open { // no such thing
			if _, any := answersAnything[o.route.method+" "+o.route.path]; any || !wild.MatchString(o.route.path) {
				continue
			}
			for _, id := range []string{"00000000-0000-4000-8000-000000000000", "x", "%F0%9F%A7%B5"} {
				a := boss.Raw(o.route.method, wild.ReplaceAllString(o.route.path, id), o.values, "same-origin")
				if a.Status != http.StatusNotFound || !strings.Contains(a.Body, "<h1>") {
					t.Errorf("%s %s with %s: %d", o.route.method, o.route.path, id, a.Status)
				}
			}
		}
		unchanged("forms about nothing")

		// All that the pages are about is deleted while they are open.
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			for _, err := range []error{
				h.App.OIDC.DeleteClient(ctx, by, ada.client.ID), h.App.OIDC.DeleteClient(ctx, by, ada.document),
				h.App.OIDC.RevokeRegistrationToken(ctx, by, ada.token), d.DeleteServices(ctx, by, ada.service), d.Delete(ctx, by, ada.person.ID),
			} {
				if err != nil {
					return err
				}
			}
			if _, err := h.App.OIDC.DeleteAPI(ctx, by, ada.api); err != nil {
				return err
			}
			_, err := h.App.OIDC.DeleteGroup(ctx, by, ada.group)
			return err
		})
		h.Settle()
		before = h.Rows()
		for _, o := range open {
			_, lives := outlives[o.route.method+" "+o.route.path]
			if lives || !wild.MatchString(o.route.path) || strings.HasPrefix(o.route.path, "/settings/account") || strings.Contains(o.route.path, "application-configuration") {
				continue
			}
			if a := boss.Raw(o.route.method, o.address, o.values, "same-origin"); a.Status != http.StatusNotFound || !strings.Contains(a.Body, "<h1>") {
				t.Errorf("%s %s after it was deleted: %d", o.route.method, o.route.path, a.Status)
			}
		}
		unchanged("forms about what was deleted")
	}, "DISABLE_RATE_LIMITING=true")
}
