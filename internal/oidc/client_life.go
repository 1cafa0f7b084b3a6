package oidc

import (
	"context"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jobs"
)

// revokedDisabled is why a grant ended whose client was disabled.
const revokedDisabled = "client_disabled"

// DisableClient takes a client out of use until EnableClient: the gate denies it at once,
// and what it was given is ended.
func (p *Provider) DisableClient(ctx context.Context, by audit.Actor, id string) (Client, error) {
	return p.switchClient(ctx, by, id, func(tx *db.Tx, c *Client) bool {
		if !c.DisabledAt.IsZero() {
			return false
		}
		c.DisabledAt = tx.Now()
		tx.Do(`UPDATE grants SET revoked_at = $2, revoked_reason = $3, refresh_hash = NULL WHERE client_id = $1 AND revoked_at IS NULL`,
			c.ID, tx.Now().UnixMicro(), revokedDisabled)
		audit.Record(tx, by, audit.Event{Name: audit.ClientDisabled, Object: c.object(), Client: c.ID})
		return true
	})
}

// EnableClient lets people use a disabled client again. It revives nothing: they sign in
// anew.
func (p *Provider) EnableClient(ctx context.Context, by audit.Actor, id string) (Client, error) {
	return p.switchClient(ctx, by, id, func(tx *db.Tx, c *Client) bool {
		if c.DisabledAt.IsZero() {
			return false
		}
		c.DisabledAt = time.Time{}
		audit.Record(tx, by, audit.Event{Name: audit.ClientEnabled, Object: c.object(), Client: c.ID})
		return true
	})
}

// switchClient changes whether a client may be used; change says whether anything did.
func (p *Provider) switchClient(ctx context.Context, by audit.Actor, id string, change func(*db.Tx, *Client) bool) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	var c *Client
	err := p.db.Write(ctx, func(tx *db.Tx) (err error) {
		if c, err = clientByID(tx, id); err != nil || !change(tx, c) {
			return err
		}
		c.UpdatedAt = tx.Now()
		tx.Do(`UPDATE clients SET disabled_at = $2, updated_at = $3 WHERE id = $1`, c.ID, db.Time(&c.DisabledAt), db.Time(&c.UpdatedAt))
		jobs.Publish(tx, "client.changed", c.ID)
		return nil
	})
	if err != nil {
		return Client{}, err
	}
	return *c, nil
}
