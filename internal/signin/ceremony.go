package signin

import (
	"encoding/json"
	"errors"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// What is said about ceremonies as rows.
var (
	// ErrCeremony refuses an answer to a ceremony that is not open: used, run
	// out, begun elsewhere, or never begun. Which of them nobody is told.
	ErrCeremony = fault.New(fault.Invalid, "invalid_webauthn_session")
	// ErrNoBrowser refuses to begin for a browser that keeps no cookie, because
	// a ceremony is bound to one.
	ErrNoBrowser = fault.New(fault.Precondition, "browser_cookie_missing")
)

// ceremonyLife is how long a ceremony can be finished (WebAuthn §13.4.3; the
// upper end of what §15.1 recommends, so that nobody is hurried).
const ceremonyLife = 5 * time.Minute

// A Ceremony is the first half of a proof.
type Ceremony struct {
	// ID goes to Finish with the answer.
	ID string `json:"id"`
	// Options are what PublicKeyCredential.parseRequestOptionsFromJSON or
	// parseCreationOptionsFromJSON takes: the value of publicKey.
	Options json.RawMessage `json:"options"`
	// ExpiresIn is how many seconds there are to finish.
	ExpiresIn int `json:"expiresIn"`
}

// The kinds of ceremonies. An answer to one is no answer to another.
const (
	kindSignIn = "sign-in"
	kindSetup  = "setup"
	kindAdd    = "add"
	kindStepUp = "step-up"
)

// ceremony is the row between the halves. What counts at the end is what it
// says, never what the request says.
type ceremony struct {
	// id is the hash of the ID that the browser got.
	id        []byte
	kind      string
	browser   []byte
	userID    string
	sessionID string
	purpose   string
	terms     terms
	profile   Profile
	createdAt time.Time
	expiresAt time.Time
}

// terms are the challenge and the rules that were in force at the beginning.
type terms struct {
	Challenge        string `json:"challenge"`
	UserVerification string `json:"userVerification"`
	Attachment       string `json:"attachment,omitempty"`
	DeviceBoundOnly  bool   `json:"deviceBoundOnly,omitempty"`
	// Denied are AAGUIDs of which no new passkey is accepted.
	Denied []string `json:"denied,omitempty"`
	// Related are origins that count beside those of the house.
	Related     []string `json:"related,omitempty"`
	IdleMinutes int      `json:"idleMinutes"`
}

func (t terms) idle() time.Duration { return time.Duration(t.IdleMinutes) * time.Minute }

const ceremonyColumns = `id, kind, browser, user_id, session_id, purpose, data, profile, created_at, expires_at`

const ceremonyColumnCount = 10

func (c *ceremony) fields() []any {
	return []any{&c.id, &c.kind, &c.browser, db.Text(&c.userID), db.Text(&c.sessionID), &c.purpose, db.JSON(&c.terms),
		db.JSON(&c.profile), db.Time(&c.createdAt), db.Time(&c.expiresAt)}
}

// newTerms are the terms of a ceremony that begins under the settings s.
func newTerms(s settings.Settings) terms {
	t := terms{Challenge: secret.Token(), UserVerification: "required", DeviceBoundOnly: !s.WebauthnAllowSyncedPasskeys,
		Related: s.RelatedOrigins, IdleMinutes: max(int(s.SessionDuration), 1)}
	if s.WebauthnUserVerification == "preferred" {
		t.UserVerification = "preferred"
	}
	if a := s.WebauthnAuthenticatorAttachment; a == "platform" || a == "cross-platform" {
		t.Attachment = a
	}
	return t
}

// forNew are the terms t with what counts only for passkeys that are made.
func (t terms) forNew(s settings.Settings) terms {
	t.Denied = s.WebauthnDeniedAAGUIDs
	return t
}

// SettingsChanged lets shorter idle times hold for the sessions that there are: each
// dies when it has not been seen for the new time. Longer ones come with the next visit.
// Codes that administrators made go when administrators may make none. It is a part.
func (s *SignIn) SettingsChanged(tx *db.Tx, before, after settings.Settings) error {
	if idle := newTerms(after).idle(); idle < newTerms(before).idle() {
		tx.Do(`UPDATE sessions SET expires_at = last_seen_at + $1 WHERE ended_at IS NULL AND expires_at > last_seen_at + $1`, idle.Microseconds())
	}
	if before.AdminLoginCodes && !after.AdminLoginCodes {
		tx.Do(`DELETE FROM login_codes WHERE created_by <> ''`)
	}
	return nil
}

// idleLife is how long a session lives without being seen.
func idleLife(tx *db.Tx) (time.Duration, error) {
	s, err := settings.Of(tx)
	return newTerms(s).idle(), err
}

// begin stores c as a ceremony that can be finished from now on.
func begin(tx *db.Tx, c ceremony, options any) (Ceremony, error) {
	if len(c.browser) == 0 {
		return Ceremony{}, ErrNoBrowser
	}
	raw, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, err
	}
	id := secret.Token()
	c.id, c.createdAt, c.expiresAt = secret.Hash(id), tx.Now(), tx.Now().Add(ceremonyLife)
	tx.Do(`INSERT INTO ceremonies (`+ceremonyColumns+`) VALUES (`+db.Marks(ceremonyColumnCount)+`)`, c.fields()...)
	return Ceremony{ID: id, Options: raw, ExpiresIn: int(ceremonyLife.Seconds())}, nil
}

// take ends the ceremony with this id, whatever comes of it, and returns it if
// it is of this kind, was begun by this browser, and has not run out. The row
// is gone before anything is checked, so a replay finds nothing.
func take(tx *db.Tx, kind, id string, browser []byte) (ceremony, error) {
	var c ceremony
	err := tx.One(c.fields(), `DELETE FROM ceremonies WHERE id = $1 RETURNING `+ceremonyColumns, secret.Hash(id))
	if errors.Is(err, db.ErrNotFound) {
		return ceremony{}, ErrCeremony
	}
	if err != nil {
		return ceremony{}, err
	}
	switch {
	case c.kind != kind:
		return ceremony{}, db.Keep(ErrCeremony.Because("a ceremony of kind %s was answered as %s", c.kind, kind))
	case !secret.Equal(c.browser, browser):
		return ceremony{}, db.Keep(ErrCeremony.Because("another browser began this ceremony"))
	case !tx.Now().Before(c.expiresAt):
		return ceremony{}, db.Keep(ErrCeremony.Because("the ceremony ran out at %s", c.expiresAt))
	}
	return c, nil
}

// takeOf is take for a ceremony that a visitor began in this very session.
func takeOf(tx *db.Tx, kind, id string, browser []byte, v Visitor) (ceremony, error) {
	c, err := take(tx, kind, id, browser)
	if err == nil && (c.userID != v.User.ID || c.sessionID != v.Session.ID) {
		err = db.Keep(ErrCeremony.Because("another session began this ceremony"))
	}
	return c, err
}
