package directory

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

// What is refused about service accounts.
var (
	ErrNoService = fault.New(fault.NotFound, "service_account_not_found")
	// ErrNoOwner refuses a service account for which nobody answers.
	ErrNoOwner = fault.New(fault.Invalid, "service_owner_missing").At("owner_id")
	// ErrOwnerNotAdmin refuses a service account that may more than its owner.
	ErrOwnerNotAdmin = fault.New(fault.Invalid, "service_owner_not_admin").At("owner_id")
	// ErrOwnerOut is what a key of a service account hears while its owner may not come in.
	ErrOwnerOut           = fault.New(fault.Forbidden, "service_owner_out")
	ErrServiceDescription = fault.New(fault.Invalid, "service_description").At("description").With("max", strconv.Itoa(maxServiceDescription))
	// ErrServiceFixed refuses a service account that changes itself: it is what its
	// administrators say.
	ErrServiceFixed = fault.New(fault.Forbidden, "service_account_fixed")
	// ErrStaticAccount refuses an edit of the account of the key in the environment, which
	// whoever runs the house answers for.
	ErrStaticAccount = fault.New(fault.Conflict, "service_account_static")
)

const maxServiceDescription = 200

// A ServiceEdit is what administrators say of a service account: a user that is not a
// person, never signs in and has no passkeys. Its keys are what its owner gives to programs.
type ServiceEdit struct {
	Username    string
	DisplayName string
	// Description says what it is for.
	Description string
	// Owner is the id of the person who answers for it. While they may not come in, its keys
	// open nothing.
	Owner string
	// Admin makes it an administrator for as long as its owner is one.
	Admin bool
	// ExpiresAt is from when on its keys open nothing; zero is never.
	ExpiresAt time.Time
}

// ServiceEdit is the edit that leaves the service account u as it is.
func (u *User) ServiceEdit() ServiceEdit {
	return ServiceEdit{Username: u.Username, DisplayName: u.DisplayName, Description: u.Description, Owner: u.OwnerID, Admin: u.Admin, ExpiresAt: u.ExpiresAt}
}

// AddService makes a service account, under an id of the caller or "". Nobody makes one that
// may more than they may.
func (d *Directory) AddService(ctx context.Context, by audit.Actor, id string, edit ServiceEdit) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	if edit.Admin {
		if err := by.MustBeWhole(); err != nil {
			return User{}, err
		}
	}
	var u User
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		if err := mayOwn(tx, edit.Owner, edit.Admin); err != nil {
			return err
		}
		description, err := serviceDescription(edit.Description)
		if err != nil {
			return err
		}
		u, err = AddUser(tx, by, NewUser{ID: id, Username: edit.Username, DisplayName: cmp.Or(strings.TrimSpace(edit.DisplayName), edit.Username), Admin: edit.Admin, ExpiresAt: edit.ExpiresAt,
			service: true, owner: edit.Owner, description: description})
		return err
	})
	if err != nil {
		return User{}, Explain(err)
	}
	return u, nil
}

// AddServiceOf is AddService for an owner who is meant by an id, a username or an email.
func (d *Directory) AddServiceOf(ctx context.Context, by audit.Actor, id, meant string, edit ServiceEdit) (User, error) {
	owner, err := d.findOwner(ctx, by, meant)
	if err != nil {
		return User{}, err
	}
	edit.Owner = owner.ID
	return d.AddService(ctx, by, id, edit)
}

// findOwner is the person who is meant to answer for a service account.
func (d *Directory) findOwner(ctx context.Context, by audit.Actor, meant string) (User, error) {
	owner, err := d.Find(ctx, by, meant)
	if errors.Is(err, ErrNoUser) {
		err = ErrNoOwner
	}
	return owner, err
}

// mayOwn says why the user with this id may not be the owner of a service account, or nil.
func mayOwn(tx *db.Tx, id string, admin bool) error {
	owner, err := UserByID(tx, id)
	switch {
	case errors.Is(err, ErrNoUser) || err == nil && (owner.Service() || owner.Active(tx.Now()) != nil):
		return ErrNoOwner
	case err != nil:
		return err
	case admin && !owner.Admin:
		return ErrOwnerNotAdmin
	}
	return nil
}

// serviceDescription is a description as it is kept.
func serviceDescription(typed string) (string, error) {
	text, plain := Line(typed)
	if !plain || utf8.RuneCountInString(text) > maxServiceDescription {
		return "", ErrServiceDescription
	}
	return text, nil
}

// EditService makes a service account what an administrator says of it. An owner who is not
// named stays.
func (d *Directory) EditService(ctx context.Context, by audit.Actor, id string, edit ServiceEdit) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.editService(ctx, by, id, audit.ServiceEdited, func(ServiceEdit) (ServiceEdit, error) { return edit, nil })
}

