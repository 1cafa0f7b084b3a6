package directory

import (
	"context"
	"errors"
	"slices"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/jobs"
)

// What is refused about the life of an account.
var (
	// ErrLastAdmin refuses what would leave the house without an administrator.
	ErrLastAdmin = fault.New(fault.Conflict, "last_admin")
	// ErrOwnAccount refuses administrators who would lock themselves out.
	ErrOwnAccount = fault.New(fault.Conflict, "own_account")
	// ErrTooManyUsers refuses to change more users at once than one list shows.
	ErrTooManyUsers = fault.New(fault.Invalid, "too_many_users")
)

// mustNotBeLastAdmin refuses when u is the only administrator who can come in
// for good; those whose account expires do not count. Writes are serializable,
// so of two who take each other's right at once one sees what the other did.
func mustNotBeLastAdmin(tx *db.Tx, u *User) error {
	if !u.Admin || u.Service() || u.Active(tx.Now()) != nil {
		return nil
	}
	var other bool
	if err := tx.One([]any{&other}, `SELECT EXISTS (SELECT 1 FROM users
		WHERE admin AND kind = 'person' AND disabled_at IS NULL AND deleted_at IS NULL AND expires_at IS NULL AND id <> $1)`, u.ID); err != nil {
		return err
	}
	if !other {
		return ErrLastAdmin
	}
	return nil
}

// mayGo refuses when by takes the account u away from the house or from themselves.
func mayGo(tx *db.Tx, by audit.Actor, u *User) error {
	if err := mustNotBeLastAdmin(tx, u); err != nil {
		return err
	}
	if by.UserID == u.ID {
		return ErrOwnAccount
	}
	return nil
}

// Disable keeps users out from now on: what they have open is dead, and stays
// dead when they are enabled again. It is all of them or none.
func (d *Directory) Disable(ctx context.Context, by audit.Actor, ids ...string) error {
	return d.changeAll(ctx, by, ids, audit.UserDisabled, func(tx *db.Tx, u *User) error { return disable(tx, by, u) })
}

func disable(tx *db.Tx, by audit.Actor, u *User) error {
	if !u.DisabledAt.IsZero() {
		return nil
	}
	if err := mayGo(tx, by, u); err != nil {
		return err
	}
	u.DisabledAt, u.ValidFrom = tx.Now(), tx.Now()
	return nil
}

// Enable lets disabled users in again. It revives nothing: they sign in anew.
func (d *Directory) Enable(ctx context.Context, by audit.Actor, ids ...string) error {
	return d.changeAll(ctx, by, ids, audit.UserEnabled, enable)
}

func enable(tx *db.Tx, u *User) error {
	if !u.DisabledAt.IsZero() {
		u.DisabledAt, u.ValidFrom = time.Time{}, tx.Now()
	}
	return nil
}

// Delete takes accounts away, all of them or none. What is left for a while is
// a tombstone that keeps the name and the address from being given to somebody
// else, who would inherit accounts at clients with them.
func (d *Directory) Delete(ctx context.Context, by audit.Actor, ids ...string) error {
	return d.changeAll(ctx, by, ids, audit.UserDeleted, func(tx *db.Tx, u *User) error { return remove(tx, by, u) })
}

func remove(tx *db.Tx, by audit.Actor, u *User) error {
	if err := mayGo(tx, by, u); err != nil {
		return err
	}
	return takeAway(tx, u)
}

func takeAway(tx *db.Tx, u *User) error {
	u.DeletedAt, u.ValidFrom = tx.Now(), tx.Now()
	tx.Do(`DELETE FROM user_words WHERE user_id = $1`, u.ID)
	jobs.AddAt(tx, "user.purge", u.ID, tx.Now().Add(purgeAfter))
	return leaveGroups(tx, u.ID)
}

// changeAll is change for each of some users, in one transaction.
func (d *Directory) changeAll(ctx context.Context, by audit.Actor, ids []string, event audit.Name, fn func(*db.Tx, *User) error) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	if len(ids) > MaxUsers {
		return ErrTooManyUsers
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			if _, err := changeUser(tx, by, id, event, func(u *User) error { return fn(tx, u) }); err != nil {
				return err
			}
		}
		return nil
	})
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
			Claims: map[string]any{}, CreatedAt: u.CreatedAt,
			ValidFrom: u.ValidFrom, DeletedAt: u.DeletedAt})
		images.Remove(tx, images.Person, id)
		if err := leaveGroups(tx, id); err != nil {
			return err
		}
		audit.Record(tx, audit.System("job"), audit.Event{Name: audit.UserPurged, Object: object(&u), User: u.ID})
		jobs.Publish(tx, "user.purged", id)
		return nil
	})
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	return err
}

// LastAdmin reports whether the user with this id is the only administrator who can
// come in.
func (d *Directory) LastAdmin(ctx context.Context, id string) (last bool, err error) {
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		u, err := UserByID(tx, id)
		if err != nil {
			return err
		}
		err = mustNotBeLastAdmin(tx, &u)
		if last = errors.Is(err, ErrLastAdmin); last {
			return nil
		}
		return err
	})
	return last, err
}
