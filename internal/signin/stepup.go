package signin

import (
	"context"
	"errors"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// What is said about steps up.
var (
	// ErrStepUp asks for a fresh proof before something that must not be done
	// with a session alone.
	ErrStepUp = fault.New(fault.Unauthenticated, "step_up_required")
	// ErrCodeSession refuses a session that a one-time code opened: it has to
	// sign in with a passkey first.
	ErrCodeSession = fault.New(fault.Forbidden, "code_session")
	// ErrPurpose refuses a purpose that there is not.
	ErrPurpose = fault.New(fault.Invalid, "step_up_purpose_unknown")
)

// The purposes of a step-up. One for one of them is none for another.
const (
	// PurposePasskeys is adding and removing passkeys.
	PurposePasskeys = "passkeys"
	// PurposeAuthorize is signing in anew to an application that asks for it.
	PurposeAuthorize = "authorize"
	// PurposeDelete is deleting one's own account.
	PurposeDelete = "delete"
	// PurposeKeys is making and renewing API keys.
	PurposeKeys = "keys"
)

// stepUpLife is how long a step-up counts.
const stepUpLife = 3 * time.Minute

// SteppedUp refuses with ErrStepUp unless the session has a step-up for this
// purpose that still counts.
func SteppedUp(tx *db.Tx, sessionID, purpose string) error {
	var expires time.Time
	err := tx.One([]any{db.Time(&expires)}, `SELECT expires_at FROM step_ups WHERE session_id = $1 AND purpose = $2`, sessionID, purpose)
	if errors.Is(err, db.ErrNotFound) || err == nil && !tx.Now().Before(expires) {
		return ErrStepUp
	}
	return err
}

// NeedsStepUp reports whether the visitor has to step up for this purpose
// before going on. A visitor who came by a code and can never do so hears
// ErrCodeSession.
func (s *SignIn) NeedsStepUp(ctx context.Context, v Visitor, purpose string) (bool, error) {
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		switch {
		case purpose == PurposePasskeys || purpose == PurposeKeys:
			return fresh(tx, v, purpose)
		case v.Session.ByCode():
			return ErrCodeSession
		}
		return SteppedUp(tx, v.Session.ID, purpose)
	})
	if errors.Is(err, ErrStepUp) {
		return true, nil
	}
	return false, err
}

// BeginStepUp begins a fresh proof by one of the visitor's own passkeys. hint is
// that of BeginSignIn.
func (s *SignIn) BeginStepUp(ctx context.Context, v Visitor, browser []byte, purpose, hint string) (Ceremony, error) {
	if purpose != PurposePasskeys && purpose != PurposeAuthorize && purpose != PurposeDelete && purpose != PurposeKeys {
		return Ceremony{}, ErrPurpose
	}
	var c Ceremony
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := v.again(tx)
		if err != nil {
			return err
		}
		if now.Session.ByCode() {
			return ErrCodeSession
		}
		set, err := settings.Of(tx)
		if err != nil {
			return err
		}
		have, err := passkeysOf(tx, now.User.ID)
		if err != nil {
			return err
		}
		if len(have) == 0 { // an empty list would ask for any passkey
			return ErrNoPasskey
		}
		t := newTerms(set)
		c, err = begin(tx, ceremony{kind: kindStepUp, browser: browser, userID: now.User.ID, sessionID: now.Session.ID,
			purpose: purpose, terms: t}, s.requestOptions(t, have, hint))
		return err
	})
	return c, err
}

// FinishStepUp notes the step-up and gives the session a new handle; the old
// one is dead. For PurposeAuthorize the session counts as signed in now.
func (s *SignIn) FinishStepUp(ctx context.Context, v Visitor, browser []byte, id string, answer []byte) (Login, error) {
	a, err := parseAssertion(answer)
	if err != nil {
		return Login{}, err
	}
	var l Login
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := takeOf(tx, kindStepUp, id, browser, v)
		if err != nil {
			return err
		}
		now, err := v.again(tx)
		if err != nil {
			return db.Keep(err)
		}
		by, seen := now.actor(ctx), Seen{v.Session.Address, v.Session.UserAgent}
		if now.Session.ByCode() {
			return refuse(tx, by, kindStepUp, nil, ErrCodeSession)
		}
		p, err := s.use(tx, c, a, seen)
		if err != nil {
			return refuse(tx, by, kindStepUp, &p, err)
		}
		session := &now.Session
		if c.purpose == PurposeAuthorize {
			session.AuthTime = tx.Now()
		}
		session.PasskeyID, session.LastSeenAt = p.ID, tx.Now()
		session.ExpiresAt = sessionEnd(session.CreatedAt, tx.Now(), c.terms.idle())
		handle := secret.Token()
		tx.Do(`UPDATE sessions SET handle = $2, auth_time = $3, passkey_id = $4, last_seen_at = $5, expires_at = $6 WHERE id = $1`,
			session.ID, secret.Hash(handle), db.Time(&session.AuthTime), p.ID, db.Time(&session.LastSeenAt), db.Time(&session.ExpiresAt))
		tx.Do(`INSERT INTO step_ups (session_id, purpose, at, expires_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (session_id, purpose) DO UPDATE SET at = excluded.at, expires_at = excluded.expires_at`,
			session.ID, c.purpose, tx.Now().UnixMicro(), tx.Now().Add(stepUpLife).UnixMicro())
		audit.Record(tx, by, audit.Event{Name: audit.SessionSteppedUp, Object: audit.Object{Kind: "session", ID: session.ID},
			User: now.User.ID, Data: map[string]any{"purpose": c.purpose, "passkey": p.ID}})
		l = Login{Handle: handle, Visitor: now, MaxAge: session.CreatedAt.Add(sessionLife).Sub(tx.Now())}
		return nil
	})
	if err != nil {
		return Login{}, err
	}
	return l, nil
}

// userChanged ends what a user who may not come in any more has open, so that
// those who listen to the ends of sessions hear of it. The sessions are dead
// before that, as Visit finds out by itself.
func (s *SignIn) userChanged(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		u, err := directory.UserByID(tx, id)
		if errors.Is(err, directory.ErrNoUser) {
			return nil
		}
		if err != nil {
			return err
		}
		by := audit.System("job")
		if u.Active(tx.Now()) != nil {
			tx.Do(`DELETE FROM login_codes WHERE user_id = $1`, id)
			_, err = end(tx, by, "user_gone", `user_id = $3`, id)
			return err
		}
		if !u.ValidFrom.IsZero() {
			_, err = end(tx, by, "invalidated", `user_id = $3 AND created_at <= $4`, id, u.ValidFrom.UnixMicro())
		}
		return err
	})
}
