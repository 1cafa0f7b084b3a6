//go:build unix

package db_test

import (
	"syscall"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

const seed = `INSERT INTO users (id, username, username_key, created_at, updated_at) VALUES ('u', 'ada', 'ada', 1, 1)`

func session(b *testing.B, tx *db.Tx, id string) {
	now := tx.Now().UnixMicro()
	var user, name string
	var at time.Time
	err := tx.One([]any{&user, &name, db.Time(&at)},
		`SELECT s.user_id, u.username, s.auth_time FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.handle = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND u.disabled_at IS NULL AND u.deleted_at IS NULL`, []byte(id), now)
	if err != nil {
		b.Fatal(err)
	}
}

// benchmark measures on each engine what do costs with a session "s" in the database: the
// time, and of it the work of this process.
func benchmark(b *testing.B, do func(b *testing.B, d *db.DB) error) {
	for _, engine := range []string{dbtest.SQLite, dbtest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			d := dbtest.OpenDSN(b, dbtest.DSN(b, engine))
			if err := d.Write(b.Context(), func(tx *db.Tx) error {
				tx.Do(seed)
				now := tx.Now().UnixMicro()
				tx.Do(`INSERT INTO sessions (id, handle, user_id, auth_time, amr, acr, created_at, last_seen_at, expires_at) VALUES ($1, $2, 'u', $3, '[]', '', $3, $3, $4)`,
					"s", []byte("s"), now, now+int64(1e12))
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			before := worked(b)
			for b.Loop() {
				if err := do(b, d); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(worked(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// worked is for how long the processors worked for this process.
func worked(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkReadOneStatement(b *testing.B) {
	benchmark(b, func(b *testing.B, d *db.DB) error {
		return d.Read(b.Context(), func(tx *db.Tx) error { session(b, tx, "s"); return nil })
	})
}

func BenchmarkReadTenStatements(b *testing.B) {
	benchmark(b, func(b *testing.B, d *db.DB) error {
		return d.Read(b.Context(), func(tx *db.Tx) error {
			for range 10 {
				session(b, tx, "s")
			}
			return nil
		})
	})
}

func BenchmarkWrite(b *testing.B) {
	benchmark(b, func(b *testing.B, d *db.DB) error {
		return d.Write(b.Context(), func(tx *db.Tx) error {
			session(b, tx, "s")
			tx.Do(`UPDATE sessions SET last_seen_at = $2 WHERE id = $1`, "s", tx.Now().UnixMicro())
			return nil
		})
	})
}
