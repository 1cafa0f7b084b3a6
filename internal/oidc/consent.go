package oidc

import (
	"slices"
	"time"

	"pocketid/internal/db"
)

// lastUsedEvery is how often a time of last use is written.
const lastUsedEvery = time.Hour

// A consent is what a user allowed a client, once and for all requests that ask for
// no more.
type consent struct {
	scopes     []string
	lastUsedAt time.Time
}

// remember notes that the user allowed scopes to the client and says whether that is
// more than was allowed before. What is remembered grows and never shrinks: a
// request for less takes nothing back (threats 13).
func remember(tx *db.Tx, userID, clientID string, old *consent, scopes []string) bool {
	merged := slices.Clone(scopes)
	if old != nil {
		merged = slices.Clone(old.scopes)
		for _, scope := range scopes {
			if !slices.Contains(merged, scope) {
				merged = append(merged, scope)
			}
		}
		if len(merged) == len(old.scopes) {
			return false
		}
	}
	now := tx.Now()
	tx.Do(`
		INSERT INTO consents (user_id, client_id, scopes, created_at, updated_at, last_used_at)
		VALUES ($1, $2, $3, $4, $4, $4)
		ON CONFLICT (user_id, client_id) DO UPDATE SET
			scopes = excluded.scopes, updated_at = excluded.updated_at, last_used_at = excluded.last_used_at`,
		userID, clientID, db.JSON(&merged), db.Time(&now))
	return true
}
