package signin

import (
	"cmp"
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

// What is said about one-time codes.
var (
	// ErrCode refuses a code that opens nothing: never made, used, run out, made
	// for another browser. Which of them nobody is told.
	ErrCode = fault.New(fault.Unauthenticated, "token_invalid_or_expired")
	// ErrCodesOff refuses a code to an administrator where the settings leave them to the
	// command line.
	ErrCodesOff = fault.New(fault.Forbidden, "login_codes_off")
	// ErrKeyOwnCode refuses a code for its owner to an API key: a code opens a session, and
	// sessions do what no key may.
	ErrKeyOwnCode = fault.New(fault.Forbidden, "api_key_auth_not_allowed")
	// ErrCodeLife refuses a lifetime out of bounds.
	ErrCodeLife = fault.New(fault.Invalid, "login_code_ttl_out_of_range").At("ttl")
)

const (
	codeLength      = 12 // 60 bits
	codeLife        = time.Hour
	minCodeLife     = time.Second
	maxCodeLife     = 31 * 24 * time.Hour
	codePurpose     = "sign-in"
	maxCodeTyped    = 64
	codeMAC         = "login code"
	allGuesses      = "login-code"
	networkGuesses  = "login-code:net:"
	accountGuesses  = "login-code:user:"
	noCodeForPerson = "person"
)

// How many codes may be tried: by one network, against one account, and in
// all. The last bounds what many networks together can do; against 60 bits it
// is far on the safe side.
var (
	networkCodeLimit = Limit{Count: 10, Within: 15 * time.Minute}
	accountCodeLimit = Limit{Count: 5, Within: 15 * time.Minute}
	allCodeLimit     = Limit{Count: 1000, Within: time.Hour}
)

// codeHash is what of a code is stored.
func (s *SignIn) codeHash(code string) []byte {
	return s.master.MAC(codeMAC, codePurpose+":"+secret.NormalCode(code))
}

// CodeURL is the page on which a code is redeemed.
func (s *SignIn) CodeURL(code string) string { return s.publicURL + "/lc/" + code }

// A LoginLink is a one-time code that has just been made. It is known nowhere
// else, and does not come back.
type LoginLink struct {
	Code      string
	URL       string
	User      directory.User
	ExpiresAt time.Time
}

// MakeLinkFor makes a one-time code for the user with this id. It replaces the
// one they had. A ttl of zero is one hour. Whoever asks from a session has to
// have stepped up as for a passkey, for the link opens the account as one does.
func (s *SignIn) MakeLinkFor(ctx context.Context, by audit.Actor, id string, ttl time.Duration) (LoginLink, error) {
	return s.makeCode(ctx, by, ttl, func(tx *db.Tx) (directory.User, error) {
		if by.SessionID != "" {
			if err := SteppedUp(tx, by.SessionID, PurposePasskeys); err != nil {
				return directory.User{}, err
			}
		}
		if by.KeyID != "" && by.UserID == id {
			return directory.User{}, ErrKeyOwnCode
		}
		return directory.UserByID(tx, id)
	})
}

// RevokeLinkOf takes away a one-time code of somebody that nobody has used yet. That there
// is none is no error.
func (s *SignIn) RevokeLinkOf(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		u, err := someone(tx, id)
		if err != nil {
			return err
		}
		n, err := tx.Exec(`DELETE FROM login_codes WHERE user_id = $1`, u.ID)
		if err == nil && n > 0 {
			audit.Record(tx, by, audit.Event{Name: audit.LoginCodeRevoked, Object: userObject(&u), User: u.ID})
		}
		return err
	})
}

// MakeLoginLink makes a one-time code for the user with this username or
// e-mail address; CodeURL makes a link of it. It replaces the one they had. A
// ttl of zero is one hour.
func (s *SignIn) MakeLoginLink(ctx context.Context, by audit.Actor, name string, ttl time.Duration) (string, directory.User, error) {
	l, err := s.makeCode(ctx, by, ttl, func(tx *db.Tx) (directory.User, error) { return directory.UserByName(tx, name) })
	return l.Code, l.User, err
}

// MakeRecoveryLink is MakeLoginLink for somebody whose passkeys are lost: it
// takes all of them away and ends what the account has open, so that whoever
// holds the link adds a first passkey anew.
func (s *SignIn) MakeRecoveryLink(ctx context.Context, by audit.Actor, name string, ttl time.Duration) (string, directory.User, error) {
	l, err := s.makeCode(ctx, by, ttl, func(tx *db.Tx) (directory.User, error) {
		u, err := directory.UserByName(tx, name)
		if err != nil || codeFor(tx, &u) != nil {
			return u, err
		}
		have, err := passkeysOf(tx, u.ID)
		if err != nil {
			return u, err
		}
		for i := range have {
			removePasskey(tx, by, &have[i])
		}
		directory.Invalidate(tx, u.ID)
		_, err = end(tx, by, "recovery", `user_id = $3`, u.ID)
		return u, err
	})
	return l.Code, l.User, err
}

