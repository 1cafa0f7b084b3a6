package directory

import (
	"slices"
	"strings"
	"testing"

	"pocketid/internal/db"
)

// The list of service accounts is read a page at a time in each order, both ways, of all and
// of one owner.
func TestServiceAccountsInEachOrder(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		bea, cleo := b.user("bea"), b.user("cleo")
		for _, s := range []struct{ username, name, owner string }{{"d", "Äpfel", bea.ID}, {"c", "same", cleo.ID}, {"b", "Same", bea.ID}, {"a", "zoo", bea.ID}, {"e", "best", bea.ID}} {
			_, err := b.AddService(t.Context(), root, "", ServiceEdit{Username: s.username, DisplayName: s.name, Owner: s.owner})
			must(t, err)
		}
		b.write(func(tx *db.Tx) error { // made one after another
			tx.Do(`UPDATE users SET created_at = CASE username WHEN 'd' THEN 1 WHEN 'c' THEN 2 WHEN 'b' THEN 10 WHEN 'a' THEN 11 ELSE 100 END WHERE kind = 'service'`)
			return nil
		})
		list := func(f ServiceFilter) string {
			t.Helper()
			var names []string
			for range 4 {
				page, err := b.Services(t.Context(), root, f)
				must(t, err)
				for i := range page.Rows {
					names = append(names, page.Rows[i].Username)
				}
				if f.After = page.Next; f.After == "" {
					return strings.Join(names, " ")
				}
			}
			t.Fatalf("%+v does not end", f)
			return ""
		}
		for sort, want := range map[Order]string{"username": "a b c d e", "-username": "e d c b a", "-created": "e a b c d", "created": "d c b a e"} {
			if got := list(ServiceFilter{Sort: sort, Limit: 2}); got != want {
				t.Errorf("by %s: %s, want %s", sort, got, want)
			}
		}
		by := list(ServiceFilter{Limit: 2})
		if got := strings.NewReplacer("b", "s", "c", "s").Replace(by); got != "e s s a d" && got != "d e s s a" {
			t.Errorf("by name: %s", by)
		}
		down := strings.Fields(list(ServiceFilter{Sort: "-name", Limit: 2}))
		slices.Reverse(down)
		if strings.Join(down, " ") != by {
			t.Errorf("by name it is %s, from its end %s", by, down)
		}
		if got := list(ServiceFilter{Owner: bea.ID, Sort: "username", Limit: 2}); got != "a b d e" {
			t.Errorf("those of one owner: %s", got)
		}
		if got := list(ServiceFilter{Sort: "email", After: "x", Limit: 2}); got != by {
			t.Errorf("in an order that there is not: %s", got)
		}
	})
}

// No order of that list goes through people.
func TestListsOfServiceAccountsGoAlongAnIndex(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		explain, line := `EXPLAIN QUERY PLAN `, func(l *string) []any { return []any{new(int), new(int), new(int), l} }
		if b.db.Postgres {
			explain, line = `EXPLAIN `, func(l *string) []any { return []any{l} }
		}
		b.write(func(tx *db.Tx) error {
			if b.db.Postgres { // it chooses by what is stored
				tx.Do(`INSERT INTO users (id, kind, username, username_key, display_key, created_at, updated_at, owner_id)
					SELECT 'u' || n, CASE WHEN n % 10 = 0 THEN 'service' ELSE 'person' END, 'u' || n, 'u' || n, 'u' || n, n, n, CASE WHEN n % 10 = 0 THEN 'u' || n % 7 END FROM generate_series(1, 5000) AS n`)
				tx.Do(`ANALYZE users`)
			}
			for f, want := range map[ServiceFilter]string{{}: "users_services_name", {Sort: "-name"}: "users_services_name", {Sort: "username"}: "users_services", {Sort: "-created"}: "users_services_made",
				{After: "u10 u10"}: "users_services_name", {Sort: "-created", After: "u10 10"}: "users_services_made", {Owner: "u3"}: "users_owner"} {
				s := f.Known().rows(tx, 26)
				lines, err := db.All(tx, line, explain+s.String(), s.args...)
				must(t, err)
				plan := strings.Join(lines, "\n")
				if !strings.Contains(plan, want) || strings.Contains(plan, "Seq Scan") || f.Owner == "" && (strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP")) {
					t.Errorf("%+v goes %s, want %s", f, plan, want)
				}
				s = f.Known().services(tx)
				lines, err = db.All(tx, line, explain+`SELECT count(*) FROM (SELECT 1`+s.String()+` LIMIT 10000) AS counted`, s.args...)
				must(t, err)
				if plan := strings.Join(lines, "\n"); !strings.Contains(plan, "users_services") && !strings.Contains(plan, "users_owner") {
					t.Errorf("counting %+v goes %s", f, plan)
				}
			}
			return nil
		})
	})
}
