package directory

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
)

// What the directory answers about a user who is not there or may not come in.
var (
	ErrNoUser   = fault.New(fault.NotFound, "user_not_found")
	ErrDisabled = fault.New(fault.Forbidden, "user_disabled")
	ErrExpired  = fault.New(fault.Forbidden, "user_expired")
)

// The kinds of accounts.
const (
	kindPerson  = "person"
	kindService = "service"
)

// A User is one account.
type User struct {
	ID string
	// Kind is "person" or "service"; services never sign in.
	Kind          string
	Username      string
	Email         string
	EmailVerified bool
	FirstName     string
	LastName      string
	DisplayName   string
	Admin         bool
	Locale        string
	Theme         string
	// Dates is how dates and times are written for u: "iso", or "" for the way of the language.
	Dates  string
	Claims map[string]any
	// claimTexts is how a program wrote some of the claims: see ClaimTexts.
	claimTexts string
	Standard   Standard
	PictureID  string
	// LDAPID is set when another directory owns the profile.
	LDAPID string
	// OwnerID is the person who answers for a service account, and Description says what it
	// is for.
	OwnerID     string
	Description string
	// CreatedAt and the other times are UTC; the zero time means never.
	CreatedAt    time.Time
	UpdatedAt    time.Time
	LastSignInAt time.Time
	// ValidFrom ends what is older: sessions and grants from this instant or
	// before are dead, whatever their own rows say.
	ValidFrom  time.Time
	DisabledAt time.Time
	// DeletedAt marks a tombstone: the row stays so that nobody inherits the
	// name or the address, but the account is gone.
	DeletedAt time.Time
	// ExpiresAt is from when on u is refused like somebody who is disabled.
	ExpiresAt time.Time
}

// Service reports whether u is a service account: it has keys and never signs in.
func (u *User) Service() bool { return u.Kind == kindService }

// Active says why u may not come in at the instant now, or nil when it may.
func (u *User) Active(now time.Time) error {
	switch {
	case u.ID == "" || !u.DeletedAt.IsZero():
		return ErrNoUser
	case !u.DisabledAt.IsZero():
		return ErrDisabled
	case u.expired(now):
		return ErrExpired
	}
	return nil
}

func (u *User) expired(now time.Time) bool { return !u.ExpiresAt.IsZero() && !now.Before(u.ExpiresAt) }

// Outlived reports whether something of u from the instant at, a session or a
// grant, has been ended by ValidFrom. What was made in that very instant has.
func (u *User) Outlived(at time.Time) bool {
	return !u.ValidFrom.IsZero() && !at.After(u.ValidFrom)
}

// Name is what to call u on a page.
func (u *User) Name() string {
	return cmp.Or(u.DisplayName, strings.TrimSpace(u.FirstName+" "+u.LastName), u.Username)
}

// userColumns and fields are the whole mapping from rows to users and back.
const userColumns = `id, kind, username, username_key, email, email_key, email_verified, first_name, last_name,
	display_name, display_key, admin, locale, theme, dates, claims, standard_claims, picture_id, ldap_id, owner_id,
	expires_at, created_at, updated_at, last_sign_in_at, valid_from, disabled_at, deleted_at, claim_texts, description`

const userColumnCount = 29

func (u *User) fields() []any {
	usernameKey, emailKey, displayKey := Fold(u.Username), Fold(u.Email), Fold(u.Name())
	return []any{&u.ID, &u.Kind, &u.Username, &usernameKey, db.Text(&u.Email), db.Text(&emailKey), &u.EmailVerified,
		&u.FirstName, &u.LastName, &u.DisplayName, &displayKey, &u.Admin, db.Text(&u.Locale), db.Text(&u.Theme), db.Text(&u.Dates),
		db.JSON(&u.Claims), db.JSON(&u.Standard), db.Text(&u.PictureID), db.Text(&u.LDAPID), db.Text(&u.OwnerID),
		db.Time(&u.ExpiresAt), db.Time(&u.CreatedAt), db.Time(&u.UpdatedAt), db.Time(&u.LastSignInAt),
		db.Time(&u.ValidFrom), db.Time(&u.DisabledAt), db.Time(&u.DeletedAt), db.Text(&u.claimTexts), db.Text(&u.Description)}
}

