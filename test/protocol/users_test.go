package protocol

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

const usersList = "/settings/admin/users"

// someUser is the form of a new account.
func someUser(name string, changes ...string) url.Values {
	f := url.Values{"draft": {""}, "username": {name}, "email": {name + "@example.test"}, "first_name": {strings.ToUpper(name[:1]) + name[1:]}}
	for i := 0; i+1 < len(changes); i += 2 {
		f.Set(changes[i], changes[i+1])
	}
	return f
}

// newUser makes an account on the page for it and returns its id.
func newUser(t *testing.T, boss *apptest.Person, name string, changes ...string) string {
	t.Helper()
	page := boss.Submit(usersList+"/new", someUser(name, changes...))
	id, ok := strings.CutPrefix(page.URL.Path, usersPath)
	if !ok || page.Status != http.StatusOK {
		t.Fatalf("%s is not added: %s", name, page)
	}
	return id
}

// recorded are the entries of the log about an event, as text.
func recorded(h *apptest.House, event string) (found []string) {
	for _, row := range h.Rows()["audit"] {
		if strings.Contains(row, event) {
			found = append(found, row)
		}
	}
	return found
}

// threats 54, 65: the addresses about people are for administrators, and a question
// changes nothing.
func TestListOfPeopleIsForAdministrators(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada, eve := h.User("ada"), h.User("eve")
		eve.SignIn()
		gone := newUser(t, boss, "gone")
		boss.Submit(usersPath+gone+"/delete", url.Values{})
		boss.Prove("/login/again", usersPath+ada.ID+"/link")
		picked := usersList + "/picked?do=delete&id=" + ada.ID + "&id=" + boss.ID
		asks := []string{usersList, usersList + "?state=deleted", usersList + "/new", picked, usersPath + ada.ID + "/disable",
			usersPath + ada.ID + "/enable", usersPath + ada.ID + "/delete", usersPath + ada.ID + "/link", usersPath + gone + "/release"}
		before := kept(h)
		for _, path := range asks {
			if page := eve.Open(path); page.Status != http.StatusForbidden || strings.Contains(page.Body, "ada@example.test") {
				t.Errorf("eve opens %s: %s", path, page)
			}
			if page := h.Browser().Open(path); page.URL.Path != "/login" {
				t.Errorf("a stranger opens %s: %s", path, page)
			}
			if page := boss.Open(path); page.Status != http.StatusOK {
				t.Errorf("the administrator opens %s: %s", path, page)
			}
			if path == usersList || strings.Contains(path, "state=") {
				continue
			}
			form := someUser("mallory", "hours", "1", "admin", "on")
			if page := eve.Submit(path, form); page.Status != http.StatusForbidden {
				t.Errorf("eve sends %s: %s", path, page)
			}
			if page := h.Browser().Submit(path, form); page.URL.Path != "/login" && page.Status < 400 {
				t.Errorf("a stranger sends %s: %s", path, page)
			}
			if page := boss.Post(path, form); page.Status < 300 {
				t.Errorf("another site sends %s: %s", path, page)
			}
		}
		if after := kept(h); !reflect.DeepEqual(before, after) {
			t.Errorf("before %v\nafter  %v", before, after)
		}
		if n := len(h.Rows()["login_codes"]); n != 0 {
			t.Errorf("%d links were made", n)
		}
	})
}

