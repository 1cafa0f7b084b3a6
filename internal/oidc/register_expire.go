package oidc

import (
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jobs"
	"pocketid/internal/settings"
)

// keepTombstone is how long the row of a client stays that registered itself and is gone.
// Nobody chose its id, so nobody can come by it again.
const keepTombstone = 30 * 24 * time.Hour

// registrationWork is what is done beside requests about clients that came by themselves.
func (p *Provider) registrationWork(r *jobs.Runner) {
	r.Purge("clients.unused", expireUnused)
	r.Purge("clients.gone", purgeGone)
	r.Purge("registration_tokens", purgeRegistrationTokens)
}

// SettingsChanged lets what the settings say about registration hold at once: discovery
// is rendered anew, and clients whose documents are no longer allowed are gone.
func (p *Provider) SettingsChanged(tx *db.Tx, before, after settings.Settings) error {
	p.metadata.doubted.Store(tx.Now().Add(doubtFor).UnixMicro())
	return p.dropForbiddenDocuments(tx, before, after)
}

// expireUnused takes clients out of use that came by themselves and that nobody has used
// for as many days as the settings say (threats 67).
func expireUnused(tx *db.Tx, limit int) (int64, error) {
	s, err := settings.Of(tx)
	if err != nil {
		return 0, err
	}
	before := tx.Now().Add(-time.Duration(s.ClientRegistrationDays) * 24 * time.Hour)
	ids, err := db.All(tx, func(id *string) []any { return []any{id} }, `
		SELECT id FROM clients WHERE kind IN ('`+KindDynamic+`', '`+KindDocument+`') AND deleted_at IS NULL AND created_at < $1
			AND (last_used_at IS NULL OR last_used_at < $1)
			AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = clients.id AND g.revoked_at IS NULL AND g.last_used_at >= $1)
		ORDER BY created_at NULLS LAST, id NULLS LAST LIMIT $2`, db.Time(&before), limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		c, err := clientByID(tx, id)
		if err != nil {
			return 0, err
		}
		removeClient(tx, audit.System("job"), c, audit.ClientExpired)
	}
	return int64(len(ids)), nil
}

// purgeGone deletes the rows of clients that came by themselves and are gone.
func purgeGone(tx *db.Tx, limit int) (int64, error) {
	before := tx.Now().Add(-keepTombstone)
	return tx.Exec(`DELETE FROM clients WHERE id IN (
		SELECT id FROM clients WHERE kind IN ('`+KindDynamic+`', '`+KindDocument+`') AND deleted_at < $1
		ORDER BY deleted_at NULLS LAST LIMIT $2)`, db.Time(&before), limit)
}
