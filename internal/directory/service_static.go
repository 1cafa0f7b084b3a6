package directory

import (
	"context"
	"errors"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// StaticID is the id of the service account of the key in the environment.
const StaticID = "00000000-0000-0000-0000-000000000000"

// Static is the service account of the key in the environment. It is made when the key is
// used for the first time.
func (d *Directory) Static(ctx context.Context) (User, error) {
	var u User
	err := d.db.Read(ctx, func(tx *db.Tx) (err error) {
		u, err = UserByID(tx, StaticID)
		return err
	})
	if !errors.Is(err, ErrNoUser) {
		return u, err
	}
	err = d.db.Write(ctx, func(tx *db.Tx) (err error) {
		if u, err = UserByID(tx, StaticID); !errors.Is(err, ErrNoUser) {
			return err
		}
		u, err = AddUser(tx, audit.System("api"), NewUser{ID: StaticID, Username: "static-api-user-" + strings.ToLower(secret.ID()[:6]),
			DisplayName: "Static API User", Admin: true, service: true})
		return err
	})
	return u, err
}

// DropStatic removes the service account of the key in the environment, when there is no
// such key any more. Nothing of it stays but what is written in the log.
func (d *Directory) DropStatic(ctx context.Context) error {
	var there bool
	err := d.db.Read(ctx, func(tx *db.Tx) error {
		return tx.One([]any{&there}, `SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)`, StaticID)
	})
	if err != nil || !there {
		return err
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		u, err := UserByID(tx, StaticID)
		if errors.Is(err, ErrNoUser) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := leaveGroups(tx, u.ID); err != nil {
			return err
		}
		tx.Do(`DELETE FROM user_words WHERE user_id = $1`, u.ID)
		tx.Do(`DELETE FROM users WHERE id = $1`, u.ID)
		audit.Record(tx, audit.System("job"), audit.Event{Name: audit.UserDeleted, Object: object(&u), User: u.ID})
		return nil
	})
}