// threats 65: the form of a new account sets what it shows and nothing else.
func TestNewAccountIsWhatItsFormShows(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		page := boss.Open(usersList + "/new")
		draft := matches(t, page, `name="draft" value="([^"]*)"`)[0]
		form := someUser("ada", "draft", draft, "kind", "service", "ldap_id", "uid=ada", "owner_id", boss.ID, "id", boss.ID, "claims", "x",
			"claims_value", "y", "locale", "fr", "deleted_at", "1", "valid_from", "1", "picture_id", "p", "disabled_at", "1")
		page = boss.Submit(usersList+"/new", form)
		if page.URL.Path != usersPath+draft {
			t.Fatalf("the account is not there: %s", page)
		}
		at := slices.IndexFunc(h.Rows()["users"], func(row string) bool { return strings.Contains(row, "ada@example.test") })
		row := h.Rows()["users"][at]
		for _, bad := range []string{"service", "uid=ada", boss.ID, "locale=fr", "disabled_at=1", "deleted_at=1", "claims={\"x"} {
			if strings.Contains(strings.ReplaceAll(row, draft, ""), bad) {
				t.Errorf("%q came through: %s", bad, row)
			}
		}
		if again := boss.Submit(usersList+"/new", form); again.URL.Path != usersPath+draft || len(h.Rows()["users"]) != 2 {
			t.Errorf("sent twice: %s", again)
		}
		for _, tt := range []struct{ name, field, value, says string }{
			{"a name of somebody else in capitals", "username", "ADA", "username"},
			{"the address of somebody else", "email", "Ada@Example.Test", "email"},
			{"an address as a name", "username", "ada@example.test", "username"},
			{"no name", "username", "", "username"},
			{"no address", "email", "", "email"},
			{"a day that is over", "expires_at", "1999-01-01", "expires_at"},
			{"a day that is none", "expires_at", "soon", "expires_at"},
		} {
			page := boss.Submit(usersList+"/new", someUser("bob", tt.field, tt.value))
			if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `id="`+tt.says+`-e"`) || !strings.Contains(page.Body, `value="Bob"`) {
				t.Errorf("%s: %s", tt.name, page)
			}
		}
	})
}

// The names of the deleted stay theirs until an administrator releases them, and what
// was done is in the log with what it was before.
func TestNamesOfTheDeletedAreReserved(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := newUser(t, boss, "ada")
		if page := boss.Submit(usersPath+ada+"/delete", url.Values{}); page.URL.Path != usersList || !strings.Contains(page.Body, "Ada is deleted") {
			t.Fatalf("deleting: %s", page)
		}
		if page := boss.Submit(usersList+"/new", someUser("ada")); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("a reserved name is given away: %s", page)
		}
		for _, path := range []string{ada, ada + "/disable", ada + "/delete", ada + "/link"} {
			if page := boss.Open(usersPath + path); page.Status != http.StatusNotFound {
				t.Errorf("%s of a deleted account: %s", path, page)
			}
		}
		time.Sleep(8 * 24 * time.Hour) // until nothing but the names is left
		h.Settle()
		boss.SignIn()
		if page := boss.Open(usersList + "?state=deleted&q=ada"); !strings.Contains(page.Body, ada+"/release") {
			t.Fatalf("the deleted are not listed: %s", page)
		}
		if page := boss.Submit(usersPath+boss.ID+"/release", url.Values{}); page.Status != http.StatusNotFound {
			t.Errorf("the names of the living are released: %s", page)
		}
		if page := boss.Submit(usersPath+ada+"/release", url.Values{}); page.Status != http.StatusOK || strings.Contains(page.Body, ada) {
			t.Errorf("releasing: %s", page)
		}
		if page := boss.Submit(usersPath+ada+"/release", url.Values{}); page.Status != http.StatusNotFound {
			t.Errorf("releasing twice: %s", page)
		}
		if got := recorded(h, "user.names_released"); len(got) != 1 || !strings.Contains(got[0], "ada@example.test") {
			t.Errorf("the log says %q", got)
		}
		if page := boss.Submit(usersList+"/new", someUser("ada", "draft", ada)); page.Status != http.StatusNotFound {
			t.Errorf("the id of the deleted is given again: %s", page)
		}
		if got := newUser(t, boss, "ada"); got == ada {
			t.Error("somebody inherits the id")
		}
	})
}

