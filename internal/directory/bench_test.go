package directory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// BenchmarkUsers is the list of people as a page asks for it: rows and count, with ten
// people and with a hundred thousand, of whom some are administrators, disabled, new.
// The promise is 1 and 2 ms on SQLite.
func BenchmarkUsers(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, n := range []int{10, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", engine, n), func(b *testing.B) {
				d := dbtest.OpenDSN(b, dbtest.DSN(b, engine))
				crowd(b, d, n)
				benchUsers(b, d, n)
			})
		}
	}
}

func benchUsers(b *testing.B, d *db.DB, n int) {
	for _, tt := range []struct {
		name string
		f    UserFilter
	}{
		{"all", UserFilter{}},
		{"name=nobody", UserFilter{Search: "zzz"}},
		{"name=one", UserFilter{Search: fmt.Sprintf("user%d", n-1)}},
		{"name=few", UserFilter{Search: "lovelace7"}},
		{"name=many", UserFilter{Search: "lov"}},
		{"name=most", UserFilter{Search: "a"}},
		{"two words", UserFilter{Search: "ada hopper3"}},
		{"two wide words", UserFilter{Search: "a l"}},
		{"by seen", UserFilter{Sort: "-seen"}},
		{"by email", UserFilter{Sort: "email"}},
		{"many by seen", UserFilter{Search: "lov", Sort: "-seen"}},
		{"admins", UserFilter{Role: RoleAdmin, Sort: "email"}},
		{"not admins", UserFilter{Role: RoleUser}},
		{"active", UserFilter{State: StateActive}},
		{"disabled", UserFilter{State: StateDisabled, Sort: "username"}},
		{"new", UserFilter{State: StateNew}},
		{"expired", UserFilter{State: StateExpired}},
		{"deleted", UserFilter{State: StateDeleted}},
		{"no passkey", UserFilter{Passkeys: PasskeysNone}},
		{"one passkey", UserFilter{Passkeys: PasskeysOne, Sort: "-seen"}},
		{"several passkeys", UserFilter{Passkeys: PasskeysSeveral}},
		{"several passkeys of administrators", UserFilter{Passkeys: PasskeysSeveral, Role: RoleAdmin}},
		{"disabled of many", UserFilter{State: StateDisabled, Search: "lov"}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			dir, by := New(d), audit.System("cli")
			tt.f.Limit = 25
			var p UserPage
			for b.Loop() {
				var err error
				if p, err = dir.Users(b.Context(), by, tt.f); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(p.Total), "found")
		})
	}
}

// crowd adds n people in a few large transactions.
func crowd(b *testing.B, d *db.DB, n int) {
	first := strings.Fields("Ada Alan Amara Annie Barbara Claude Donald Edsger Frances Grace Hanna Hedy Ingrid Jean Jonas Katherine Linus Margaret Mia Niklaus Priya Radia Svetlana Tomasz")
	last := strings.Fields("Lovelace Turing Okafor Easley Liskov Shannon Knuth Dijkstra Allen Hopper Virtanen Lamarr Daubechies Bartik Weber Johnson Torvalds Hamilton Lindqvist Wirth Nair Perlman Petrova Zielinski")
	now := time.Now().UTC().Truncate(time.Microsecond)
	for from := 0; from < n; from += 1000 {
		err := d.Write(b.Context(), func(tx *db.Tx) error {
			for i := from; i < min(from+1000, n); i++ {
				f, l := first[i*7%len(first)], fmt.Sprint(last[i*11%len(last)], i%5000)
				u := User{ID: fmt.Sprintf("%08d-0000-4000-8000-%012d", i*7919%100_000_000, i), Kind: "person", Username: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("%s.%s.%d@example.org", f, l, i),
					FirstName: f, LastName: l, DisplayName: f + " " + l, Claims: map[string]any{},
					CreatedAt: now.Add(-time.Duration(i) * time.Minute), UpdatedAt: now, Admin: i%20_000 == 0}
				if i/24%3 > 0 {
					u.LastSignInAt = now.Add(-time.Duration(i*7919%n) * time.Second)
				}
				switch {
				case i%200 == 0:
					u.DisabledAt = now
				case i%500 == 1:
					u.ExpiresAt = now
				case i%1000 == 2:
					u.DeletedAt = now
				}
				insertUser(tx, &u)
			}
			tx.Do(`UPDATE users SET passkeys = CASE WHEN substr(username, 6, 2) = '13' THEN 0 WHEN substr(username, 6, 1) = '2' THEN 2 ELSE 1 END WHERE passkeys = 0`)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if d.Postgres {
		err := d.Write(b.Context(), func(tx *db.Tx) error {
			tx.Do(`ANALYZE users`)
			tx.Do(`ANALYZE user_words`)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
