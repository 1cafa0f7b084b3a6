package directory

import (
	"context"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

// ErrOwnEdit refuses somebody who may not change their own profile.
var ErrOwnEdit = fault.New(fault.Forbidden, "own_edit_disabled")

// ProfileEdit is what people may change of their own account.
type ProfileEdit struct {
	Username    string
	Email       string
	FirstName   string
	LastName    string
	DisplayName string
}

// EditProfile changes the account that by acts for. A new address counts as
// verified only when the settings say that all do. Rights are out of reach
// from here.
func (d *Directory) EditProfile(ctx context.Context, by audit.Actor, edit ProfileEdit) (User, error) {
	id, err := own(by)
	if err != nil {
		return User{}, err
	}
	return d.change(ctx, by, id, audit.UserProfileEdited, func(tx *db.Tx, s settings.Settings, u *User) error {
		if err := u.Active(tx.Now()); err != nil {
			return err
		}
		if u.LDAPID != "" {
			return ErrManaged
		}
		if !s.AllowOwnAccountEdit {
			return ErrOwnEdit
		}
		was := u.Email
		if err := u.name(edit.Username, edit.Email, edit.FirstName, edit.LastName, edit.DisplayName); err != nil {
			return err
		}
		if u.Email == "" && s.RequireUserEmail {
			return ErrEmailRequired
		}
		if u.Email != was {
			u.EmailVerified = s.EmailsVerified && u.Email != ""
		}
		return nil
	})
}

// EditLook changes in which language and theme the account that by acts for
// sees the pages. Everybody may, also those whom another directory owns.
func (d *Directory) EditLook(ctx context.Context, by audit.Actor, locale, theme string) (User, error) {
	id, err := own(by)
	if err != nil {
		return User{}, err
	}
	if err := checkLocale(locale); err != nil {
		return User{}, err
	}
	switch theme {
	case "", "auto", "light", "dark":
	default:
		return User{}, ErrThemeUnknown
	}
	return d.change(ctx, by, id, audit.UserLookEdited, func(tx *db.Tx, _ settings.Settings, u *User) error {
		u.Locale, u.Theme = locale, theme
		return u.Active(tx.Now())
	})
}
