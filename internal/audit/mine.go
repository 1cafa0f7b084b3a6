package audit

import (
	"context"
	"time"

	"pocketid/internal/db"
)

const (
	maxApps   = 50  // that one person is offered to filter by
	lookedFor = 200 // sign-ins in which a device is looked for
)

// Apps are the clients that stand in entries about the asker, at most fifty. The index
// is jumped along, so many entries cost no more than few.
func (l *Log) Apps(ctx context.Context, by Actor) ([]Object, error) {
	if by.UserID == "" {
		return nil, nil
	}
	var apps []Object
	err := l.db.Read(ctx, func(tx *db.Tx) error {
		ids, err := db.All(tx, func(id *string) []any { return []any{id} }, `
			WITH RECURSIVE apps AS (
				SELECT min(client_id) AS id FROM audit WHERE user_id = $1 AND client_id IS NOT NULL
				UNION ALL
				SELECT (SELECT min(client_id) FROM audit WHERE user_id = $1 AND client_id > apps.id) FROM apps WHERE apps.id IS NOT NULL)
			SELECT id FROM apps WHERE id IS NOT NULL LIMIT $2`, by.UserID, maxApps)
		if err != nil {
			return err
		}
		names, err := namesOf(tx, ids)
		apps = nil
		for _, id := range ids {
			apps = append(apps, Object{Kind: "client", ID: id, Name: names[id].Name})
		}
		return err
	})
	return apps, err
}

// UserAgents are the browsers with which the asker signed in before an instant, those of
// the last two hundred times.
func (l *Log) UserAgents(ctx context.Context, by Actor, before time.Time) (agents []string, err error) {
	err = l.db.Read(ctx, func(tx *db.Tx) (err error) {
		agents, err = db.All(tx, func(s *string) []any { return []any{s} }, `SELECT user_agent FROM audit
			WHERE user_id = $1 AND event = $2 AND at < $3 ORDER BY at DESC, id DESC LIMIT $4`,
			by.UserID, SignIn.text, before.UnixMicro(), lookedFor)
		return err
	})
	return agents, err
}
