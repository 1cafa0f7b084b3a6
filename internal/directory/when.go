package directory

import (
	"context"

	"pocketid/internal/db"
)

// WhenUser makes the next change of ctx depend on what check says of an account and its
// groups as they are in the transaction of that change.
func (d *Directory) WhenUser(ctx context.Context, id string, check func(*User, []Group) error) context.Context {
	return db.Before(ctx, func(tx *db.Tx) error {
		u, err := UserByID(tx, id)
		if err != nil {
			return err
		}
		if !u.DeletedAt.IsZero() {
			return ErrNoUser
		}
		groups, err := GroupsOf(tx, id)
		if err != nil {
			return err
		}
		return check(&u, groups)
	})
}

// WhenService is WhenUser for a service account.
func (d *Directory) WhenService(ctx context.Context, id string, check func(*ServiceRow) error) context.Context {
	return db.Before(ctx, func(tx *db.Tx) error {
		r, err := serviceByID(tx, id)
		if err != nil {
			return err
		}
		return check(&r)
	})
}