// UserByID reads the user with this id, whatever their state, or ErrNoUser.
func UserByID(tx *db.Tx, id string) (User, error) {
	var u User
	err := tx.One(u.fields(), `SELECT `+userColumns+` FROM users WHERE id = $1`, id)
	if errors.Is(err, db.ErrNotFound) {
		return User{}, ErrNoUser
	}
	return u, err
}

// UserByName reads the user with this username or, when nobody has it, with
// this e-mail address. Case does not matter. The deleted are not found.
func UserByName(tx *db.Tx, name string) (User, error) {
	var u User
	err := tx.One(u.fields(), `SELECT `+userColumns+` FROM users
		WHERE (username_key = $1 OR email_key = $1) AND deleted_at IS NULL
		ORDER BY CASE WHEN username_key = $1 THEN 0 ELSE 1 END LIMIT 1`, Fold(strings.TrimSpace(name)))
	if errors.Is(err, db.ErrNotFound) {
		return User{}, ErrNoUser
	}
	return u, err
}

// AnyUser reports whether there has ever been an account.
func AnyUser(tx *db.Tx) (bool, error) {
	var exists bool
	err := tx.One([]any{&exists}, `SELECT EXISTS (SELECT 1 FROM users)`)
	return exists, err
}

// TouchSignIn notes that the user with this id signs in now and returns them.
// Whoever may not come in is refused and nothing is noted.
func TouchSignIn(tx *db.Tx, id string) (User, error) {
	var u User
	err := tx.One(u.fields(), `UPDATE users SET last_sign_in_at = $2
		WHERE id = $1 AND kind = 'person' AND disabled_at IS NULL AND deleted_at IS NULL
			AND (expires_at IS NULL OR expires_at > $2)
		RETURNING `+userColumns, id, tx.Now().UnixMicro())
	if !errors.Is(err, db.ErrNotFound) {
		return u, err
	}
	if u, err = UserByID(tx, id); err != nil {
		return User{}, err
	}
	return User{}, cmp.Or(u.Active(tx.Now()), error(ErrNoUser))
}

// GainPasskey notes that the user with this id has one more passkey. The list of people
// asks for it; the passkeys themselves are not ours.
func GainPasskey(tx *db.Tx, id string) {
	tx.Do(`UPDATE users SET passkeys = passkeys + 1 WHERE id = $1`, id)
}

// LosePasskey notes that the user with this id has one passkey less.
func LosePasskey(tx *db.Tx, id string) {
	tx.Do(`UPDATE users SET passkeys = passkeys - 1 WHERE id = $1 AND passkeys > 0`, id)
}

// Invalidate ends everything that the user with this id has open: sessions and
// grants up to now are dead from here on, and those who keep them hear
// "user.changed".
func Invalidate(tx *db.Tx, id string) {
	tx.Do(`UPDATE users SET valid_from = $2, updated_at = $2 WHERE id = $1`, id, tx.Now().UnixMicro())
	jobs.Publish(tx, "user.changed", id)
}

func insertUser(tx *db.Tx, u *User) {
	tx.Do(`INSERT INTO users (`+userColumns+`) VALUES (`+db.Marks(userColumnCount)+`)`, u.fields()...)
	insertWords(tx, u)
}

func saveUser(tx *db.Tx, u *User) {
	u.UpdatedAt = tx.Now()
	tx.Do(`UPDATE users SET (`+userColumns+`) = (`+db.Marks(userColumnCount)+`) WHERE id = $1`, u.fields()...)
}
