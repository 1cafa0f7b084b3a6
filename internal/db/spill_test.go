package db_test

import (
	"fmt"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// A statement that changes more than a savepoint keeps in memory is like any other, and
// so is a transaction that does so while others wait for its commit.
func TestChangesOfManyPages(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		const rows = 400
		long := strings.Repeat("x", 3000)
		write(t, d, func(tx *db.Tx) {
			for i := range rows {
				tx.Do(`INSERT INTO facts (name, value) VALUES ($1, $2)`, fmt.Sprintf("%d", i*7919%1009), long)
			}
		})
		done := make(chan error)
		for range 4 {
			go func() {
				done <- d.Write(t.Context(), func(tx *db.Tx) error {
					n, err := tx.Exec(`UPDATE facts SET value = value || 'y'`)
					if err == nil && n != rows {
						err = fmt.Errorf("%d rows changed", n)
					}
					return err
				})
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		var n int
		write(t, d, func(tx *db.Tx) { tx.One([]any{&n}, `SELECT COUNT(*) FROM facts WHERE value = $1`, long+"yyyy") })
		if n != rows {
			t.Errorf("%d rows hold all four changes", n)
		}
	})
}