// Nobody locks the house: neither the last administrator nor oneself can go, alone or
// among others.
func TestAdministratorsDoNotLockThemselvesOut(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := newUser(t, boss, "ada")
		refused := func(says string) {
			t.Helper()
			before := kept(h)
			for _, path := range []string{usersPath + boss.ID + "/disable", usersPath + boss.ID + "/delete"} {
				if page := boss.Open(path); !strings.Contains(page.Body, says) || strings.Contains(page.Body, "danger primary") {
					t.Errorf("%s asks in vain: %s", path, page)
				}
				if page := boss.Submit(path, url.Values{}); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, says) {
					t.Errorf("%s: %s", path, page)
				}
			}
			if after := kept(h); !reflect.DeepEqual(before, after) {
				t.Errorf("before %v\nafter  %v", before, after)
			}
		}
		refused("The last administrator stays")
		newUser(t, boss, "root", "admin", "on")
		refused("You cannot lock yourself out")
		page := boss.Submit(usersList+"/picked?do=disable&id="+ada+"&id="+ada+"&id="+boss.ID, url.Values{})
		if page.Status != http.StatusOK || len(recorded(h, "user.disabled")) != 1 || !strings.Contains(page.Body, "without it you could not undo this") {
			t.Errorf("disabling one who was picked twice, and oneself: %s", page)
		}
		if page := boss.Submit(usersPath+ada+"/enable", url.Values{}); page.URL.Path != usersPath+ada {
			t.Errorf("enabling: %s", page)
		}
	})
}

// threats 50, 84: a link is made by a POST of an administrator who has proved again who
// they are, is shown once, works once, and is in no log.
func TestLoginLinkIsMadeOnThePage(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := newUser(t, boss, "ada")
		path := usersPath + ada + "/link"
		time.Sleep(time.Hour / 2)
		if page := boss.Open(path); page.URL.Path != "/login/again" {
			t.Errorf("without a proof: %s", page)
		}
		if page := boss.Submit(path, url.Values{"hours": {"1"}}); page.URL.Path != "/login/again" || len(h.Rows()["login_codes"]) != 0 {
			t.Errorf("without a proof: %s", page)
		}
		if next, code := boss.Prove("/login/again", path); next != path {
			t.Fatalf("the proof leads to %q, %s", next, code)
		}
		for _, hours := range []string{"", "0", "-1", "2", "100000", "1e3"} {
			if page := boss.Submit(path, url.Values{"hours": {hours}}); page.Status != http.StatusUnprocessableEntity {
				t.Errorf("%q hours: %s", hours, page)
			}
		}
		if boss.Open(path); len(h.Rows()["login_codes"]) != 0 {
			t.Error("a question makes a link")
		}
		page := boss.Submit(path, url.Values{"hours": {"12"}})
		link := matches(t, page, `<code id="new-link">([^<]+)</code>`)[0]
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("the page may be kept: %q", got)
		}
		code := link[strings.LastIndex(link, "/")+1:]
		if got := recorded(h, "login_code.made"); len(got) != 1 || strings.Contains(strings.Join(got, ""), code) || strings.Contains(h.Log(), code) {
			t.Errorf("the log says %q", got)
		}
		if page := boss.Open(usersPath + ada); strings.Contains(page.Body, code) {
			t.Error("the link is shown again")
		}
		time.Sleep(11 * time.Hour)
		somebody := h.Browser()
		if page := somebody.Open(link); page.Status != http.StatusOK {
			t.Fatalf("the link: %s", page)
		}
		if page := somebody.Submit("/lc", url.Values{"code": {code}}); !strings.HasPrefix(page.URL.Path, "/settings") {
			t.Errorf("the link opens %s", page)
		}
		boss.SignIn()
		boss.Prove("/login/again", path)
		boss.Submit(usersPath+ada+"/disable", url.Values{})
		if page := boss.Submit(path, url.Values{"hours": {"1"}}); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, "disabled") {
			t.Errorf("a link for somebody who is disabled: %s", page)
		}
	})
}

