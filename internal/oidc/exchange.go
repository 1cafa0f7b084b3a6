package oidc

import (
	"context"
	"errors"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
)

// What is refused about the pairs of clients that exchange tokens.
var (
	ErrExchangePublic   = fault.New(fault.Conflict, "exchange_public").At("from")
	ErrExchangeUnknown  = fault.New(fault.Invalid, "exchange_client_unknown").At("from")
	ErrExchangesTooMany = fault.New(fault.Conflict, "exchanges_too_many").At("from").With("max", "100")
	ErrNoExchange       = fault.New(fault.NotFound, "exchange_not_found")
)

// maxExchanges bounds the clients whose tokens one client may exchange.
const maxExchanges = 100

// revokedExchange is why a grant ended that came by an exchange which is not allowed any more.
const revokedExchange = "exchange"

// An Exchange is a client whose access tokens another one may exchange for its own.
type Exchange struct {
	// ClientID and Name are those of the client whose tokens they are.
	ClientID, Name string
	CreatedAt      time.Time
}

// Exchanges lists the clients whose access tokens clientID may exchange, by name.
func (p *Provider) Exchanges(ctx context.Context, by audit.Actor, clientID string) ([]Exchange, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var all []Exchange
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		all, err = db.All(tx, func(e *Exchange) []any { return []any{&e.ClientID, &e.Name, db.Time(&e.CreatedAt)} }, `
			SELECT c.id, c.name, x.created_at FROM token_exchanges x JOIN clients c ON c.id = x.from_client_id
			WHERE x.client_id = $1 AND c.deleted_at IS NULL ORDER BY c.name_key NULLS LAST, c.id LIMIT $2`, clientID, maxExchanges)
		return err
	})
	return all, err
}

// AllowExchange lets clientID exchange access tokens of fromID for its own (RFC 8693).
// Nothing of that is allowed by default. Only a confidential client may; a pair that is
// there already stays as it is.
func (p *Provider) AllowExchange(ctx context.Context, by audit.Actor, clientID, fromID string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, clientID)
		if err != nil {
			return err
		}
		from, err := clientByID(tx, fromID)
		if errors.Is(err, ErrNoClient) {
			return ErrExchangeUnknown
		}
		if err != nil {
			return err
		}
		if c.Public {
			return ErrExchangePublic
		}
		var count int
		if err := tx.One([]any{&count}, `SELECT count(*) FROM token_exchanges WHERE client_id = $1`, c.ID); err != nil {
			return err
		}
		if count >= maxExchanges {
			return ErrExchangesTooMany
		}
		var made string
		err = tx.One([]any{&made}, `INSERT INTO token_exchanges (client_id, from_client_id, created_by, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (client_id, from_client_id) DO NOTHING RETURNING client_id`, c.ID, from.ID, by.UserID, tx.Now().UnixMicro())
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		audit.Record(tx, by, audit.Event{Name: audit.ExchangeAllowed, Object: c.object(), Client: from.ID})
		jobs.Publish(tx, "client.changed", c.ID)
		return nil
	})
}

// ForbidExchange takes that back. What was exchanged ends at once.
func (p *Provider) ForbidExchange(ctx context.Context, by audit.Actor, clientID, fromID string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, clientID)
		if err != nil {
			return err
		}
		n, err := tx.Exec(`DELETE FROM token_exchanges WHERE client_id = $1 AND from_client_id = $2`, c.ID, fromID)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNoExchange
		}
		tx.Do(`UPDATE grants SET revoked_at = $4, revoked_reason = $5 WHERE client_id = $1 AND kind = $3 AND revoked_at IS NULL
			AND parent_id IN (SELECT id FROM grants WHERE client_id = $2)`, c.ID, fromID, grantByExchange, tx.Now().UnixMicro(), revokedExchange)
		audit.Record(tx, by, audit.Event{Name: audit.ExchangeForbidden, Object: c.object(), Client: fromID})
		jobs.Publish(tx, "client.changed", c.ID)
		return nil
	})
}