// ReviseService is EditService for somebody who saw the account as it was, or ErrStale. Who
// did not see the owner leaves it out.
func (d *Directory) ReviseService(ctx context.Context, by audit.Actor, id string, was, edit ServiceEdit) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.editService(ctx, by, id, audit.ServiceEdited, func(is ServiceEdit) (ServiceEdit, error) {
		same := is.ExpiresAt.Equal(was.ExpiresAt)
		if was.Owner == "" {
			was.Owner = is.Owner
		}
		if is.ExpiresAt = was.ExpiresAt; !same || is != was {
			return edit, ErrStale
		}
		return edit, nil
	})
}

// HandOver gives a service account to another owner.
func (d *Directory) HandOver(ctx context.Context, by audit.Actor, id, owner string) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.editService(ctx, by, id, audit.ServiceHandedOver, func(is ServiceEdit) (ServiceEdit, error) {
		is.Owner = owner
		return is, nil
	})
}

// HandOverFrom is HandOver for somebody who saw that the account had the owner was, or
// ErrStale. The new owner is meant by an id, a username or an email.
func (d *Directory) HandOverFrom(ctx context.Context, by audit.Actor, id, was, meant string) (User, error) {
	owner, err := d.findOwner(ctx, by, meant)
	if err != nil {
		return User{}, err
	}
	return d.editService(ctx, by, id, audit.ServiceHandedOver, func(is ServiceEdit) (ServiceEdit, error) {
		if is.Owner != was {
			return is, ErrStale
		}
		is.Owner = owner.ID
		return is, nil
	})
}

func (d *Directory) editService(ctx context.Context, by audit.Actor, id string, event audit.Name, say func(is ServiceEdit) (ServiceEdit, error)) (User, error) {
	return d.change(ctx, by, id, event, func(tx *db.Tx, _ settings.Settings, u *User) error {
		if !u.Service() {
			return ErrNoService
		}
		if u.ID == StaticID {
			return ErrStaticAccount
		}
		edit, err := say(u.ServiceEdit())
		if err != nil {
			return err
		}
		edit.Owner = cmp.Or(edit.Owner, u.OwnerID)
		// Whoever is the owner may stay it whatever became of them: another name does not
		// wait for another owner.
		if edit.Owner != u.OwnerID || edit.Admin && !u.Admin {
			if err := mayOwn(tx, edit.Owner, edit.Admin); err != nil {
				return err
			}
		}
		if u.Description, err = serviceDescription(edit.Description); err != nil {
			return err
		}
		if err := u.name(edit.Username, "", "", "", cmp.Or(strings.TrimSpace(edit.DisplayName), edit.Username)); err != nil {
			return err
		}
		u.OwnerID, u.Admin = edit.Owner, edit.Admin
		return u.expire(tx, edit.ExpiresAt)
	})
}

// DisableServices keeps programs out that hold keys of these accounts, all of them or none.
func (d *Directory) DisableServices(ctx context.Context, by audit.Actor, ids ...string) error {
	return d.changeAll(ctx, by, ids, audit.UserDisabled, ofService(func(tx *db.Tx, u *User) error { return disable(tx, by, u) }))
}

// EnableServices lets the keys of these accounts work again.
func (d *Directory) EnableServices(ctx context.Context, by audit.Actor, ids ...string) error {
	return d.changeAll(ctx, by, ids, audit.UserEnabled, ofService(enable))
}

// DeleteServices takes service accounts away, with their keys. Their names stay reserved as
// those of people do, because the log names them.
func (d *Directory) DeleteServices(ctx context.Context, by audit.Actor, ids ...string) error {
	return d.changeAll(ctx, by, ids, audit.UserDeleted, ofService(func(tx *db.Tx, u *User) error { return remove(tx, by, u) }))
}

// ofService is a deed that is done to service accounts alone.
func ofService(deed func(*db.Tx, *User) error) func(*db.Tx, *User) error {
	return func(tx *db.Tx, u *User) error {
		if !u.Service() {
			return ErrNoService
		}
		return deed(tx, u)
	}
}

// mustBePerson refuses what people alone have, to service accounts.
func mustBePerson(u *User) error {
	if u.Service() {
		return ErrNoUser
	}
	return nil
}

// ServiceNow is the service account u as it is at this instant: an administrator only while
// its owner is one. It refuses while the owner may not come in. The account of the key in
// the environment has no owner.
func ServiceNow(tx *db.Tx, u User) (User, error) {
	if u.ID == StaticID {
		return u, nil
	}
	owner, err := UserByID(tx, u.OwnerID)
	if errors.Is(err, ErrNoUser) || err == nil && owner.Active(tx.Now()) != nil {
		return u, ErrOwnerOut
	}
	u.Admin = u.Admin && owner.Admin
	return u, err
}
