package oidc

import (
	"context"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jobs"
)

// DisableClient takes a client out of use until EnableClient: the gate denies it at once,
// and what it was given is ended. A client that is out of use stays as it is.
func (p *Provider) DisableClient(ctx context.Context, by audit.Actor, id string) error {
	return p.liveClient(ctx, by, id, func(tx *db.Tx, c *Client) {
		if !c.DisabledAt.IsZero() {
			return
		}
		now := tx.Now()
		tx.Do(`UPDATE clients SET disabled_at = $2, updated_at = $2 WHERE id = $1`, id, db.Time(&now))
		tx.Do(`UPDATE grants SET revoked_at = $2, revoked_reason = 'client_disabled', refresh_hash = NULL
			WHERE client_id = $1 AND revoked_at IS NULL`, id, db.Time(&now))
		audit.Record(tx, by, audit.Event{Name: audit.ClientDisabled, Object: c.object(), Client: id})
		jobs.Publish(tx, "client.changed", id)
	})
}

// EnableClient lets a client be used again. What ended when it was disabled does not come
// back.
func (p *Provider) EnableClient(ctx context.Context, by audit.Actor, id string) error {
	return p.liveClient(ctx, by, id, func(tx *db.Tx, c *Client) {
		if c.DisabledAt.IsZero() {
			return
		}
		tx.Do(`UPDATE clients SET disabled_at = NULL, updated_at = $2 WHERE id = $1`, id, tx.Now().UnixMicro())
		audit.Record(tx, by, audit.Event{Name: audit.ClientEnabled, Object: c.object(), Client: id})
		jobs.Publish(tx, "client.changed", id)
	})
}

func (p *Provider) liveClient(ctx context.Context, by audit.Actor, id string, change func(*db.Tx, *Client)) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, id)
		if err != nil {
			return err
		}
		change(tx, c)
		return nil
	})
}
