package directory

import (
	"context"
	"errors"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// ErrNoOwner refuses a service account for which nobody answers.
var ErrNoOwner = fault.New(fault.Invalid, "service_owner_missing").At("owner_id")

// A ServiceAccount is what a user that is not a person is made from. It
// never signs in and has no passkeys; its keys are what its owner gives to programs.
type ServiceAccount struct {
	Username    string
	DisplayName string
	// Owner is the id of the person who answers for it.
	Owner string
	// ExpiresAt is from when on its keys open nothing; zero is never.
	ExpiresAt time.Time
	Admin     bool
}

// AddService makes a service account. Nobody makes one that may more than they may.
func (d *Directory) AddService(ctx context.Context, by audit.Actor, n ServiceAccount) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	if n.Admin {
		if err := by.MustBeWhole(); err != nil {
			return User{}, err
		}
	}
	var u User
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		owner, err := UserByID(tx, n.Owner)
		if errors.Is(err, ErrNoUser) || err == nil && (owner.Service() || owner.Active(tx.Now()) != nil) {
			return ErrNoOwner
		}
		if err != nil {
			return err
		}
		u, err = AddUser(tx, by, NewUser{Username: n.Username, DisplayName: n.DisplayName, Admin: n.Admin, ExpiresAt: n.ExpiresAt, service: true, owner: owner.ID})
		return err
	})
	if err != nil {
		return User{}, Explain(err)
	}
	return u, nil
}

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
