package signin

import (
	"context"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// SetUp makes the first administrator for a program, which has no passkey, and closes
// set-up for good. Only the token that the operator chose opens it: whoever shows it could
// as well read the configuration. The session is like one of a one-time code, so it may add
// a first passkey and proves nothing else.
func (s *SignIn) SetUp(ctx context.Context, seen Seen, token string, p Profile) (Login, error) {
	var l Login
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		st, err := s.setupState(tx)
		switch {
		case err != nil:
			return err
		case st.Done:
			return ErrSetupDone
		case !st.Open:
			return ErrSetupClosed
		case !st.NeedsToken:
			return ErrSetupByPasskey
		}
		by := nobody(ctx, seen)
		if err := s.checkSetupToken(tx, by, token); err != nil {
			return err
		}
		idle, err := idleLife(tx)
		if err != nil {
			return err
		}
		id := secret.ID()
		settings.SetFact(tx, settings.SetupClosed, id)
		by.UserID, by.Name = id, p.Username
		u, err := directory.AddUser(tx, by, p.newUser(id))
		if err != nil {
			return err
		}
		if u, err = directory.TouchSignIn(tx, u.ID); err != nil {
			return err
		}
		by = actor(ctx, &u, "", seen)
		if l, err = open(tx, by, u, proof{amr: amrCode, acr: acrCode, idle: idle, seen: seen}); err != nil {
			return err
		}
		by.SessionID = l.Visitor.Session.ID
		audit.Record(tx, by, audit.Event{Name: audit.TokenSignIn, Object: userObject(&u), User: u.ID,
			Data: map[string]any{"session": l.Visitor.Session.ID}})
		return nil
	})
	if err != nil {
		return Login{}, directory.Explain(err)
	}
	return l, nil
}
