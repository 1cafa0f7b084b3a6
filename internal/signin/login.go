package signin

import (
	"context"
	"errors"

	"github.com/go-webauthn/webauthn/protocol"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

// BeginSignIn begins a sign-in by any passkey of this house. It asks for no
// name, so it cannot tell who has an account. browser is the hash of the
// browser's cookie; hint says which authenticator the page expects,
// "client-device", "security-key" or "hybrid", or nothing.
func (s *SignIn) BeginSignIn(ctx context.Context, browser []byte, hint string) (Ceremony, error) {
	var c Ceremony
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		set, err := settings.Of(tx)
		if err != nil {
			return err
		}
		t := newTerms(set)
		c, err = begin(tx, ceremony{kind: kindSignIn, browser: browser, terms: t}, s.requestOptions(t, nil, hint))
		return err
	})
	return c, err
}

// FinishSignIn signs in whom the answer proves. old is the handle that the
// browser holds until now, or ""; afterwards it is dead.
func (s *SignIn) FinishSignIn(ctx context.Context, browser []byte, seen Seen, id string, answer []byte, old string) (Login, error) {
	a, err := parseAssertion(answer)
	if err != nil {
		return Login{}, err
	}
	var l Login
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := take(tx, kindSignIn, id, browser)
		if err != nil {
			return err
		}
		by := nobody(ctx, seen)
		p, err := s.use(tx, c, a, seen)
		if err != nil {
			return refuse(tx, by, kindSignIn, &p, told(a, &p, err))
		}
		u, err := directory.TouchSignIn(tx, p.UserID)
		if errors.Is(err, directory.ErrNoUser) {
			err = ErrPasskeyUnknown.Because("the passkey of a user who is gone")
		}
		if err != nil {
			return refuse(tx, by, kindSignIn, &p, err)
		}
		by = actor(ctx, &u, "", seen)
		l, err = open(tx, by, u, proof{amr: amrPasskey, acr: acrPasskey, passkeyID: p.ID, idle: c.terms.idle(), seen: seen, old: old})
		if err != nil {
			return err
		}
		by.SessionID = l.Visitor.Session.ID
		l.CrossDevice = a.AuthenticatorAttachment == protocol.CrossPlatform
		audit.Record(tx, by, audit.Event{Name: audit.SignIn, Object: userObject(&u), User: u.ID,
			Data: map[string]any{"passkey": p.ID, "passkeyName": p.Name, "session": l.Visitor.Session.ID}})
		return nil
	})
	if err != nil {
		return Login{}, err
	}
	return l, nil
}

// told is what is said of a refusal at sign-in. Until a signature shows that
// somebody holds the passkey, they hear the same of every credential id, known
// here or not: browsers pass the answer on to passkey managers, and whoever
// tries ids must not learn from it which of them exist.
func told(a assertion, p *Passkey, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind == fault.Internal || f.Kind == fault.Unavailable || p.ID == "" || a.signed(p) {
		return err
	}
	return ErrPasskeyUnknown.Because("%w", err)
}
