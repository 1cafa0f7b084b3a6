package protocol

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// declared are the names of all members that a schema of the document has, at any depth.
func (d *document) declared(schema any) map[string]bool {
	names := map[string]bool{}
	seen := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && !seen[ref] {
				seen[ref] = true
				walk(d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
			}
			for name, of := range v {
				if properties, ok := of.(map[string]any); ok && name == "properties" {
					for member := range properties {
						names[member], names[strings.ToLower(member)] = true, true
					}
				}
				walk(of)
			}
		}
	}
	walk(schema)
	return names
}

// members are the names of all members and columns that are known anywhere.
func (d *document) members(h *apptest.House) []string {
	names := d.declared(d.at("components", "schemas"))
	for _, rows := range h.Rows() {
		for _, row := range rows[:min(1, len(rows))] {
			for _, m := range columnName.FindAllStringSubmatch(row, -1) {
				words := strings.Split(m[1], "_")
				for i := range words[1:] {
					words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
				}
				names[m[1]], names[strings.Join(words, "")] = true, true
			}
		}
	}
	for _, name := range []string{"id", "isAdmin", "admin", "role", "roles", "ldapId", "createdAt", "updatedAt", "deletedAt", "owner", "ownerId", "user", "userId", "userID", "_method", "__proto__", "constructor", "$set"} {
		names[name] = true
	}
	folded := map[string]bool{} // a body with one name in two cases is refused
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool {
		name = strings.ToLower(name)
		defer func() { folded[name] = true }()
		return folded[name]
	})
}

// laden is a body with every name in each of its objects that the operation does not declare.
func laden(v any, names []string, value any) any {
	switch v := v.(type) {
	case map[string]any:
		more := map[string]any{}
		for _, name := range names {
			more[name] = value
		}
		for name, of := range v {
			more[name] = laden(of, names, value)
		}
		return more
	case map[string]string:
		more := map[string]any{}
		for name, of := range v {
			more[name] = of
		}
		return laden(more, names, value)
	case []map[string]string:
		var list []any
		for _, one := range v {
			list = append(list, laden(one, names, value))
		}
		return list
	case []any:
		var list []any
		for _, one := range v {
			list = append(list, laden(one, names, value))
		}
		return list
	}
	return v
}

// poisons are what a member is set to that nobody declares, and how a row would show it.
var poisons = []struct {
	value any
	shown string
}{
	{"poisoned", "poisoned"}, {1234567, "1234567"}, {"2999-12-31T00:00:00Z", "325035936"}, {true, ""}, {map[string]any{"id": "poisoned", "isAdmin": true}, "poisoned"},
}

// ons are the columns of rows that are only in after whose value is on.
func ons(before, after map[string][]string) (list []string) {
	for table, rows := range after {
		for _, row := range rows {
			if slices.Contains(before[table], row) || strings.HasPrefix(table, "audit") {
				continue
			}
			for _, m := range columnName.FindAllStringSubmatchIndex(row, -1) {
				if rest := row[m[1]:]; strings.HasPrefix(rest, "1 ") || rest == "1" || strings.HasPrefix(rest, "true") {
					list = append(list, table+"."+row[m[2]:m[3]])
				}
			}
		}
	}
	return list
}

// Whatever members a program adds to what it sends, and wherever, only those that the
// operation declares have a say: what else is sent changes nothing, is stored nowhere, and
// the answer is the same.
func TestBodiesSetWhatTheyDeclare(t *testing.T) { // threats 65
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		w := worldOf(t, h)
		names := w.doc.members(h)
		if len(names) < 250 {
			t.Fatalf("only %d names", len(names))
		}
		n, tried := 100_000, 0
		for _, table := range contractTables {
			for _, c := range table(w) {
				if c.body == nil || c.route == "PUT /api/application-configuration" { // where every name is that of a setting or none
					continue
				}
				tried++
				method, path, _ := strings.Cut(c.route, " ")
				own := w.doc.declared(w.doc.at("paths", path, strings.ToLower(method), "requestBody"))
				foreign := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return own[strings.ToLower(name)] })
				send := func(as caller, body func(any) any) (a *apptest.Answer, before, after map[string][]string) {
					n += 20
					to := path
					if c.at != nil {
						to = c.at(n)
					}
					sent := body(c.body(n))
					h.Settle()
					before = h.Rows()
					a = as.ask(method, to, sent)
					h.Settle()
					time.Sleep(time.Second)
					return a, before, h.Rows()
				}
				admin := func() caller {
					if c.before != nil {
						c.before(w.admin)
					}
					return bySession(t, h, w.admin)
				}
				plain, before, after := send(admin(), func(v any) any { return v })
				usual, on := changes(before, after), ons(before, after)
				for _, poison := range poisons {
					name := fmt.Sprintf("%s with every name at %v", c.route, poison.value)
					a, before, after := send(admin(), func(v any) any { return laden(v, foreign, poison.value) })
					if a.Status != plain.Status {
						t.Errorf("%s: %d %.300s, and without %d", name, a.Status, a.Body, plain.Status)
					}
					for _, what := range changes(before, after) {
						if !slices.Contains(usual, what) && !strings.HasPrefix(what, "sessions.") && what != "login_codes has less" { // the one before gives way
							t.Errorf("%s changes %s, and without %v", name, what, usual)
						}
					}
					for _, what := range ons(before, after) {
						if !slices.Contains(on, what) {
							t.Errorf("%s sets %s", name, what)
						}
					}
					for table, rows := range after {
						for _, row := range rows {
							if poison.shown != "" && strings.Contains(row, poison.shown) {
								t.Fatalf("%s is stored: %s %s", name, table, row)
							}
						}
					}
					if strings.Contains(a.Body, "poisoned") {
						t.Errorf("%s is answered: %s", name, a.Body)
					}
				}
				if c.who != people {
					continue
				}
				// And by somebody who is no administrator, with the id of one.
				for _, value := range []any{w.admin.ID, true} {
					w.ada.SignIn()
					a, before, after := send(bySession(t, h, w.ada), func(v any) any { return laden(v, foreign, value) })
					if a.Status >= 500 {
						t.Errorf("%s by somebody: %d %s", c.route, a.Status, a.Body)
					}
					for _, what := range strangers(before, after, w.ada.ID) {
						if what == "users.standard_claims of their own" && c.route == "PUT /api/users/me/details" {
							continue
						}
						t.Errorf("%s by somebody with every name at %v changed %s", c.route, value, what)
					}
				}
			}
		}
		if tried < 30 {
			t.Errorf("only %d bodies were tried", tried)
		}
	}, "DISABLE_RATE_LIMITING=true")
}
