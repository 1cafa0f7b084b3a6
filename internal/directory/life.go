package directory

import (
	"context"
	"errors"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/settings"
)

// ErrLastAdmin refuses what would leave the house without an administrator.
var ErrLastAdmin = fault.New(fault.Conflict, "last_admin")

// mustNotBeLastAdmin refuses when u is the only administrator who can come in.
// Writes are serializable, so of two who take each other's right at once one
// sees what the other did.
func mustNotBeLastAdmin(tx *db.Tx, u *User) error {
	if !u.Admin || u.Active() != nil {
		return nil
	}
	var other bool
	if err := tx.One([]any{&other}, `SELECT EXISTS (SELECT 1 FROM users
		WHERE admin AND kind = 'person' AND disabled_at IS NULL AND deleted_at IS NULL AND id <> $1)`, u.ID); err != nil {
		return err
	}
	if !other {
		return ErrLastAdmin
	}
	return nil
}

// Disable keeps a user out from now on: what they have open is dead, and stays
// dead when they are enabled again.
func (d *Directory) Disable(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	_, err := d.change(ctx, by, id, audit.UserDisabled, func(tx *db.Tx, _ settings.Settings, u *User) error {
		if !u.DisabledAt.IsZero() {
			return nil
		}
		if err := mustNotBeLastAdmin(tx, u); err != nil {
			return err
		}
		u.DisabledAt, u.ValidFrom = tx.Now(), tx.Now()
		return nil
	})
	return err
}

// Enable lets a disabled user in again. It revives nothing: they sign in anew.
func (d *Directory) Enable(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	_, err := d.change(ctx, by, id, audit.UserEnabled, func(tx *db.Tx, _ settings.Settings, u *User) error {
		if u.DisabledAt.IsZero() {
			return nil
		}
		u.DisabledAt, u.ValidFrom = time.Time{}, tx.Now()
		return nil
	})
	return err
}

// Delete takes an account away. What is left for a while is a tombstone that
// keeps the name and the address from being given to somebody else, who would
// inherit accounts at clients with them.
func (d *Directory) Delete(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	_, err := d.change(ctx, by, id, audit.UserDeleted, func(tx *db.Tx, _ settings.Settings, u *User) error {
		if err := mustNotBeLastAdmin(tx, u); err != nil {
			return err
		}
		u.DeletedAt, u.ValidFrom = tx.Now(), tx.Now()
		jobs.AddAt(tx, "user.purge", u.ID, tx.Now().Add(purgeAfter))
		return nil
	})
	return err
}

// Purge empties the tombstone of a user who has been deleted for long enough:
// of the account remain its id, username and address, which stay reserved.
// Whoever keeps something of the user hears "user.purged".
func (d *Directory) Purge(ctx context.Context, id string) error {
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		u, err := UserByID(tx, id)
		if err != nil {
			return err
		}
		if u.DeletedAt.IsZero() || tx.Now().Sub(u.DeletedAt) < purgeAfter {
			return nil
		}
		saveUser(tx, &User{ID: u.ID, Kind: u.Kind, Username: u.Username, Email: u.Email, LDAPID: u.LDAPID,
			Claims: map[string]any{}, StandardClaims: map[string]any{}, CreatedAt: u.CreatedAt,
			ValidFrom: u.ValidFrom, DeletedAt: u.DeletedAt})
		tx.Do(`DELETE FROM user_words WHERE user_id = $1`, id)
		tx.Do(`DELETE FROM user_group_members WHERE user_id = $1`, id)
		audit.Record(tx, audit.System("job"), audit.Event{Name: audit.UserPurged, Object: object(&u), User: u.ID})
		jobs.Publish(tx, "user.purged", id)
		return nil
	})
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	return err
}
