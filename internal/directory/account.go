package directory

import (
	"context"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// What is refused about an account as a whole.
var (
	ErrIDMalformed     = fault.New(fault.Invalid, "user_id_malformed").At("id")
	ErrIDTaken         = fault.New(fault.Conflict, "user_id_taken").At("id")
	ErrLocaleMalformed = fault.New(fault.Invalid, "locale_malformed").At("locale")
	ErrThemeUnknown    = fault.New(fault.Invalid, "theme_unknown").At("theme")
	ErrManaged         = fault.New(fault.Forbidden, "ldap_user_update")
)

// NewUser is what an account is made from. Names are trimmed; an empty
// DisplayName becomes first and last name.
type NewUser struct {
	// ID may be chosen; empty asks for a new one. It is the subject that
	// clients see.
	ID            string
	Username      string
	Email         string
	EmailVerified bool
	FirstName     string
	LastName      string
	DisplayName   string
	Admin         bool
	Locale        string
	Claims        map[string]any
}

// Check returns the account that n asks for, as it would be under the settings
// s, or the first fault of n. What only the rows know, whether a name is
// taken, it does not say.
func (n NewUser) Check(s settings.Settings) (u User, err error) {
	u = User{ID: strings.ToLower(n.ID), Kind: "person", EmailVerified: n.EmailVerified, Admin: n.Admin, Locale: n.Locale,
		Claims: n.Claims, StandardClaims: map[string]any{}}
	if u.ID != "" && !isUUID(u.ID) {
		return User{}, ErrIDMalformed
	}
	if err := u.name(n.Username, n.Email, n.FirstName, n.LastName, n.DisplayName); err != nil {
		return User{}, err
	}
	if u.DisplayName == "" {
		u.DisplayName = strings.TrimSpace(u.FirstName + " " + u.LastName)
	}
	if u.Email == "" && s.RequireUserEmail {
		return User{}, ErrEmailRequired
	}
	if u.Email == "" {
		u.EmailVerified = false
	} else if s.EmailsVerified {
		u.EmailVerified = true
	}
	if err := checkLocale(u.Locale); err != nil {
		return User{}, err
	}
	if u.Claims == nil {
		u.Claims = map[string]any{}
	}
	return u, CheckClaims(u.Claims)
}

// name gives u these names and address once all of them pass.
func (u *User) name(username, email, first, last, display string) (err error) {
	if username, err = parseUsername(username); err != nil {
		return err
	}
	if email, err = parseEmail(email); err != nil {
		return err
	}
	if first, err = parseName("first_name", first, maxName); err != nil {
		return err
	}
	if last, err = parseName("last_name", last, maxName); err != nil {
		return err
	}
	if display, err = parseName("display_name", display, maxDisplayName); err != nil {
		return err
	}
	u.Username, u.Email, u.FirstName, u.LastName, u.DisplayName = username, email, first, last, display
	return nil
}

// isUUID reports whether s is a UUID in lower case (RFC 9562 §4).
func isUUID(s string) bool {
	for i := range len(s) {
		switch hyphen := i == 8 || i == 13 || i == 18 || i == 23; {
		case hyphen != (s[i] == '-'):
			return false
		case !hyphen && (s[i] > 'f' || !alphanumeric(s[i]) || 'A' <= s[i] && s[i] <= 'Z'):
			return false
		}
	}
	return len(s) == 36
}

// checkLocale accepts whatever has the form of a language tag, and nothing at
// all; imported tags that no catalogue has are kept.
func checkLocale(l string) error {
	if l == "" {
		return nil
	}
	parts := strings.FieldsFunc(l, func(r rune) bool { return r == '-' || r == '_' })
	for i, p := range parts {
		if len(p) > 8 || i == 0 && len(p) < 2 {
			return ErrLocaleMalformed
		}
		for j := range len(p) {
			if !alphanumeric(p[j]) || i == 0 && p[j] <= '9' {
				return ErrLocaleMalformed
			}
		}
	}
	// RFC 5646 §4.4.1: 35 characters hold any tag
	if len(parts) == 0 || len(l) > 35 || len(strings.Join(parts, "-")) != len(l) {
		return ErrLocaleMalformed
	}
	return nil
}

// AddUser makes an account in tx. It does not ask who may: that is for the
// verb around it, which also returns its error through Explain.
func AddUser(tx *db.Tx, by audit.Actor, n NewUser) (User, error) {
	s, err := settings.Of(tx)
	if err != nil {
		return User{}, err
	}
	u, err := n.Check(s)
	if err != nil {
		return User{}, err
	}
	if u.ID == "" {
		u.ID = secret.ID()
	}
	u.CreatedAt, u.UpdatedAt = tx.Now(), tx.Now()
	if err := clash(tx, &u); err != nil {
		return User{}, err
	}
	insertUser(tx, &u)
	audit.Record(tx, by, audit.Event{Name: audit.AccountCreated, Object: object(&u), User: u.ID, After: account(&u)})
	jobs.Publish(tx, "user.changed", u.ID)
	return u, nil
}

// AddUserAs makes an account as an administrator.
func (d *Directory) AddUserAs(ctx context.Context, by audit.Actor, n NewUser) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	var u User
	err := d.db.Write(ctx, func(tx *db.Tx) (err error) {
		u, err = AddUser(tx, by, n)
		return err
	})
	if err != nil {
		return User{}, Explain(err)
	}
	return u, nil
}

