package audit_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// fill writes n entries, one a minute, by ten people at five clients: four in ten are
// sign-ins, four authorizations, and the rest one of six others, the last of which the
// tenth person alone does, as an administrator, to the first.
func fill(t testing.TB, d *db.DB, n int) {
	t.Helper()
	const chunk = 50_000
	for from := 0; from < n; from += chunk {
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			tx.Do(`INSERT INTO audit (id, at, event, object_kind, object_id, object_name, user_id, client_id, actor_id, actor_name, via, address, request_id)
				WITH RECURSIVE numbers (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < $2)
				SELECT 'entry-' || CAST(i AS TEXT), $3 + i * 60000000,
					CASE WHEN i % 10 < 4 THEN 'SIGN_IN' WHEN i % 10 < 8 THEN 'CLIENT_AUTHORIZATION' WHEN i % 10 = 8 THEN 'session.ended'
						WHEN i % 100 = 9 THEN 'user.edited' WHEN i % 100 = 19 THEN 'PASSKEY_ADDED' ELSE 'session.stepped_up' END,
					CASE WHEN i % 10 BETWEEN 4 AND 7 THEN 'client' ELSE 'user' END, 'o' || CAST(i % 7 AS TEXT), 'thing',
					CASE WHEN i % 100 = 9 THEN 'user-0' ELSE 'user-' || CAST(i / 10 % 10 AS TEXT) END,
					CASE WHEN i % 10 BETWEEN 4 AND 7 THEN 'client-' || CAST(i / 100 % 5 AS TEXT) ELSE NULL END,
					CASE WHEN i % 100 = 9 THEN 'user-9' ELSE 'user-' || CAST(i / 10 % 10 AS TEXT) END, 'somebody',
					CASE WHEN i % 1000 = 0 THEN 'cli' ELSE 'page' END, '192.0.2.' || CAST(i % 50 AS TEXT), 'request-' || CAST(i AS TEXT)
				FROM numbers`, from+1, min(from+chunk, n), begun.UnixMicro())
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// begun is when the first entry of fill was about to be written.
var begun = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// asked are filters as people combine them.
var asked = []struct {
	name   string
	filter audit.Filter
}{
	{"newest", audit.Filter{}},
	{"event", audit.Filter{Events: []audit.Name{audit.PasskeyAdded}}},
	{"rare event", audit.Filter{Events: []audit.Name{audit.ClientDeleted}}},
	{"family", audit.Filter{Events: audit.SignIn.Family().Names()}},
	{"person", audit.Filter{Person: "user-3"}},
	{"person and event", audit.Filter{Person: "user-9", Events: []audit.Name{audit.UserEdited}}},
	{"person and family", audit.Filter{Person: "user-3", Events: audit.UserEdited.Family().Names()}},
	{"client", audit.Filter{Client: "client-3"}},
	{"client and event", audit.Filter{Client: "client-3", Events: []audit.Name{audit.NewClientAuthorization}}},
	{"person and client", audit.Filter{Person: "user-3", Client: "client-3"}},
	{"person, client and event", audit.Filter{Person: "user-3", Client: "client-3", Events: []audit.Name{audit.NewClientAuthorization}}},
	{"address", audit.Filter{Address: "192.0.2.7"}},
	{"reference", audit.Filter{Search: "request-777"}},
	{"way", audit.Filter{Via: "cli"}},
	{"by others", audit.Filter{ByOthers: true}},
	{"by others and event", audit.Filter{ByOthers: true, Events: []audit.Name{audit.GroupDeleted}}},
	{"done by a person", audit.Filter{Person: "user-9", Part: audit.Did}},
	{"about a person", audit.Filter{Person: "user-3", Part: audit.Concerned}},
	{"turned away", audit.Filter{Events: audit.TurnedAway.Names()}},
	{"person, client and address", audit.Filter{Person: "user-3", Client: "client-3", Address: "192.0.2.34"}},
	{"person, event and address", audit.Filter{Person: "user-3", Events: []audit.Name{audit.SignIn}, Address: "192.0.2.7"}},
	{"client, event and way", audit.Filter{Client: "client-3", Events: []audit.Name{audit.ClientAuthorization}, Via: "cli"}},
	{"way and event", audit.Filter{Via: "ldap", Events: []audit.Name{audit.SignIn}}},
}

// AUDIT_BENCH_ROWS is how many entries the large log of the benchmark has.
func BenchmarkList(b *testing.B) {
	large := 1_000_000
	if s := os.Getenv("AUDIT_BENCH_ROWS"); s != "" {
		fmt.Sscan(s, &large)
	}
	admin := audit.System("cli")
	for _, engine := range []string{dbtest.SQLite, dbtest.Postgres} {
		for _, rows := range []int{500, large} {
			b.Run(fmt.Sprintf("%s/%d", engine, rows), func(b *testing.B) {
				if engine == dbtest.Postgres && os.Getenv("TEST_POSTGRES") == "" {
					b.Fatal("TEST_POSTGRES is not set")
				}
				d := dbtest.OpenDSN(b, dbtest.DSN(b, engine))
				fill(b, d, rows)
				if err := d.Write(b.Context(), func(tx *db.Tx) error { tx.Do(`ANALYZE audit`); return nil }); err != nil {
					b.Fatal(err)
				}
				l := audit.New(d, time.Hour)
				list := func(b *testing.B, f audit.Filter) audit.Page {
					p, err := l.List(b.Context(), admin, f)
					if err != nil {
						b.Fatal(err)
					}
					return p
				}
				// The best time is what the work costs; the mean is what else the machine did.
				each := func(name string, f audit.Filter) {
					b.Run(name, func(b *testing.B) {
						best := time.Hour
						for b.Loop() {
							begin := time.Now()
							list(b, f)
							best = min(best, time.Since(begin))
						}
						b.ReportMetric(float64(best.Microseconds()), "best-µs")
					})
				}
				for _, a := range asked {
					each(a.name, a.filter)
				}
				middle := audit.Filter{Until: begun.Add(time.Duration(rows) * time.Minute / 2)}
				each("deep", audit.Filter{Cursor: list(b, middle).Older})
				each("time", middle)
			})
		}
	}
}
