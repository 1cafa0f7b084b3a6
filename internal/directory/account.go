package directory

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

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
	ErrDatesUnknown    = fault.New(fault.Invalid, "dates_unknown").At("dates")
	ErrManaged         = fault.New(fault.Forbidden, "ldap_user_update")
	ErrExpiryPast      = fault.New(fault.Invalid, "user_expiry_past").At("expires_at")
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
	Disabled      bool
	// ExpiresAt is from when on the account is refused; zero is never.
	ExpiresAt time.Time
	Locale    string
	Claims    map[string]any
	Standard  Standard
	// Groups are the ids of those that the user is in from the start.
	Groups []string
	// service makes it the account of a program, for which owner answers.
	service            bool
	owner, description string
}

// Check returns the account that n asks for, as it would be under the settings
// s, or the first fault of n. What only the rows know, whether a name is
// taken, it does not say.
func (n NewUser) Check(s settings.Settings) (u User, err error) {
	u = User{ID: strings.ToLower(n.ID), Kind: kindPerson, EmailVerified: n.EmailVerified, Admin: n.Admin, Locale: cmp.Or(n.Locale, s.DefaultLocale),
		ExpiresAt: n.ExpiresAt.UTC().Truncate(time.Microsecond), Claims: n.Claims}
	if u.ID != "" && !isUUID(u.ID) {
		return User{}, ErrIDMalformed
	}
	if err := u.name(n.Username, n.Email, n.FirstName, n.LastName, n.DisplayName); err != nil {
		return User{}, err
	}
	if u.DisplayName == "" {
		u.DisplayName = strings.TrimSpace(u.FirstName + " " + u.LastName)
	}
	if n.service {
		u.Kind, u.OwnerID, u.Description = kindService, n.owner, n.description
	}
	if u.Email == "" && s.RequireUserEmail && !n.service {
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
	if u.Standard, err = n.Standard.checked(); err != nil {
		return User{}, err
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

// NewID is an id for an account that is to be made.
func NewID() string { return secret.ID() }

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
	if u.expired(tx.Now()) {
		return User{}, ErrExpiryPast
	}
	if u.ID == "" {
		u.ID = secret.ID()
	} else if _, err := UserByID(tx, u.ID); err == nil {
		return User{}, ErrIDTaken // before the name: a form that is sent twice has both
	} else if !errors.Is(err, ErrNoUser) {
		return User{}, err
	}
	u.CreatedAt, u.UpdatedAt = tx.Now(), tx.Now()
	if n.Disabled {
		u.DisabledAt, u.ValidFrom = tx.Now(), tx.Now()
	}
	if err := clash(tx, &u); err != nil {
		return User{}, err
	}
	insertUser(tx, &u)
	after := account(&u)
	names, err := join(tx, &u, n.Groups)
	if err != nil {
		return User{}, err
	}
	if len(names) > 0 {
		after["groups"] = names
	}
	expireLater(tx, &u)
	event := audit.AccountCreated
	if u.Service() {
		event = audit.ServiceCreated
	}
	audit.Record(tx, by, audit.Event{Name: event, Object: object(&u), User: u.ID, After: after})
	jobs.Publish(tx, "user.changed", u.ID)
	return u, nil
}

// join makes a new user a member of groups and returns the names of these.
func join(tx *db.Tx, u *User, groups []string) (names []string, err error) {
	if len(groups) > maxGroups {
		return nil, ErrNoGroup
	}
	for i, id := range groups {
		if slices.Contains(groups[:i], id) {
			continue
		}
		g, err := GroupByID(tx, id)
		if err != nil {
			return nil, err
		}
		if g.LDAPID != "" {
			return nil, ErrGroupManaged
		}
		tx.Do(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, $3)`, id, u.ID, tx.Now().UnixMicro())
		countMembers(tx, id)
		jobs.Publish(tx, "group.changed", id)
		names = append(names, g.Name)
	}
	return names, nil
}

// expireLater sees to it that everybody hears of the end of u when it comes.
func expireLater(tx *db.Tx, u *User) {
	if !u.ExpiresAt.IsZero() {
		jobs.AddAt(tx, "user.expire", u.ID, u.ExpiresAt)
	}
}

// expire tells whoever keeps something of a user that their time is over. The
// account itself is refused from that instant on, whether this runs or not.
func (d *Directory) expire(ctx context.Context, id string) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		u, err := UserByID(tx, id)
		if errors.Is(err, ErrNoUser) {
			return nil
		}
		if err == nil && errors.Is(u.Active(tx.Now()), ErrExpired) {
			audit.Record(tx, audit.System("job"), audit.Event{Name: audit.UserExpired, Object: object(&u), User: u.ID})
			jobs.Publish(tx, "user.changed", id)
		}
		return err
	})
}

// AddUserAs makes an account as an administrator.
func (d *Directory) AddUserAs(ctx context.Context, by audit.Actor, n NewUser) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	if n.Admin {
		if err := by.MustBeWhole(); err != nil {
			return User{}, err
		}
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

// UsersByID reads users who are not deleted, in the order of ids, for an
// administrator who has picked them. Who is not there is left out.
func (d *Directory) UsersByID(ctx context.Context, by audit.Actor, ids []string) ([]User, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	if len(ids) > MaxUsers {
		return nil, ErrTooManyUsers
	}
	var users []User
	err := d.db.Read(ctx, func(tx *db.Tx) error {
		users = nil
		for i, id := range ids {
			if slices.Contains(ids[:i], id) {
				continue
			}
			u, err := UserByID(tx, id)
			if err != nil && !errors.Is(err, ErrNoUser) {
				return err
			}
			if err == nil && u.DeletedAt.IsZero() {
				users = append(users, u)
			}
		}
		return nil
	})
	return users, err
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
	ExpiresAt     time.Time
	Locale        string
}

// Edit is the edit that leaves u as it is.
func (u *User) Edit() UserEdit {
	return UserEdit{Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, FirstName: u.FirstName,
		LastName: u.LastName, DisplayName: u.DisplayName, Admin: u.Admin, ExpiresAt: u.ExpiresAt, Locale: u.Locale}
}

// EditUser changes an account as an administrator. The last administrator
// stays one.
func (d *Directory) EditUser(ctx context.Context, by audit.Actor, id string, edit UserEdit) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.editUser(ctx, by, id, edit, func(UserEdit) error { return nil })
}

// ReviseUser is EditUser for somebody who saw the account as it was, or ErrStale.
func (d *Directory) ReviseUser(ctx context.Context, by audit.Actor, id string, was, edit UserEdit) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.editUser(ctx, by, id, edit, func(is UserEdit) error {
		same := is.ExpiresAt.Equal(was.ExpiresAt)
		if is.ExpiresAt = was.ExpiresAt; !same || is != was {
			return ErrStale
		}
		return nil
	})
}

func (d *Directory) editUser(ctx context.Context, by audit.Actor, id string, edit UserEdit, check func(is UserEdit) error) (User, error) {
	return d.change(ctx, by, id, audit.UserEdited, func(tx *db.Tx, s settings.Settings, u *User) error {
		if err := mustBePerson(u); err != nil {
			return err
		}
		if u.LDAPID != "" {
			return ErrManaged
		}
		if err := check(u.Edit()); err != nil {
			return err
		}
		return u.edit(tx, s, edit)
	})
}

// edit makes u what edit says, under the settings s.
func (u *User) edit(tx *db.Tx, s settings.Settings, edit UserEdit) error {
	if u.LDAPID != "" {
		return ErrManaged
	}
	if err := u.name(edit.Username, edit.Email, edit.FirstName, edit.LastName, edit.DisplayName); err != nil {
		return err
	}
	if u.Email == "" && s.RequireUserEmail {
		return ErrEmailRequired
	}
	expires := edit.ExpiresAt.UTC().Truncate(time.Microsecond)
	if u.Admin && (!edit.Admin || !expires.IsZero() && u.ExpiresAt.IsZero()) {
		err := mustNotBeLastAdmin(tx, u)
		if errors.Is(err, ErrLastAdmin) && !edit.Admin {
			return ErrLastAdmin.At("admin")
		}
		if errors.Is(err, ErrLastAdmin) {
			return ErrLastAdmin.At("expires_at")
		}
		if err != nil {
			return err
		}
	}
	if err := u.expire(tx, expires); err != nil {
		return err
	}
	u.EmailVerified, u.Admin, u.Locale = edit.EmailVerified && u.Email != "", edit.Admin, edit.Locale
	return checkLocale(u.Locale)
}

// expire says when u ends; the zero time is never.
func (u *User) expire(tx *db.Tx, at time.Time) error {
	at = at.UTC().Truncate(time.Microsecond)
	if at.Equal(u.ExpiresAt) {
		return nil
	}
	if u.expired(tx.Now()) {
		u.ValidFrom = tx.Now() // more time revives nothing
	}
	if u.ExpiresAt = at; u.expired(tx.Now()) {
		return ErrExpiryPast
	}
	expireLater(tx, u)
	return nil
}

// SetClaims replaces what is said about a user beside the standard claims.
func (d *Directory) SetClaims(ctx context.Context, by audit.Actor, id string, claims map[string]any) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.setClaims(ctx, by, id, claims, func(map[string]any) error { return nil })
}

// ReplaceClaims is SetClaims for somebody who saw the claims as they were, or ErrStale.
func (d *Directory) ReplaceClaims(ctx context.Context, by audit.Actor, id string, was, claims map[string]any) (User, error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	return d.setClaims(ctx, by, id, claims, func(is map[string]any) error {
		if len(is)+len(was) > 0 && !reflect.DeepEqual(is, was) {
			return ErrStale
		}
		return nil
	})
}

func (d *Directory) setClaims(ctx context.Context, by audit.Actor, id string, claims map[string]any, check func(is map[string]any) error) (User, error) {
	if err := CheckClaims(claims); err != nil {
		return User{}, err
	}
	return d.change(ctx, by, id, audit.UserClaimsEdited, func(_ *db.Tx, _ settings.Settings, u *User) error {
		if err := check(u.Claims); err != nil {
			return err
		}
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
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		s, err := settings.Of(tx)
		if err != nil {
			return err
		}
		u, err = changeUser(tx, by, id, event, func(u *User) error { return fn(tx, s, u) })
		return err
	})
	if err != nil {
		return User{}, Explain(err)
	}
	return u, nil
}

// changeUser is change in the transaction of its caller.
func changeUser(tx *db.Tx, by audit.Actor, id string, event audit.Name, fn func(*User) error) (User, error) {
	u, err := UserByID(tx, id)
	if err != nil {
		return User{}, err
	}
	if !u.DeletedAt.IsZero() {
		return User{}, ErrNoUser
	}
	old := u
	if err := fn(&u); err != nil {
		return User{}, err
	}
	if (old.Admin || u.Admin) && (by.UserID != u.ID || old.Admin != u.Admin) {
		if err := by.MustBeWhole(); err != nil { // an administrator may do what the key may not
			return User{}, err
		}
	}
	was, is := differences(account(&old), account(&u))
	if len(was) == 0 && len(is) == 0 {
		return u, nil
	}
	if Fold(old.Username) != Fold(u.Username) || Fold(old.Email) != Fold(u.Email) {
		if err := clash(tx, &u); err != nil {
			return User{}, err
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
	return u, nil
}