// codeFor says why u may have no code, or nil.
func codeFor(tx *db.Tx, u *directory.User) error {
	if err := u.Active(tx.Now()); err != nil {
		return err
	}
	if u.Kind != noCodeForPerson {
		return directory.ErrNoUser
	}
	return nil
}

func (s *SignIn) makeCode(ctx context.Context, by audit.Actor, ttl time.Duration, find func(*db.Tx) (directory.User, error)) (LoginLink, error) {
	if err := by.MustAdmin(); err != nil {
		return LoginLink{}, err
	}
	if err := by.MustBeWhole(); err != nil { // whoever holds the link is that account
		return LoginLink{}, err
	}
	if ttl == 0 {
		ttl = codeLife
	}
	if ttl < minCodeLife || ttl > maxCodeLife {
		return LoginLink{}, ErrCodeLife
	}
	var l LoginLink
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		if by.UserID != "" {
			if held, err := settings.Of(tx); err != nil || !held.AdminLoginCodes {
				return cmp.Or(err, error(ErrCodesOff))
			}
		}
		u, err := find(tx)
		if err != nil {
			return err
		}
		if err := codeFor(tx, &u); err != nil {
			return err
		}
		code, expires := secret.Code(codeLength), tx.Now().Add(ttl)
		l = LoginLink{Code: code, URL: s.CodeURL(code), User: u, ExpiresAt: expires}
		tx.Do(`DELETE FROM login_codes WHERE user_id = $1 AND purpose = $2`, u.ID, codePurpose)
		tx.Do(`INSERT INTO login_codes (hash, user_id, purpose, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			s.codeHash(code), u.ID, codePurpose, by.UserID, tx.Now().UnixMicro(), expires.UnixMicro())
		audit.Record(tx, by, audit.Event{Name: audit.LoginCodeMade, Object: userObject(&u), User: u.ID,
			Data: map[string]any{"expires_at": expires}})
		return nil
	})
	if err != nil {
		return LoginLink{}, err
	}
	return l, nil
}

// RedeemLogin signs in whom the code was made for. The code is gone with it.
// Every try counts against the network and in all, and what does not open the
// door although the code was right counts against the account.
func (s *SignIn) RedeemLogin(ctx context.Context, browser []byte, seen Seen, code, old string) (Login, error) {
	var l Login
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		by, net := nobody(ctx, seen), networkGuesses+Network(seen.Address)
		if err := Guess(tx, net, networkCodeLimit); err != nil {
			return db.Keep(err)
		}
		if err := Guess(tx, allGuesses, allCodeLimit); err != nil {
			return db.Keep(err)
		}
		userID, err := s.takeCode(tx, browser, code)
		if err != nil {
			return refuseCode(tx, by, "", err)
		}
		if err := Blocked(tx, accountGuesses+userID, accountCodeLimit); err != nil {
			return refuseCode(tx, by, userID, err)
		}
		u, err := directory.TouchSignIn(tx, userID)
		if err != nil {
			return refuseCode(tx, by, userID, err)
		}
		idle, err := idleLife(tx)
		if err != nil {
			return err
		}
		by = actor(ctx, &u, "", seen)
		if l, err = open(tx, by, u, proof{amr: amrCode, acr: acrCode, idle: idle, seen: seen, old: old}); err != nil {
			return err
		}
		by.SessionID = l.Visitor.Session.ID
		forgive(tx, net)
		forgive(tx, allGuesses)
		audit.Record(tx, by, audit.Event{Name: audit.TokenSignIn, Object: userObject(&u), User: u.ID,
			Data: map[string]any{"session": l.Visitor.Session.ID}})
		return nil
	})
	if err != nil {
		return Login{}, err
	}
	return l, nil
}

// takeCode uses a code up and returns whose it was.
func (s *SignIn) takeCode(tx *db.Tx, browser []byte, code string) (userID string, err error) {
	if len(code) > maxCodeTyped {
		return "", ErrCode
	}
	var bound []byte
	var expires time.Time
	err = tx.One([]any{&userID, &bound, db.Time(&expires)}, `DELETE FROM login_codes WHERE hash = $1 AND purpose = $2
		RETURNING user_id, browser, expires_at`, s.codeHash(code), codePurpose)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return "", ErrCode
	case err != nil:
		return "", err
	case !tx.Now().Before(expires):
		return "", ErrCode.Because("the code ran out at %s", expires)
	case len(bound) > 0 && !secret.Equal(bound, browser):
		return "", ErrCode.Because("the code was made for another browser")
	}
	return userID, nil
}

// refuseCode keeps the refusal of a code.
func refuseCode(tx *db.Tx, by audit.Actor, userID string, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind == fault.Unavailable {
		return err
	}
	if userID != "" && !errors.Is(err, ErrTooManyAttempts) {
		if over := Guess(tx, accountGuesses+userID, accountCodeLimit); over != nil && !errors.Is(over, ErrTooManyAttempts) {
			return over
		}
	}
	if lost := RecordRefusal(tx, by, audit.Event{Name: audit.LoginCodeRefused, User: userID, Data: map[string]any{"code": f.Code}}); lost != nil {
		return lost
	}
	return db.Keep(err)
}
