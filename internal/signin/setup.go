package signin

import (
	"context"
	"strconv"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// What is said about set-up.
var (
	// ErrSetupDone says that set-up was done; it cannot be done again.
	ErrSetupDone = fault.New(fault.Conflict, "setup_already_completed")
	// ErrSetupClosed says that nobody has set the house up in time.
	ErrSetupClosed = fault.New(fault.Forbidden, "setup_closed")
	// ErrSetupByPasskey refuses to make the first account without a passkey to a program that
	// shows no token of the operator.
	ErrSetupByPasskey = fault.New(fault.Forbidden, "setup_by_passkey")
	// ErrSetupToken refuses a set-up without the token that the operator chose.
	ErrSetupToken = fault.New(fault.Forbidden, "setup_token_wrong").At("token")
)

var (
	networkTokenLimit = Limit{Count: 10, Within: 15 * time.Minute}
	allTokenLimit     = Limit{Count: 100, Within: 15 * time.Minute}
)

// A SetupState says whether the house can be set up now.
type SetupState struct {
	// Open says that BeginSetup would begin.
	Open bool
	// Done says that it never will again.
	Done bool
	// NeedsToken says that SETUP_TOKEN will be asked for.
	NeedsToken bool
	// Until is when it closes, or closed; zero when it was never opened.
	Until time.Time
}

// A Profile is what set-up asks of the first administrator.
type Profile struct {
	Username    string `json:"username,omitempty"`
	Email       string `json:"email,omitempty"`
	FirstName   string `json:"firstName,omitempty"`
	LastName    string `json:"lastName,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	Locale      string `json:"locale,omitempty"`
}

func (p Profile) newUser(id string) directory.NewUser {
	return directory.NewUser{ID: id, Username: p.Username, Email: p.Email, FirstName: p.FirstName, LastName: p.LastName,
		DisplayName: p.DisplayName, Locale: p.Locale, Admin: true}
}

// SetupURL is the page on which the house is set up.
func (s *SignIn) SetupURL() string { return s.publicURL + "/setup" }

// setupState reads what the facts say. That it was done is a fact of its own
// and not the number of users, so it stays done when they go; and a house
// with users, an imported one, has nothing to set up.
func (s *SignIn) setupState(tx *db.Tx) (SetupState, error) {
	closed, err := settings.Fact(tx, settings.SetupClosed)
	if err != nil {
		return SetupState{}, err
	}
	if closed != "" {
		return SetupState{Done: true}, nil
	}
	inhabited, err := directory.AnyUser(tx)
	if err != nil {
		return SetupState{}, err
	}
	if inhabited {
		return SetupState{Done: true}, nil
	}
	st := SetupState{NeedsToken: s.setupToken != ""}
	until, err := settings.Fact(tx, settings.SetupOpenUntil)
	if err != nil {
		return SetupState{}, err
	}
	if micro, err := strconv.ParseInt(until, 10, 64); err == nil {
		st.Until = time.UnixMicro(micro).UTC()
		st.Open = tx.Now().Before(st.Until)
	}
	return st, nil
}

// SetupOpen says whether the house can be set up now.
func (s *SignIn) SetupOpen(ctx context.Context) (SetupState, error) {
	var st SetupState
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		st, err = s.setupState(tx)
		return err
	})
	return st, err
}

// OpenSetup opens set-up for a while, as each start does and the command that
// asks for it. It says until when, or ErrSetupDone.
func (s *SignIn) OpenSetup(ctx context.Context, by audit.Actor) (SetupState, error) {
	if err := by.MustAdmin(); err != nil {
		return SetupState{}, err
	}
	var st SetupState
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if st, err = s.setupState(tx); err != nil {
			return err
		}
		if st.Done {
			return ErrSetupDone
		}
		st.Open, st.Until = true, tx.Now().Add(s.setupOpenFor)
		settings.SetFact(tx, settings.SetupOpenUntil, strconv.FormatInt(st.Until.UnixMicro(), 10))
		audit.Record(tx, by, audit.Event{Name: audit.SetupOpened, Data: map[string]any{"until": st.Until}})
		return nil
	})
	return st, err
}

// BeginSetup begins to make the first administrator and their passkey. Nothing
// of them exists before FinishSetup.
func (s *SignIn) BeginSetup(ctx context.Context, browser []byte, token string, p Profile) (Ceremony, error) {
	var c Ceremony
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		switch st, err := s.setupState(tx); {
		case err != nil:
			return err
		case st.Done:
			return ErrSetupDone
		case !st.Open:
			return ErrSetupClosed
		}
		if err := s.checkSetupToken(tx, nobody(ctx, Seen{}), token); err != nil {
			return err
		}
		set, err := settings.Of(tx)
		if err != nil {
			return err
		}
		n := p.newUser(secret.ID())
		u, err := n.Check(set)
		if err != nil {
			return err
		}
		t := newTerms(set).forNew(set)
		c, err = begin(tx, ceremony{kind: kindSetup, browser: browser, userID: n.ID, terms: t, profile: p},
			s.creationOptions(t, set.AppName, person{n.ID, u.Username, u.Name()}, nil, ""))
		return err
	})
	return c, err
}

func (s *SignIn) checkSetupToken(tx *db.Tx, by audit.Actor, token string) error {
	if s.setupToken == "" {
		return nil
	}
	net := "setup:net:" + Network(by.Address)
	if err := Guess(tx, net, networkTokenLimit); err != nil {
		return db.Keep(err)
	}
	if err := Guess(tx, "setup", allTokenLimit); err != nil {
		return db.Keep(err)
	}
	if !secret.Equal(secret.Hash(token), secret.Hash(s.setupToken)) {
		audit.Record(tx, by, audit.Event{Name: audit.SetupRefused, Data: map[string]any{"code": ErrSetupToken.Code}})
		return db.Keep(ErrSetupToken)
	}
	forgive(tx, net)
	forgive(tx, "setup")
	return nil
}

// FinishSetup makes the first administrator, their passkey and their session,
// and closes set-up for good, in one commit. Of any number who finish at once
// one is first, because the fact that closes it is read and written in a
// serializable transaction.
func (s *SignIn) FinishSetup(ctx context.Context, browser []byte, seen Seen, id string, answer []byte) (Login, error) {
	made, err := parseCreation(answer)
	if err != nil {
		return Login{}, err
	}
	var l Login
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := take(tx, kindSetup, id, browser)
		if err != nil {
			return err
		}
		by := nobody(ctx, seen)
		st, err := s.setupState(tx) // it was open at the beginning, which is all that is asked
		if err != nil {
			return err
		}
		if st.Done {
			return refuse(tx, by, kindSetup, nil, ErrSetupDone)
		}
		p, err := s.passkey(made, c.terms)
		if err != nil {
			return refuse(tx, by, kindSetup, nil, err)
		}
		settings.SetFact(tx, settings.SetupClosed, c.userID)
		by.UserID, by.Name = c.userID, c.profile.Username
		u, err := directory.AddUser(tx, by, c.profile.newUser(c.userID))
		if err != nil {
			return err
		}
		if u, err = directory.TouchSignIn(tx, u.ID); err != nil {
			return err
		}
		by = actor(ctx, &u, "", seen)
		if p, err = addPasskey(tx, by, u.ID, p); err != nil {
			return err
		}
		if l, err = open(tx, by, u, proof{amr: amrPasskey, acr: acrPasskey, passkeyID: p.ID, idle: c.terms.idle(), seen: seen}); err != nil {
			return err
		}
		by.SessionID = l.Visitor.Session.ID
		audit.Record(tx, by, audit.Event{Name: audit.SignIn, Object: userObject(&u), User: u.ID,
			Data: map[string]any{"passkey": p.ID, "passkeyName": p.Name, "session": l.Visitor.Session.ID}})
		return nil
	})
	if err != nil {
		return Login{}, directory.Explain(err)
	}
	return l, nil
}
