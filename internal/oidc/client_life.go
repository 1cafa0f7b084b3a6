package oidc

import (
	"context"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jobs"
)

// DisableClient lets nobody use a client from now on: the gate denies it and what it was
// given gives nothing. What it has stays as it is, so that enabling it goes on where it was.
func (p *Provider) DisableClient(ctx context.Context, by audit.Actor, id string) (Client, error) {
	return p.switchClient(ctx, by, id, audit.ClientDisabled, func(c *Client, now time.Time) bool {
		was := c.DisabledAt
		c.DisabledAt = now
		return was.IsZero()
	})
}

// EnableClient lets people use a disabled client again.
func (p *Provider) EnableClient(ctx context.Context, by audit.Actor, id string) (Client, error) {
	return p.switchClient(ctx, by, id, audit.ClientEnabled, func(c *Client, _ time.Time) bool {
		was := c.DisabledAt
		c.DisabledAt = time.Time{}
		return !was.IsZero()
	})
}

// switchClient changes whether a client may be used; change says whether anything did.
func (p *Provider) switchClient(ctx context.Context, by audit.Actor, id string, event audit.Name, change func(c *Client, now time.Time) bool) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	var c *Client
	err := p.db.Write(ctx, func(tx *db.Tx) (err error) {
		if c, err = clientByID(tx, id); err != nil {
			return err
		}
		if !change(c, tx.Now()) {
			return nil
		}
		c.UpdatedAt = tx.Now()
		tx.Do(`UPDATE clients SET disabled_at = $2, updated_at = $3 WHERE id = $1`, c.ID, db.Time(&c.DisabledAt), db.Time(&c.UpdatedAt))
		audit.Record(tx, by, audit.Event{Name: event, Object: c.object(), Client: c.ID})
		jobs.Publish(tx, "client.changed", c.ID)
		return nil
	})
	if err != nil {
		return Client{}, err
	}
	return *c, nil
}
