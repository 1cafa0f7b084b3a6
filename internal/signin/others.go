package signin

import (
	"context"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// What administrators do about the passkeys and sessions of other people. All of it is
// found by its id and its owner together, so that an id of somebody else finds nothing.

// someone reads the account that a verb is about, which may be disabled.
func someone(tx *db.Tx, userID string) (directory.User, error) {
	u, err := directory.UserByID(tx, userID)
	if err == nil && !u.DeletedAt.IsZero() {
		return directory.User{}, directory.ErrNoUser
	}
	return u, err
}

// PasskeysOf lists somebody's passkeys for an administrator, the oldest first.
func (s *SignIn) PasskeysOf(ctx context.Context, by audit.Actor, userID string) ([]Passkey, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var list []Passkey
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		u, err := someone(tx, userID)
		if err != nil {
			return err
		}
		list, err = passkeysOf(tx, u.ID)
		return err
	})
	return list, err
}

// RemovePasskeyOf takes a passkey away from somebody. Who does so from a session has
// to have stepped up for it, as for a passkey of their own. The last one may go too,
// but not one's own: whoever is left without one needs a one-time link. Sessions that
// the passkey opened end, but for the one that asks.
func (s *SignIn) RemovePasskeyOf(ctx context.Context, by audit.Actor, userID, passkeyID string) (Passkey, error) {
	if err := by.MustAdmin(); err != nil {
		return Passkey{}, err
	}
	var p Passkey
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		u, err := someone(tx, userID)
		if err != nil {
			return err
		}
		if by.SessionID != "" || by.KeyID != "" { // a key has not stepped up for anything
			if err := SteppedUp(tx, by.SessionID, PurposePasskeys); err != nil {
				return err
			}
		}
		if p, err = ownPasskey(tx, u.ID, passkeyID); err != nil {
			return err
		}
		if by.UserID == u.ID {
			n, err := countPasskeys(tx, u.ID)
			if err != nil {
				return err
			}
			if n < 2 {
				return ErrLastPasskey
			}
		}
		removePasskey(tx, by, &p)
		_, err = end(tx, by, "passkey_removed", `user_id = $3 AND passkey_id = $4 AND id <> $5`, u.ID, p.ID, by.SessionID)
		return err
	})
	if err != nil {
		return Passkey{}, err
	}
	return p, nil
}

// SessionsOf lists where somebody is signed in for an administrator, the last seen first.
func (s *SignIn) SessionsOf(ctx context.Context, by audit.Actor, userID string) ([]Session, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var list []Session
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		u, err := someone(tx, userID)
		if err != nil {
			return err
		}
		list, err = sessionsOf(tx, &u)
		return err
	})
	return list, err
}

// EndSessionOf ends one of somebody's sessions.
func (s *SignIn) EndSessionOf(ctx context.Context, by audit.Actor, userID, sessionID string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		u, err := someone(tx, userID)
		if err != nil {
			return err
		}
		n, err := end(tx, by, "revoked", `id = $3 AND user_id = $4`, sessionID, u.ID)
		if err == nil && n == 0 {
			return ErrSessionGone
		}
		return err
	})
}

// SignOutEverywhereOf ends everything that somebody has open, here and at
// applications: all sessions and all grants up to now, and a one-time link that nobody
// has used yet, which may be in the hands of whom this is meant to keep out.
func (s *SignIn) SignOutEverywhereOf(ctx context.Context, by audit.Actor, userID string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		u, err := someone(tx, userID)
		if err != nil {
			return err
		}
		tx.Do(`DELETE FROM login_codes WHERE user_id = $1`, u.ID)
		directory.Invalidate(tx, u.ID)
		n, err := end(tx, by, "signed_out_everywhere", `user_id = $3`, u.ID)
		if err != nil {
			return err
		}
		before := map[string]any{}
		if !u.ValidFrom.IsZero() {
			before["valid_from"] = u.ValidFrom
		}
		audit.Record(tx, by, audit.Event{Name: audit.UserSignedOut, Object: userObject(&u), User: u.ID,
			Before: before, After: map[string]any{"valid_from": tx.Now()}, Data: map[string]any{"sessions": n}})
		return nil
	})
}
