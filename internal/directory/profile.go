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

// Profile is the edit that leaves u as it is.
func (u *User) Profile() ProfileEdit {
	return ProfileEdit{Username: u.Username, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, DisplayName: u.DisplayName}
}

// EditProfile changes the account that by acts for. A new address counts as
// verified only when the settings say that all do. Rights are out of reach
// from here.
func (d *Directory) EditProfile(ctx context.Context, by audit.Actor, edit ProfileEdit) (User, error) {
	return d.editProfile(ctx, by, edit, func(ProfileEdit) error { return nil })
}

// ReviseProfile is EditProfile for somebody who saw their profile as it was, or ErrStale:
// an administrator may change it too.
func (d *Directory) ReviseProfile(ctx context.Context, by audit.Actor, was, edit ProfileEdit) (User, error) {
	return d.editProfile(ctx, by, edit, func(is ProfileEdit) error {
		if is != was {
			return ErrStale
		}
		return nil
	})
}

func (d *Directory) editProfile(ctx context.Context, by audit.Actor, edit ProfileEdit, check func(is ProfileEdit) error) (User, error) {
	id, err := own(by)
	if err != nil {
		return User{}, err
	}
	return d.change(ctx, by, id, audit.UserProfileEdited, func(tx *db.Tx, s settings.Settings, u *User) error {
		if err := u.mayEditProfile(tx, s); err != nil {
			return err
		}
		if err := check(u.Profile()); err != nil {
			return err
		}
		return u.editProfile(tx, s, edit)
	})
}

// mayEditProfile says why somebody may not change their own account, or nil.
func (u *User) mayEditProfile(tx *db.Tx, s settings.Settings) error {
	switch err := u.Active(tx.Now()); {
	case err != nil:
		return err
	case u.Service():
		return ErrServiceFixed
	case u.LDAPID != "":
		return ErrManaged
	case !s.AllowOwnAccountEdit:
		return ErrOwnEdit
	}
	return nil
}

// editProfile makes u what its owner says, under the settings s.
func (u *User) editProfile(tx *db.Tx, s settings.Settings, edit ProfileEdit) error {
	if err := u.mayEditProfile(tx, s); err != nil {
		return err
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
}

// A Look is how somebody sees the pages.
type Look struct {
	Locale string
	Theme  string // "auto", "light", "dark"; "" is that nothing was chosen
	Dates  string // "iso", or "" for the way of the language
}

// Look is how u sees the pages.
func (u *User) Look() Look { return Look{u.Locale, u.Theme, u.Dates} }

// EditLook changes how the account that by acts for sees the pages. Everybody may, also
// those whom another directory owns.
func (d *Directory) EditLook(ctx context.Context, by audit.Actor, look Look) (User, error) {
	id, err := own(by)
	if err != nil {
		return User{}, err
	}
	if err := checkLocale(look.Locale); err != nil {
		return User{}, err
	}
	switch look.Theme {
	case "", "auto", "light", "dark":
	default:
		return User{}, ErrThemeUnknown
	}
	if look.Dates != "" && look.Dates != "iso" {
		return User{}, ErrDatesUnknown
	}
	return d.change(ctx, by, id, audit.UserLookEdited, func(tx *db.Tx, _ settings.Settings, u *User) error {
		u.Locale, u.Theme, u.Dates = look.Locale, look.Theme, look.Dates
		return u.Active(tx.Now())
	})
}
