package oidc

import (
	"context"
	"errors"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// FindClient reads the client that is meant by an id, or by a name that no other client
// has, for administrators.
func (p *Provider) FindClient(ctx context.Context, by audit.Actor, meant string) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	var c *Client
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		if meant == "" || !isText(meant) {
			return ErrNoClient
		}
		if c, err = clientByID(tx, meant); !errors.Is(err, ErrNoClient) {
			return err
		}
		ids, err := db.All(tx, func(id *string) []any { return []any{id} }, `SELECT id FROM clients WHERE name_key = $1 AND deleted_at IS NULL
			ORDER BY id NULLS LAST LIMIT 2`, directory.Fold(strings.TrimSpace(meant)))
		switch {
		case err != nil:
			return err
		case len(ids) == 0:
			return ErrNoClient
		case len(ids) > 1:
			return directory.ErrSeveral.With("name", meant)
		}
		c, err = clientByID(tx, ids[0])
		return err
	})
	if err != nil {
		return Client{}, err
	}
	return *c, nil
}

// AddClientWith is AddClient with a first secret that was chosen elsewhere, where there is
// one; it is returned all the same.
func (p *Provider) AddClientWith(ctx context.Context, by audit.Actor, edit ClientEdit, first SecretEdit) (Client, string, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, "", err
	}
	if first.Text == "" {
		return p.AddClient(ctx, by, edit)
	}
	if edit.Public {
		return Client{}, "", ErrSecretPublic
	}
	s, err := p.typedSecret(by, "", string(first.Text))
	if err != nil {
		return Client{}, "", err
	}
	c, err := p.addClient(ctx, by, edit, func(tx *db.Tx, c *Client) {
		s.ClientID, s.CreatedAt = c.ID, tx.Now()
		insertSecret(tx, &s)
	})
	if err != nil {
		return Client{}, "", err
	}
	return c, string(first.Text), nil
}
