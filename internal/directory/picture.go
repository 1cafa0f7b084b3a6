package directory

import (
	"context"
	"errors"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/images"
	"pocketid/internal/jobs"
	"pocketid/internal/settings"
)

// SetPicture gives an account a picture: their own to people, anybody's to administrators.
func (d *Directory) SetPicture(ctx context.Context, by audit.Actor, id string, p images.Picture) (User, error) {
	return d.changePicture(ctx, by, id, &p)
}

// RemovePicture lets the default picture stand for an account again.
func (d *Directory) RemovePicture(ctx context.Context, by audit.Actor, id string) (User, error) {
	return d.changePicture(ctx, by, id, nil)
}

// changePicture sets the picture of an account, or takes it away when p is nil.
func (d *Directory) changePicture(ctx context.Context, by audit.Actor, id string, p *images.Picture) (u User, err error) {
	if by.UserID == "" || by.UserID != id {
		if err := by.MustAdmin(); err != nil {
			return User{}, err
		}
	}
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		if u, err = UserByID(tx, id); err != nil {
			return err
		}
		if err := u.mayHavePicture(tx, by, s); err != nil {
			return err
		}
		was, is := "", ""
		switch old, err := images.Of(tx, images.Person, id); {
		case err == nil:
			was = old.String()
		case !errors.Is(err, images.ErrNone):
			return err
		}
		before := u.PictureID
		if u.PictureID = ""; p == nil {
			images.Remove(tx, images.Person, id)
		} else {
			u.PictureID, is = p.ETag, p.String()
			images.Put(tx, images.Person, id, *p)
		}
		if u.PictureID == before {
			return nil
		}
		saveUser(tx, &u)
		audit.Record(tx, by, audit.Event{Name: audit.UserPictureEdited, Object: object(&u), User: u.ID,
			Before: map[string]any{"picture": was}, After: map[string]any{"picture": is}})
		jobs.Publish(tx, "user.changed", u.ID)
		return nil
	})
	return u, err
}

// mayHavePicture says why by may not change the picture of u. What holds for the profile
// of people themselves holds for their picture; a directory that sends pictures owns them.
func (u *User) mayHavePicture(tx *db.Tx, by audit.Actor, s settings.Settings) error {
	switch {
	case !u.DeletedAt.IsZero():
		return ErrNoUser
	case u.LDAPID != "" && s.LDAPAttributeUserProfilePicture != "":
		return ErrManaged
	case by.UserID != u.ID:
		return nil
	case u.Service():
		return ErrServiceFixed
	case !s.AllowOwnAccountEdit && by.MustAdmin() != nil:
		return ErrOwnEdit
	}
	return u.Active(tx.Now())
}

// A Portrait is what stands for somebody.
type Portrait struct {
	// Name is what they are called, for the letters where there is no picture.
	Name string
	// Picture is theirs or the one that the instance has for everybody; without Data there
	// is none.
	Picture images.Picture
}

// Portrait is what stands for the user with this id, for everybody: applications show it,
// and they fetch it without saying who asks. The id cannot be guessed.
func (d *Directory) Portrait(ctx context.Context, id string) (p Portrait, err error) {
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		u, err := UserByID(tx, id)
		if err != nil {
			return err
		}
		if !u.DeletedAt.IsZero() {
			return ErrNoUser
		}
		p = Portrait{Name: u.Name()}
		if u.PictureID != "" {
			p.Picture, err = images.Of(tx, images.Person, id)
		} else {
			p.Picture, err = images.Of(tx, images.Instance, images.DefaultPerson)
		}
		if errors.Is(err, images.ErrNone) {
			return nil
		}
		return err
	})
	return p, err
}
