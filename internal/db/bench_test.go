package db_test

import (
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

func BenchmarkReadOneStatement(b *testing.B) {
	d := benchDB(b)
	for b.Loop() {
		if err := d.Read(b.Context(), func(tx *db.Tx) error { session(b, tx, "s"); return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadTenStatements(b *testing.B) {
	d := benchDB(b)
	for b.Loop() {
		if err := d.Read(b.Context(), func(tx *db.Tx) error {
			for range 10 {
				session(b, tx, "s")
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	d := benchDB(b)
	for b.Loop() {
		if err := d.Write(b.Context(), func(tx *db.Tx) error {
			session(b, tx, "s")
			tx.Do(`UPDATE sessions SET last_seen_at = $2 WHERE id = $1`, "s", tx.Now().UnixMicro())
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDB(b *testing.B) *db.DB {
	d := dbtest.Open(b)
	if err := d.Write(b.Context(), func(tx *db.Tx) error {
		tx.Do(seed)
		now := tx.Now().UnixMicro()
		tx.Do(`INSERT INTO sessions (id, handle, user_id, auth_time, amr, acr, created_at, last_seen_at, expires_at) VALUES ($1, $2, 'u', $3, '[]', '', $3, $3, $4)`,
			"s", []byte("s"), now, now+int64(1e12))
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return d
}
