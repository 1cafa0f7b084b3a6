package directory

import (
	"context"
	"strconv"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/settings"
)

// A UserRewrite is all that a program says of an account at once. What is nil stays as it
// is: programs that were made for other houses do not know of it.
type UserRewrite struct {
	Username    string
	Email       string
	FirstName   string
	LastName    string
	DisplayName string
	Admin       bool
	Disabled    bool
	Locale      string
	// EmailVerified nil leaves the address as verified as it is; of a new one the settings
	// say it.
	EmailVerified *bool
	// ExpiresAt of the zero time is never.
	ExpiresAt *time.Time
	// Groups are the ids of all groups that they are in.
	Groups *[]string
}

// RewriteUser makes an account what a program says of it, all of it or nothing. Each part
// is recorded as if it had been done by itself.
func (d *Directory) RewriteUser(ctx context.Context, by audit.Actor, id string, r UserRewrite) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	var u User
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		_, err = changeUser(tx, by, id, audit.UserEdited, func(u *User) error {
			if err := mustBePerson(u); err != nil {
				return err
			}
			edit := UserEdit{Username: r.Username, Email: r.Email, EmailVerified: u.EmailVerified, FirstName: r.FirstName, LastName: r.LastName,
				DisplayName: r.DisplayName, Admin: r.Admin, ExpiresAt: u.ExpiresAt, Locale: r.Locale}
			if email, err := parseEmail(r.Email); err == nil && email != u.Email {
				edit.EmailVerified = s.EmailsVerified
			}
			if r.EmailVerified != nil {
				edit.EmailVerified = *r.EmailVerified
			}
			if r.ExpiresAt != nil {
				edit.ExpiresAt = *r.ExpiresAt
			}
			if u.LDAPID != "" && u.onlyLocale(edit) {
				u.Locale = edit.Locale
				return checkLocale(u.Locale)
			}
			return u.edit(tx, s, edit)
		})
		if err != nil {
			return err
		}
		life, deed := audit.UserEnabled, func(u *User) error { return enable(tx, u) }
		if r.Disabled {
			life, deed = audit.UserDisabled, func(u *User) error { return disable(tx, by, u) }
		}
		if u, err = changeUser(tx, by, id, life, deed); err != nil {
			return err
		}
		if r.Groups != nil {
			return setGroups(tx, by, id, *r.Groups, func([]string) error { return nil })
		}
		return nil
	})
	if err != nil {
		return User{}, Explain(err)
	}
	return u, nil
}

// onlyLocale reports whether edit changes nothing of u but the language, which is nobody
// else's even where another directory owns the profile.
func (u *User) onlyLocale(edit UserEdit) bool {
	is := u.Edit()
	same := is.ExpiresAt.Equal(edit.ExpiresAt)
	is.Locale, is.ExpiresAt = edit.Locale, edit.ExpiresAt
	return same && is == edit
}

// RewriteProfile is EditProfile for programs, which send the language along. Where the
// profile is not for its owner to change, the language still is, and the rest is not heard.
func (d *Directory) RewriteProfile(ctx context.Context, by audit.Actor, edit ProfileEdit, locale string) (User, error) {
	id, err := own(by)
	if err != nil {
		return User{}, err
	}
	var u User
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		is, err := UserByID(tx, id)
		if err != nil {
			return err
		}
		if is.LDAPID == "" && s.AllowOwnAccountEdit {
			if _, err := changeUser(tx, by, id, audit.UserProfileEdited, func(u *User) error { return u.editProfile(tx, s, edit) }); err != nil {
				return err
			}
		}
		u, err = changeUser(tx, by, id, audit.UserLookEdited, func(u *User) error {
			if u.Locale = locale; u.Active(tx.Now()) != nil {
				return u.Active(tx.Now())
			}
			return checkLocale(locale)
		})
		return err
	})
	if err != nil {
		return User{}, Explain(err)
	}
	return u, nil
}

// QueryMembers lists the members of a group, with the groups of each, for administrators.
func (d *Directory) QueryMembers(ctx context.Context, by audit.Actor, groupID string, q Query) (list []QueriedUser, total int, err error) {
	if _, err := d.Group(ctx, by, groupID); err != nil {
		return nil, 0, err
	}
	q.group = groupID
	return d.QueryUsers(ctx, by, q)
}

// QueryTombstones lists the deleted whose names are still reserved, for administrators.
func (d *Directory) QueryTombstones(ctx context.Context, by audit.Actor, q Query) (list []User, total int, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	var s statement
	s.WriteString(` FROM users WHERE ` + tombstone)
	if q.Search != "" {
		m := s.mark(contains(q.Search))
		s.WriteString(` AND (username_key LIKE ` + m + ` ESCAPE '!' OR email_key LIKE ` + m + ` ESCAPE '!')`)
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		if err := tx.One([]any{&total}, `SELECT count(*)`+s.String(), s.args...); err != nil {
			return err
		}
		page := statement{args: s.args}
		page.WriteString(`SELECT ` + userColumns + s.String())
		q.order(&page, queryUserColumns)
		list, err = db.All(tx, (*User).fields, page.String(), page.args...)
		return err
	})
	return list, total, err
}

// MaxListedMembers is how many members of a group are listed together with it.
const MaxListedMembers = 5000

// MembersOf reads the members of a group by the order in which their accounts were made,
// at most MaxListedMembers.
func MembersOf(tx *db.Tx, groupID string) ([]User, error) {
	return db.All(tx, (*User).fields, `SELECT `+userColumns+` FROM users
		WHERE id IN (SELECT user_id FROM user_group_members WHERE group_id = $1) AND deleted_at IS NULL
		ORDER BY created_at NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(MaxListedMembers), groupID)
}
