package directory

import (
	"context"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// ErrNotReserved refuses to release the names of somebody who is not deleted or
// whose names are free already.
var ErrNotReserved = fault.New(fault.Conflict, "names_not_reserved")

// releasedMark begins the username of a tombstone whose names were released. No
// username can begin so, and what follows is the id: nobody inherits that.
const releasedMark = "~"

// reserved reports whether u is a tombstone that keeps its names from others.
func (u *User) reserved() bool {
	return !u.DeletedAt.IsZero() && !strings.HasPrefix(u.Username, releasedMark)
}

// Tombstone reads a deleted user whose names are still reserved.
func (d *Directory) Tombstone(ctx context.Context, by audit.Actor, id string) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	var u User
	err := d.db.Read(ctx, func(tx *db.Tx) (err error) {
		u, err = UserByID(tx, id)
		return err
	})
	if err == nil && !u.reserved() {
		return User{}, ErrNoUser
	}
	return u, err
}

// Release lets others have the username and the address of a deleted user. Who
// takes them may be taken for the one who had them by clients that know people
// by their names, so this is a deed of its own. The id is never given again.
func (d *Directory) Release(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		u, err := UserByID(tx, id)
		if err != nil {
			return err
		}
		if !u.reserved() {
			return ErrNotReserved
		}
		was := map[string]any{"username": u.Username}
		if u.Email != "" {
			was["email"] = u.Email
		}
		audit.Record(tx, by, audit.Event{Name: audit.UserNamesReleased, Object: object(&u), User: u.ID, Before: was})
		u.Username, u.Email, u.EmailVerified, u.LDAPID = releasedMark+u.ID, "", false, ""
		saveUser(tx, &u)
		tx.Do(`DELETE FROM user_words WHERE user_id = $1`, u.ID)
		return nil
	})
}