// threats 80: a list takes any question within its bounds.
func TestListOfPeopleHasBounds(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		for i := range 30 {
			newUser(t, boss, fmt.Sprintf("user%02d", i))
		}
		for _, tt := range []struct {
			query string
			rows  int
		}{
			{"", 25},
			{"limit=100000&page_size=0", 25},
			{"q=" + strings.Repeat("user+", 300), 25},
			{"q=" + strings.Repeat("x", 1500), 0},
			{"q=%25&sort=name", 0},
			{"after=" + strings.Repeat("y", 1500), 25},
			{"after=x+y&sort=-seen", 25},
			{"sort=password&state=x&role=%27", 25},
		} {
			page := boss.Open(usersList + "?" + tt.query)
			if n := strings.Count(page.Body, `<th scope="row">`); page.Status != http.StatusOK || n != tt.rows {
				t.Errorf("%.40s: %d, %d rows", tt.query, page.Status, n)
			}
		}
		seen := map[string]bool{}
		for next := usersList + "?sort=-username&q=user"; next != ""; {
			page := boss.Open(next)
			for _, id := range matches(t, page, `name="id" value="([^"]+)"`) {
				seen[id] = true
			}
			if next = ""; strings.Contains(page.Body, `rel="next"`) {
				next = matches(t, page, `<a href="([^"]+)" rel="next"`)[0]
			}
		}
		if len(seen) != 30 {
			t.Errorf("the pages show %d people", len(seen))
		}
		many := "id=" + strings.Repeat("x&id=", 200)
		if page := boss.Open(usersList + "/picked?do=delete&" + many); page.Status >= 500 || page.Status == http.StatusOK {
			t.Errorf("too many at once: %s", page)
		}
	})
}

// An account whose time is over is refused as one that is disabled, everywhere, and more
// time revives nothing.
func TestAccountsExpire(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, ada := h.SetUp(), h.User("ada")
		ada.SignIn()
		if page := boss.Submit(usersPath+ada.ID, profileOf(t, boss, ada.ID, "expires_at", time.Now().UTC().Format(time.DateOnly))); page.Status != http.StatusOK {
			t.Fatalf("the last day: %s", page)
		}
		// A day goes by slowly for the house, which looks after much in it: the end is brought nearer.
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			u, err := d.User(ctx, ada.ID)
			if want := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour); err == nil && !u.ExpiresAt.Equal(want) {
				t.Errorf("the last day ends at %s, not at %s", u.ExpiresAt, want)
			}
			edit := u.Edit()
			edit.ExpiresAt = time.Now().Add(time.Minute)
			if err == nil {
				_, err = d.EditUser(ctx, by, ada.ID, edit)
			}
			return err
		})
		if page := ada.Open("/settings/account"); page.Status != http.StatusOK || page.URL.Path != "/settings/account" {
			t.Errorf("before the end: %s", page)
		}
		time.Sleep(2 * time.Minute)
		h.Settle()
		if page := ada.Open("/settings/account"); page.URL.Path != "/login" {
			t.Errorf("after the end: %s", page)
		}
		if got := recorded(h, "user.expired"); len(got) != 1 {
			t.Errorf("the log says %q", got)
		}
		if _, code := ada.Prove("/login", ""); code != "user_expired" {
			t.Errorf("signing in is answered by %q", code)
		}
		boss.SignIn()
		if page := boss.Open(usersList + "?state=expired"); !strings.Contains(page.Body, ada.ID) {
			t.Errorf("the list of the expired: %s", page)
		}
		if page := boss.Submit(usersPath+ada.ID, profileOf(t, boss, ada.ID, "expires_at", "")); page.Status != http.StatusOK {
			t.Fatalf("no last day: %s", page)
		}
		if page := ada.Open("/settings/account"); page.URL.Path != "/login" {
			t.Errorf("more time revives a session: %s", page)
		}
		ada.SignIn()
	})
}

