package directory

import (
	"context"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

// ErrAccountDelete refuses people who may not delete their own account.
var ErrAccountDelete = fault.New(fault.Forbidden, "account_delete_disabled")

// DeleteOwn takes the account that by acts for away, as Delete does, where the settings
// let people do that. It is a part of the verb that has asked for a fresh proof. What
// another directory owns comes and goes there.
func DeleteOwn(tx *db.Tx, by audit.Actor) error {
	id, err := own(by)
	if err != nil {
		return err
	}
	s, err := settings.Of(tx)
	if err != nil {
		return err
	}
	_, err = changeUser(tx, by, id, audit.UserDeleted, func(u *User) error {
		if err := mayDeleteOwn(tx, s, u); err != nil {
			return err
		}
		return takeAway(tx, u)
	})
	return err
}

func mayDeleteOwn(tx *db.Tx, s settings.Settings, u *User) error {
	switch err := u.Active(tx.Now()); {
	case err != nil:
		return err
	case !s.AllowAccountDelete:
		return ErrAccountDelete
	case u.LDAPID != "":
		return ErrManaged
	}
	return mustNotBeLastAdmin(tx, u)
}

// MayDeleteOwn says why the account that by acts for cannot be deleted by themselves, or
// nil when it can, so that nobody is asked in vain.
func (d *Directory) MayDeleteOwn(ctx context.Context, by audit.Actor) error {
	id, err := own(by)
	if err != nil {
		return err
	}
	return d.db.Read(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		u, err := UserByID(tx, id)
		if err != nil {
			return err
		}
		return mayDeleteOwn(tx, s, &u)
	})
}
