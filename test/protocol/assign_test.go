package protocol

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// everyName is the name of every field of every form that the clerks see, and of every
// column there is, as forms and as JSON write them.
func everyName(h *apptest.House, all []route, clerks ...*clerk) (names []string) {
	for _, c := range clerks {
		for _, r := range pagesFirst(all) {
			if r.access == "admin" && c.Name != "admin" {
				continue
			}
			for _, l := range c.leaves(r, all) {
				names = append(names, l.form.Names()...)
			}
		}
	}
	for _, rows := range h.Rows() {
		for _, row := range rows[:min(1, len(rows))] {
			for _, m := range columnName.FindAllStringSubmatch(row, -1) {
				words := strings.Split(m[1], "_")
				for i := range words[1:] {
					words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
				}
				names = append(names, m[1], strings.Join(words, ""))
			}
		}
	}
	names = append(names, "isAdmin", "role", "roles", "user", "owner", "allowedUserGroups", "groups[]", "_method")
	slices.Sort(names)
	return slices.Compact(names)
}

// more is a form with every name that it does not have itself.
func more(l leaf, names []string, value string) url.Values {
	v := l.form.Values()
	for _, name := range names {
		if !slices.Contains(l.form.Names(), name) {
			v.Set(name, value)
		}
	}
	return v
}

// strangers says what changed that is not this person's: rows that do not name them, and
// of their own row what is not theirs to change.
func strangers(before, after map[string][]string, id string) (list []string) {
	own := []string{"username", "username_key", "email", "email_key", "first_name", "last_name", "display_name", "display_key",
		"locale", "theme", "dates", "updated_at", "valid_from", "last_sign_in_at"}
	for table, was := range before {
		switch table {
		case "jobs", "attempts", "ceremonies", "authorizations", "step_ups", "session_clients", "codes", "device_codes":
			continue // of nobody, or of a session of theirs
		}
		if strings.HasPrefix(table, "audit") {
			continue // what is tried is written down
		}
		is := after[table]
		for _, row := range slices.Concat(was, is) {
			mine := strings.Contains(row+" ", "="+id+" ")
			if !mine && (!slices.Contains(was, row) || !slices.Contains(is, row)) {
				list = append(list, table+": "+row[:min(len(row), 120)])
			}
		}
		if table == "users" {
			row := func(rows []string) string {
				return rows[slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "id="+id+" ") })]
			}
			for _, name := range columnsThatDiffer(row(was), row(is)) {
				if !slices.Contains(own, name) {
					list = append(list, "users."+name+" of their own")
				}
			}
		}
	}
	return list
}

// Whatever names somebody adds to a form, and to whichever address they send it, nothing
// changes that is not theirs, and of their own account nothing that is not theirs to say.
func TestNobodyWritesWhatIsNotTheirs(t *testing.T) { // threats 63, 65
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada, eve := thingsOf(t, h, h.User("ada")), thingsOf(t, h, h.User("eve"))
		all := routes(t)
		boss := &clerk{t: t, h: h, Person: admin, own: thingsOf(t, h, admin), others: ada}
		c := &clerk{t: t, h: h, Person: eve.person, own: eve, others: ada}
		names := everyName(h, all, boss, c)
		if len(names) < 200 {
			t.Fatalf("only %d names", len(names))
		}
		try := func(l leaf) {
			t.Helper()
			for _, value := range []string{"1", admin.ID} {
				c.comeBack()
				h.Settle() // jobs follow
				before := h.Rows()
				a := c.Raw(http.MethodPost, l.action, more(l, names, value), "same-origin")
				if a.Status >= 500 {
					t.Errorf("%s: %d %.300s", l.route, a.Status, a.Body)
				}
				for _, what := range strangers(before, h.Rows(), c.ID) {
					t.Errorf("%s with every name at %q changed %s", l.route, value, what)
				}
			}
		}
		seen := 0
		for _, r := range pagesFirst(all) {
			if r.access == "admin" {
				continue
			}
			for _, l := range c.leaves(r, all) {
				if l.form.Post {
					seen++
					try(l)
				}
			}
		}
		for _, r := range all { // and where there is no form for them
			if r.method == http.MethodPost {
				c.comeBack()
				address := c.address(r.path)
				try(leaf{address, address, r.method + " " + r.path, &apptest.Form{Post: true}})
				c.comeBack()
				h.Settle()
				before := h.Rows()
				members := map[string]any{}
				for _, name := range names {
					members[name] = "1"
				}
				for _, name := range []string{"admin", "isAdmin", "profile"} {
					members[name] = map[bool]any{true: map[string]any{"admin": true, "isAdmin": true, "id": admin.ID}, false: true}[name == "profile"]
				}
				c.send(address, members)
				for _, what := range strangers(before, h.Rows(), c.ID) {
					t.Errorf("%s with JSON of every name changed %s", r.path, what)
				}
			}
		}
		if seen < 12 {
			t.Errorf("only %d forms were tried", seen)
		}
	}, "DISABLE_RATE_LIMITING=true")
}

// What an administrator's form does not show, it does not set: with every other name added
// it changes the same columns as without.
func TestFormsSetWhatTheyShow(t *testing.T) { // threats 65
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		own := thingsOf(t, h, admin)
		plain := &clerk{t: t, h: h, Person: admin, own: own, others: thingsOf(t, h, h.User("ada"))}
		laden := &clerk{t: t, h: h, Person: admin, own: own, others: thingsOf(t, h, h.User("bert"))}
		all := routes(t)
		names := everyName(h, all, plain)
		post := func(c *clerk, l leaf, v url.Values) []string {
			c.comeBack()
			h.Settle() // jobs follow
			before := h.Rows()
			if a := c.Raw(http.MethodPost, l.action, v, "same-origin"); a.Status >= 500 {
				t.Errorf("%s: %d", l.route, a.Status)
			}
			h.Settle()
			return changes(before, h.Rows())
		}
		compared := 0
		for _, r := range pagesFirst(all) {
			a, b := plain.leaves(r, all), laden.leaves(r, all)
			if len(a) != len(b) {
				t.Errorf("%s has %d forms, and %d for somebody like that", r.path, len(a), len(b))
				continue
			}
			for i := range a {
				if !a[i].form.Post {
					continue
				}
				compared++
				usual := post(plain, a[i], a[i].form.Values())
				for _, what := range post(laden, b[i], more(b[i], names, "1")) {
					if !slices.Contains(usual, what) {
						t.Errorf("%s with every name changes %s, and without: %v", b[i].route, what, usual)
					}
				}
			}
		}
		if compared < 30 {
			t.Errorf("only %d forms were compared", compared)
		}
	}, "DISABLE_RATE_LIMITING=true")
}
