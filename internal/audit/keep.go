package audit

import (
	"time"

	"pocketid/internal/db"
)

// Forget deletes at most limit of the records that are older than keep, oldest
// first, and returns how many it did. It is a part.
func Forget(tx *db.Tx, keep time.Duration, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 AND id <> '' ORDER BY at, id LIMIT $2)`,
		tx.Now().Add(-keep).UnixMicro(), limit)
}
