package oidc

import (
	"context"
	"errors"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// A WholeClient is a client with what belongs to it.
type WholeClient struct {
	Client
	Secrets []Secret
	// Groups are those of AllowedGroups.
	Groups []directory.Group
}

// WholeClient is the client of that id with what belongs to it, for administrators.
func (p *Provider) WholeClient(ctx context.Context, by audit.Actor, id string) (c WholeClient, err error) {
	if err := by.MustAdmin(); err != nil {
		return WholeClient{}, err
	}
	err = p.db.Read(ctx, func(tx *db.Tx) (err error) {
		c, err = wholeClient(tx, id)
		return err
	})
	return c, err
}

func wholeClient(tx *db.Tx, id string) (WholeClient, error) {
	c, err := clientByID(tx, id)
	if err != nil {
		return WholeClient{}, err
	}
	whole := WholeClient{Client: *c}
	if whole.Secrets, err = secretsOf(tx, id); err != nil {
		return whole, err
	}
	whole.Groups, err = directory.GroupsByID(tx, c.AllowedGroups)
	return whole, err
}

// WhenClient makes the next change of ctx depend on what check says of a client as it is in
// the transaction of that change.
func (p *Provider) WhenClient(ctx context.Context, id string, check func(*WholeClient) error) context.Context {
	return db.Before(ctx, func(tx *db.Tx) error {
		c, err := wholeClient(tx, id)
		if err != nil {
			return err
		}
		return check(&c)
	})
}

// WhenAPI makes the next change of ctx depend on what check says of an API as it is in the
// transaction of that change.
func (p *Provider) WhenAPI(ctx context.Context, id string, check func(*API) error) context.Context {
	return db.Before(ctx, func(tx *db.Tx) error {
		a, err := apiByID(tx, id)
		if err != nil {
			return err
		}
		return check(a)
	})
}

// ShownClient is what everybody may know of a client who knows its id, since the page on
// which people sign in to it says so too.
func (p *Provider) ShownClient(ctx context.Context, id string) (App, error) {
	var a App
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		return tx.One([]any{&a.ID, &a.Name, &a.Description, &a.LaunchURL, &a.Kind, &a.ReauthRequired, db.Text(&a.Logo.Light), db.Text(&a.Logo.Dark)}, `
			SELECT id, name, description, launch_url, kind, reauth_required, logo_id, dark_logo_id FROM clients WHERE id = $1 AND deleted_at IS NULL`, id)
	})
	if errors.Is(err, db.ErrNotFound) {
		return App{}, ErrNoClient
	}
	return a, err
}
