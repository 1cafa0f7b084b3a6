package protocol

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// withoutForm are the addresses that take a POST and that no page has a form for, and why.
var withoutForm = map[string]string{
	"POST /authorize":                       "applications send it",
	"POST /login":                           "its page is for who is not signed in, and only a browser without scripts sends it",
	"POST /settings/account/delete":         "the settings have to allow it first",
	"POST /settings/account/passkeys/offer": "its page comes after a sign-in with the passkey of another device",
	"POST /setup":                           "set-up is over",
	"POST /settings/admin/jobs/{id}/again":  "a job has to rest first", "POST /settings/admin/jobs/{id}/forget": "a job has to rest first",
	"POST /settings/admin/user-work/{id}/stop": "work has to be under way",
	"POST /api/oidc/token":                     "it is for programs",
	"POST /api/oidc/userinfo":                  "it is for programs", "POST /api/oidc/end-session": "applications send it",
}

// everyForm lets fn see all forms, of an administrator and of somebody else, and makes
// sure that no form of the house was left out.
func everyForm(t *testing.T, fn func(t *testing.T, c *clerk, l leaf)) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		all, seen := routes(t), map[string]bool{}
		admin := h.SetUp()
		ada, eve := thingsOf(t, h, h.User("ada")), thingsOf(t, h, h.User("eve"))
		boss := &clerk{t: t, h: h, Person: admin, own: thingsOf(t, h, admin), others: ada}
		for _, c := range []*clerk{boss, {t: t, h: h, Person: eve.person, own: eve, others: ada}} {
			for _, r := range pagesFirst(all) {
				if r.access == "admin" && c != boss {
					continue
				}
				for _, l := range c.leaves(r, all) {
					seen[l.route] = true
					fn(t, c, l)
				}
			}
		}
		for _, r := range all {
			address := r.method + " " + r.path
			_, excused := withoutForm[address]
			if r.method == http.MethodPost && r.surface == "page" && seen[address] == excused {
				t.Errorf("%s: a form was found: %v; let forms_kit_test.go open the page that has it, or say in withoutForm why there is none", address, seen[address])
			}
		}
	}, "DISABLE_RATE_LIMITING=true")
}

// Every field of every form has a bound: a text of 20,000 and of 100,000 characters is
// refused, or it is not looked at where another choice counts; nothing changes by it,
// nothing of it is kept, and no page shows it again.
func TestEveryFieldHasABound(t *testing.T) { // threats 80
	tried := map[string]bool{}
	everyForm(t, func(t *testing.T, c *clerk, l leaf) {
		for _, name := range l.form.Names() {
			key := fmt.Sprint(l.route, " ", name, " ", c.Name)
			if tried[key] {
				continue
			}
			tried[key] = true
			for _, size := range []int{20_000, 100_000} {
				long := strings.Repeat("q", size)
				values := l.form.Values()
				values.Set(name, long)
				if !l.form.Post && size > 60_000 {
					continue // a request line is not as long
				}
				if !l.form.Post {
					a := c.Raw(http.MethodGet, strings.SplitN(l.action, "?", 2)[0]+"?"+values.Encode(), nil, "same-origin")
					if times := strings.Count(a.Body, long[:10_000]); a.Status >= 500 || times > 0 {
						t.Errorf("%s: a query with %d characters in %s: %d, and it is shown %d times", l.route, size, name, a.Status, times/2)
					}
					continue
				}
				c.comeBack()
				c.h.Settle() // jobs follow
				before := c.h.Rows()
				a := c.Raw(http.MethodPost, l.action, values, "same-origin")
				after := c.h.Rows()
				if a.Status >= 500 || a.Status == http.StatusTooManyRequests {
					t.Errorf("%s: %d characters in %s: %d", l.route, size, name, a.Status)
				}
				if got := changes(before, after); len(got) > 0 && (a.Status >= 400 || typed(l.form, name)) {
					t.Errorf("%s: %d characters in %s: %d, and they changed %v", l.route, size, name, a.Status, got)
				}
				for table, rows := range after {
					if slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, long[:5000]) }) {
						t.Errorf("%s: %d characters in %s are kept in %s", l.route, size, name, table)
					}
				}
				if len(a.Header.Get("Set-Cookie")) > 4000 {
					t.Errorf("%s: %d characters in %s are kept in a cookie", l.route, size, name)
				}
			}
		}
	})
	if len(tried) < 100 {
		t.Errorf("only %d fields were tried", len(tried))
	}
}

// typed says whether people type into the fields of that name.
func typed(f *apptest.Form, name string) bool {
	return slices.ContainsFunc(f.Fields, func(field apptest.Field) bool {
		return field.Name == name && slices.Contains([]string{"text", "search", "email", "url", "tel", "number", "date", "datetime-local", "color", "textarea"}, field.Kind)
	})
}

// Sizes and places of lists come from outside, and are held.
func TestListsHoldTheirSize(t *testing.T) { // threats 75, 80
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := thingsOf(t, h, h.User("ada"))
		c := &clerk{t: t, h: h, Person: admin, own: thingsOf(t, h, admin), others: ada}
		for range 120 {
			h.SQL(`INSERT INTO audit (id, at, event, via, user_id, actor_id) SELECT id || '-' || CAST((SELECT count(*) FROM audit) AS TEXT), at, event, via, user_id, actor_id FROM audit WHERE id = $1`, ada.entry)
		}
		names := []string{"limit", "size", "page", "per_page", "pagination[limit]", "pagination[page]", "after", "before", "cursor", "sort", "order", "by", "q", "from", "until", "to", "id", "event", "client", "person", "user", "state", "role", "do", "back", "tab"}
		for _, r := range pagesFirst(routes(t)) {
			if r.access != "signed in" && r.access != "admin" {
				continue
			}
			address, join := c.address(r.path), "?"
			plain := c.visit(address)
			if strings.Contains(address, "?") {
				join = "&"
			}
			for _, value := range []string{"0", "-1", "999999999999999999999", "1e9", "' OR 1=1 --", "%", "\x00", "\xff", strings.Repeat("9 ", 300)} {
				q := url.Values{}
				for _, name := range names {
					if !strings.Contains(address, name+"=") {
						q.Set(name, value)
					}
				}
				a := c.Raw(http.MethodGet, address+join+q.Encode(), nil, "same-origin")
				if a.Status >= 500 || len(a.Body) > max(2*len(plain.Body), 300_000) {
					t.Errorf("%s with %q everywhere: %d, %d bytes (%d without)", r.path, value, a.Status, len(a.Body), len(plain.Body))
				}
			}
		}
	}, "DISABLE_RATE_LIMITING=true")
}