// User reads the user with this id, who may be disabled but not deleted.
func (d *Directory) User(ctx context.Context, id string) (User, error) {
	var u User
	err := d.db.Read(ctx, func(tx *db.Tx) (err error) {
		u, err = UserByID(tx, id)
		return err
	})
	if err == nil && !u.DeletedAt.IsZero() {
		return User{}, ErrNoUser
	}
	return u, err
}

// UserEdit is what an administrator may change of an account.
type UserEdit struct {
	Username      string
	Email         string
	EmailVerified bool
	FirstName     string
	LastName      string
	DisplayName   string
	Admin         bool
	Locale        string
}

// EditUser changes an account as an administrator. The last administrator
// stays one.
func (d *Directory) EditUser(ctx context.Context, by audit.Actor, id string, edit UserEdit) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.change(ctx, by, id, audit.UserEdited, func(tx *db.Tx, s settings.Settings, u *User) error {
		if u.LDAPID != "" {
			return ErrManaged
		}
		if err := u.name(edit.Username, edit.Email, edit.FirstName, edit.LastName, edit.DisplayName); err != nil {
			return err
		}
		if u.Email == "" && s.RequireUserEmail {
			return ErrEmailRequired
		}
		if u.Admin && !edit.Admin {
			if err := mustNotBeLastAdmin(tx, u); err != nil {
				return err
			}
		}
		u.EmailVerified, u.Admin, u.Locale = edit.EmailVerified && u.Email != "", edit.Admin, edit.Locale
		return checkLocale(u.Locale)
	})
}

// SetClaims replaces what is said about a user beside the standard claims.
func (d *Directory) SetClaims(ctx context.Context, by audit.Actor, id string, claims map[string]any) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	if err := CheckClaims(claims); err != nil {
		return User{}, err
	}
	return d.change(ctx, by, id, audit.UserClaimsEdited, func(_ *db.Tx, _ settings.Settings, u *User) error {
		if u.Claims = claims; claims == nil {
			u.Claims = map[string]any{}
		}
		return nil
	})
}

// change loads a user who is not deleted, lets fn change it, and saves what
// differs with its record and its news. Nothing happens when nothing differs.
func (d *Directory) change(ctx context.Context, by audit.Actor, id string, event audit.Name,
	fn func(*db.Tx, settings.Settings, *User) error) (User, error) {
	var u User
	err := d.db.Write(ctx, func(tx *db.Tx) (err error) {
		if u, err = UserByID(tx, id); err != nil {
			return err
		}
		if !u.DeletedAt.IsZero() {
			return ErrNoUser
		}
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		old := u
		if err := fn(tx, s, &u); err != nil {
			return err
		}
		was, is := differences(account(&old), account(&u))
		if len(was) == 0 && len(is) == 0 {
			return nil
		}
		if Fold(old.Username) != Fold(u.Username) || Fold(old.Email) != Fold(u.Email) {
			if err := clash(tx, &u); err != nil {
				return err
			}
		}
		saveUser(tx, &u)
		if old.Username != u.Username || old.Email != u.Email || old.FirstName != u.FirstName ||
			old.LastName != u.LastName || old.DisplayName != u.DisplayName {
			tx.Do(`DELETE FROM user_words WHERE user_id = $1`, u.ID)
			insertWords(tx, &u)
		}
		audit.Record(tx, by, audit.Event{Name: event, Object: object(&u), User: u.ID, Before: was, After: is})
		jobs.Publish(tx, "user.changed", u.ID)
		return nil
	})
	if err != nil {
		return User{}, Explain(err)
	}
	return u, nil
}