// threats 63, 80: what is done to all whom a list shows is done to those who were counted,
// a few at a time, and its page says how far it is, what became of it, and takes it back.
func TestWorkOnManyAccounts(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss, eve := h.SetUp(), h.User("eve")
		eve.SignIn()
		const many = 60
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			for i := range many {
				if _, err := d.AddUserAs(ctx, by, directory.NewUser{Username: fmt.Sprintf("crowd%02d", i), Email: fmt.Sprintf("crowd%02d@example.test", i)}); err != nil {
					return err
				}
			}
			return nil
		})
		ask := usersList + "/picked?do=disable&all=1&q=crowd&back=" + url.QueryEscape(usersList+"?q=crowd")
		page := boss.Open(ask)
		if !strings.Contains(page.Body, "Disable 60 people?") || !strings.Contains(page.Body, "and 50 more") {
			t.Fatalf("the question: %s", page)
		}
		before := kept(h)
		for _, form := range []url.Values{{"seen": {"59"}}, {"seen": {"0"}}, {"seen": {"-1"}}, {"seen": {"x"}}, {}} {
			if page := boss.Submit(ask, form); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, "Others match by now") {
				t.Errorf("sent with %v: %s", form, page)
			}
		}
		if page := boss.Submit(usersList+"/picked?do=promote&all=1", url.Values{"seen": {"62"}}); page.Status != http.StatusNotFound {
			t.Errorf("an unknown deed: %s", page)
		}
		if page := eve.Submit(ask, url.Values{"seen": {"60"}}); page.Status != http.StatusForbidden {
			t.Errorf("eve: %s", page)
		}
		if after := kept(h); !reflect.DeepEqual(before, after) {
			t.Errorf("before %v\nafter  %v", before, after)
		}
		page = boss.Submit(ask, url.Values{"seen": {"60"}})
		work, ok := strings.CutPrefix(page.URL.Path, "/settings/admin/user-work/")
		if !ok {
			t.Fatalf("it does not begin: %s", page)
		}
		time.Sleep(time.Minute)
		h.Settle()
		path := "/settings/admin/user-work/" + work
		page = boss.Open(path)
		if !strings.Contains(page.Body, "60 accounts are disabled") || len(recorded(h, "user.disabled")) != many {
			t.Errorf("at the end: %s", page)
		}
		for _, address := range []string{path, path + "/stop", path + "/undo", "/settings/admin/user-work"} {
			if page := eve.Submit(address, url.Values{}); page.Status != http.StatusForbidden && page.Status != http.StatusMethodNotAllowed {
				t.Errorf("eve sends %s: %s", address, page)
			}
			if page := eve.Open(address); page.Status != http.StatusForbidden && page.Status != http.StatusMethodNotAllowed {
				t.Errorf("eve opens %s: %s", address, page)
			}
		}
		if page := boss.Submit(path+"/stop", url.Values{}); page.URL.Path != path {
			t.Errorf("stopping what is done: %s", page)
		}
		boss.Submit(path+"/undo", url.Values{})
		time.Sleep(time.Minute)
		h.Settle()
		if page := boss.Submit(path+"/undo", url.Values{}); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("taking it back twice: %s", page)
		}
		if page := boss.Open(usersList + "?state=disabled"); !strings.Contains(page.Body, "No user matches") {
			t.Errorf("taken back: %s", page)
		}
		if page := boss.Open("/settings/admin/user-work"); strings.Count(page.Body, `class="split-sm"`) != 2 {
			t.Errorf("the work of late: %s", page)
		}
		if page := boss.Open("/settings/admin/user-work/nothing"); page.Status != http.StatusNotFound || !strings.Contains(page.Body, "No such work") {
			t.Errorf("work that is not there: %s", page)
		}
	})
}

// Columns are chosen in the browser, and what is no column is none.
func TestColumnsOfTheListOfPeople(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		heads := func() int { return strings.Count(boss.Open(usersList).Body, `<th scope="col"`) }
		usual := heads()
		for _, tt := range []struct {
			chosen []string
			more   int
		}{{[]string{"username", "email", "groups", "state", "keys", "seen", "created", "expires", "source"}, 4}, {[]string{"state", "password", "<b>"}, -4}, {nil, -5}} {
			boss.Submit(usersList+"/columns", url.Values{"column": tt.chosen})
			if got := heads(); got != usual+tt.more {
				t.Errorf("%v: %d columns, usually %d", tt.chosen, got, usual)
			}
		}
	})
}
