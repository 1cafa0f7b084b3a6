package signin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// What is said about the passkeys of an account.
var (
	ErrNoPasskey       = fault.New(fault.NotFound, "passkey_not_found")
	ErrLastPasskey     = fault.New(fault.Conflict, "last_passkey")
	ErrPasskeyExists   = fault.New(fault.Conflict, "passkey_exists")
	ErrTooManyPasskeys = fault.New(fault.Conflict, "too_many_passkeys")
	ErrPasskeyName     = fault.New(fault.Invalid, "passkey_name_malformed").At("name")
)

const (
	// maxPasskeys is how many an account may have: all of them travel in options.
	// An imported account may have more, so lists are read one further.
	maxPasskeys    = 50
	maxPasskeyName = 50
	// usedEvery is how often "last used" is written at most, when nothing else
	// of the passkey changes.
	usedEvery = time.Hour
)

// A Passkey is a key pair of which we know the public half.
type Passkey struct {
	ID     string
	UserID string
	// CredentialID is what authenticators call it. It is one account's only.
	CredentialID []byte
	// PublicKey is a COSE key (RFC 9052 §7).
	PublicKey []byte
	// Algorithm is a COSE algorithm; zero when it was imported and not said.
	Algorithm   int64
	Attestation string
	// AAGUID is the model of the authenticator, as text; empty when unknown.
	AAGUID     string
	Transports []string
	// Attachment is "platform", "cross-platform" or empty when not said.
	Attachment string
	// BackupKnown is false for an imported passkey until it is first used.
	// BackupEligible says that it may be copied between devices and never
	// changes; BackupState that it is copied now.
	BackupKnown    bool
	BackupEligible bool
	BackupState    bool
	SignCount      int64
	// CountFellAt is when SignCount was last found lower than before, a sign of
	// a copy where there should be none.
	CountFellAt time.Time
	Name        string
	CreatedAt   time.Time
	LastUsedAt  time.Time
	// LastUsedOn is how the browser of that use described itself.
	LastUsedOn string
}

// Model is the name of the kind of authenticator or passkey manager that made
// the passkey, or "" when it is not known.
func (p *Passkey) Model() string { return modelName(p.AAGUID) }

const passkeyColumns = `id, user_id, credential_id, public_key, algorithm, attestation, aaguid, transports, attachment,
	backup_known, backup_eligible, backup_state, sign_count, count_fell_at, name, created_at, last_used_at, last_used_on`

const passkeyColumnCount = 18

func (p *Passkey) fields() []any {
	return []any{&p.ID, &p.UserID, &p.CredentialID, &p.PublicKey, &p.Algorithm, &p.Attestation, &p.AAGUID, db.JSON(&p.Transports),
		&p.Attachment, &p.BackupKnown, &p.BackupEligible, &p.BackupState, &p.SignCount, db.Time(&p.CountFellAt), &p.Name,
		db.Time(&p.CreatedAt), db.Time(&p.LastUsedAt), &p.LastUsedOn}
}

func (p *Passkey) object() audit.Object {
	return audit.Object{Kind: "passkey", ID: p.ID, Name: p.Name}
}

func passkeysOf(tx *db.Tx, userID string) ([]Passkey, error) {
	return db.All(tx, (*Passkey).fields, `SELECT `+passkeyColumns+` FROM passkeys WHERE user_id = $1
		ORDER BY created_at NULLS LAST, id LIMIT $2`, userID, maxPasskeys+1)
}

func countPasskeys(tx *db.Tx, userID string) (n int, err error) {
	err = tx.One([]any{&n}, `SELECT count(*) FROM passkeys WHERE user_id = $1`, userID)
	return n, err
}

// HasPasskey says whether a user has a passkey to prove themselves with.
func HasPasskey(tx *db.Tx, userID string) (bool, error) {
	n, err := countPasskeys(tx, userID)
	return n > 0, err
}

// passkeyLimit is how often a known passkey may be answered with wrongly.
var passkeyLimit = Limit{Count: 20, Within: 15 * time.Minute}

func passkeyKey(id string) string { return "passkey:" + id }

// passkeyByCredential reads a passkey by what authenticators call it, with the
// number of wrong answers that were lately given with it.
func passkeyByCredential(tx *db.Tx, credentialID []byte) (p Passkey, wrong int, err error) {
	err = tx.One(append(p.fields(), &wrong), `SELECT `+passkeyColumns+`,
			COALESCE((SELECT count FROM attempts WHERE key = 'passkey:' || passkeys.id AND expires_at > $2), 0)
		FROM passkeys WHERE credential_id = $1`, credentialID, tx.Now().UnixMicro())
	if errors.Is(err, db.ErrNotFound) {
		return Passkey{}, 0, ErrPasskeyUnknown
	}
	return p, wrong, err
}

// use checks the assertion a under the terms of c and notes the use of the
// passkey it was made with. The passkey must belong to the user of c when c
// has one. An error is a refusal, unless the database failed.
func (s *SignIn) use(tx *db.Tx, c ceremony, a assertion, seen Seen) (Passkey, error) {
	p, wrong, err := passkeyByCredential(tx, a.RawID)
	if err != nil {
		return Passkey{}, err
	}
	if wrong >= passkeyLimit.Count {
		return p, ErrTooManyAttempts.After(passkeyLimit.Within)
	}
	handle := string(a.Response.UserHandle)
	switch {
	case c.userID != "" && p.UserID != c.userID:
		return p, ErrProof.Because("the passkey is another user's")
	case handle == "" && c.userID == "": // WebAuthn §7.2 step 6: without allowCredentials it must be there
		return p, ErrProof.Because("the answer has no user handle")
	case handle != "" && handle != p.UserID:
		return p, ErrProof.Because("the user handle is another user's")
	}
	if err := s.check(a, c.terms, &p); err != nil {
		return p, err
	}
	return p, note(tx, &p, a, seen)
}

// note writes what an assertion that was checked says of its passkey: counter,
// backup, last use. It refuses what cannot be said of the same key.
func note(tx *db.Tx, p *Passkey, a assertion, seen Seen) error {
	data := &a.Response.AuthenticatorData
	eligible, state, count := data.Flags.HasBackupEligible(), data.Flags.HasBackupState(), int64(data.Counter)
	if p.BackupKnown && p.BackupEligible != eligible { // WebAuthn §6.1.3: BE never changes
		return ErrProof.Because("backup eligibility changed from %t to %t", p.BackupEligible, eligible)
	}
	changed := !p.BackupKnown || p.BackupState != state || p.SignCount != count
	// WebAuthn §6.1.1: a counter that does not grow means two of one key. Keys
	// that are synced are meant to be several; zero means that there is none.
	if fell := count <= p.SignCount && (count != 0 || p.SignCount != 0); fell {
		p.CountFellAt = tx.Now()
		if !eligible {
			tx.Do(`UPDATE passkeys SET count_fell_at = $2 WHERE id = $1`, p.ID, tx.Now().UnixMicro())
			return ErrProof.Because("the signature counter of a device-bound key went from %d to %d", p.SignCount, count)
		}
		count, changed = p.SignCount, true
	}
	if !changed && tx.Now().Sub(p.LastUsedAt) < usedEvery {
		return nil
	}
	p.BackupKnown, p.BackupEligible, p.BackupState, p.SignCount = true, eligible, state, count
	p.LastUsedAt, p.LastUsedOn = tx.Now(), seen.clipped().UserAgent
	tx.Do(`UPDATE passkeys SET backup_known = $2, backup_eligible = $3, backup_state = $4, sign_count = $5,
		count_fell_at = $6, last_used_at = $7, last_used_on = $8 WHERE id = $1`, p.ID, p.BackupKnown, p.BackupEligible,
		p.BackupState, p.SignCount, db.Time(&p.CountFellAt), db.Time(&p.LastUsedAt), p.LastUsedOn)
	return nil
}

// refuse keeps a refusal: the log has a record of it and the attempt counts
// against the passkey, if one is known. An outage passes through.
func refuse(tx *db.Tx, by audit.Actor, kind string, p *Passkey, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return err
	}
	data := map[string]any{"ceremony": kind, "code": f.Code}
	if f.Cause != nil {
		data["reason"] = f.Cause.Error()
	}
	e := audit.Event{Name: audit.PasskeyRefused, Data: data}
	if p != nil && p.ID != "" {
		e.Object, e.User = p.object(), p.UserID
		if !errors.Is(err, ErrTooManyAttempts) {
			if over := Guess(tx, passkeyKey(p.ID), passkeyLimit); over != nil && !errors.Is(over, ErrTooManyAttempts) {
				return over
			}
		}
	}
	if lost := RecordRefusal(tx, by, e); lost != nil {
		return lost
	}
	return db.Keep(err)
}

// addPasskey stores p as the user's, with a name of its own.
func addPasskey(tx *db.Tx, by audit.Actor, userID string, p Passkey) (Passkey, error) {
	have, err := passkeysOf(tx, userID)
	if err != nil {
		return Passkey{}, err
	}
	if len(have) >= maxPasskeys {
		return Passkey{}, ErrTooManyPasskeys
	}
	var taken bool
	if err := tx.One([]any{&taken}, `SELECT EXISTS (SELECT 1 FROM passkeys WHERE credential_id = $1)`, p.CredentialID); err != nil {
		return Passkey{}, err
	}
	if taken { // WebAuthn §7.1 step 26, whoever has it
		return Passkey{}, ErrPasskeyExists
	}
	p.ID, p.UserID, p.CreatedAt = secret.ID(), userID, tx.Now()
	p.Name = newName(p.Model(), have)
	tx.Do(`INSERT INTO passkeys (`+passkeyColumns+`) VALUES (`+db.Marks(passkeyColumnCount)+`)`, p.fields()...)
	directory.GainPasskey(tx, userID)
	audit.Record(tx, by, audit.Event{Name: audit.PasskeyAdded, Object: p.object(), User: userID,
		Data: map[string]any{"passkeyName": p.Name, "aaguid": p.AAGUID, "algorithm": p.Algorithm, "synced": p.BackupEligible}})
	return p, nil
}

// newName is the model's name, or plainly what it is, with a number when the
// account has one of that name.
func newName(model string, have []Passkey) string {
	base := model
	if base == "" {
		base = "Passkey"
	}
	if r := []rune(base); len(r) > maxPasskeyName-4 {
		base = string(r[:maxPasskeyName-4])
	}
	name := base
	for n := 2; ; n++ {
		free := true
		for _, p := range have {
			free = free && !strings.EqualFold(p.Name, name)
		}
		if free {
			return name
		}
		name = fmt.Sprintf("%s %d", base, n)
	}
}

// Passkeys lists the visitor's own passkeys, the oldest first.
func (s *SignIn) Passkeys(ctx context.Context, v Visitor) ([]Passkey, error) {
	var list []Passkey
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = passkeysOf(tx, v.User.ID)
		return err
	})
	return list, err
}

// mayAdd refuses a visitor who may not add a passkey now. One needs a fresh
// step-up; only somebody who came by a one-time code and has no passkey to
// step up with may add a first one.
func mayAdd(tx *db.Tx, v Visitor) error { return fresh(tx, v, PurposePasskeys) }

// fresh refuses a visitor without a fresh proof for a purpose. Who came by a one-time code
// has none and can have none, and goes on only while the account has no passkey: the code
// then is all the proof that there is.
func fresh(tx *db.Tx, v Visitor, purpose string) error {
	if !v.Session.ByCode() {
		return SteppedUp(tx, v.Session.ID, purpose)
	}
	n, err := countPasskeys(tx, v.User.ID)
	if err != nil {
		return err
	}
	if n > 0 {
		return ErrCodeSession
	}
	return nil
}

// BeginAdd begins to add a passkey to the visitor's account. hint says where it
// should lie, as for BeginSignIn.
func (s *SignIn) BeginAdd(ctx context.Context, v Visitor, browser []byte, hint string) (Ceremony, error) {
	var c Ceremony
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := v.again(tx)
		if err != nil {
			return err
		}
		if err := mayAdd(tx, now); err != nil {
			return err
		}
		set, err := settings.Of(tx)
		if err != nil {
			return err
		}
		have, err := passkeysOf(tx, now.User.ID)
		if err != nil {
			return err
		}
		if len(have) >= maxPasskeys {
			return ErrTooManyPasskeys
		}
		t := newTerms(set).forNew(set)
		of := person{now.User.ID, now.User.Username, now.User.Name()}
		c, err = begin(tx, ceremony{kind: kindAdd, browser: browser, userID: now.User.ID, sessionID: now.Session.ID, terms: t},
			s.creationOptions(t, set.AppName, of, have, hint))
		return err
	})
	return c, err
}

// FinishAdd adds the passkey. The step-up was asked for at the beginning and
// the ceremony is bound to the session that passed it; whoever came by a code
// must still be without a passkey, so that of two only one is the first.
func (s *SignIn) FinishAdd(ctx context.Context, v Visitor, browser []byte, id string, answer []byte, seen Seen) (Passkey, error) {
	made, err := parseCreation(answer)
	if err != nil {
		return Passkey{}, err
	}
	var p Passkey
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := takeOf(tx, kindAdd, id, browser, v)
		if err != nil {
			return err
		}
		now, err := v.again(tx)
		if err != nil {
			return db.Keep(err)
		}
		by := now.actor(ctx)
		if now.Session.ByCode() {
			if err := mayAdd(tx, now); err != nil {
				return refuse(tx, by, kindAdd, nil, err)
			}
		}
		if p, err = s.passkey(made, c.terms); err != nil {
			return refuse(tx, by, kindAdd, nil, err)
		}
		if p, err = addPasskey(tx, by, now.User.ID, p); err != nil {
			return refuse(tx, by, kindAdd, nil, err)
		}
		return nil
	})
	if c, ok := errors.AsType[*db.Conflict](err); ok && c.Column == "passkeys.credential_id" {
		return Passkey{}, ErrPasskeyExists
	}
	if err != nil {
		return Passkey{}, err
	}
	return p, nil
}

// RenamePasskey gives one of the visitor's passkeys another name.
func (s *SignIn) RenamePasskey(ctx context.Context, v Visitor, id, name string) (Passkey, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > maxPasskeyName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return Passkey{}, ErrPasskeyName
	}
	var p Passkey
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if p, err = ownPasskey(tx, v.User.ID, id); err != nil || p.Name == name {
			return err
		}
		old := p.Name
		p.Name = name
		tx.Do(`UPDATE passkeys SET name = $2 WHERE id = $1`, id, name)
		audit.Record(tx, v.actor(ctx), audit.Event{Name: audit.PasskeyRenamed, Object: p.object(), User: v.User.ID,
			Before: map[string]any{"name": old}, After: map[string]any{"name": name}})
		return nil
	})
	return p, err
}

func ownPasskey(tx *db.Tx, userID, id string) (Passkey, error) {
	var p Passkey
	err := tx.One(p.fields(), `SELECT `+passkeyColumns+` FROM passkeys WHERE id = $1 AND user_id = $2`, id, userID)
	if errors.Is(err, db.ErrNotFound) {
		return Passkey{}, ErrNoPasskey
	}
	return p, err
}

// RemovePasskey takes one of the visitor's passkeys away, after a fresh
// step-up and never the last one. Sessions that it opened end, but for the one
// that asks, which has just proved itself.
func (s *SignIn) RemovePasskey(ctx context.Context, v Visitor, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := v.again(tx)
		if err != nil {
			return err
		}
		if now.Session.ByCode() {
			return ErrCodeSession
		}
		if err := SteppedUp(tx, now.Session.ID, PurposePasskeys); err != nil {
			return err
		}
		p, err := ownPasskey(tx, now.User.ID, id)
		if err != nil {
			return err
		}
		n, err := countPasskeys(tx, now.User.ID)
		if err != nil {
			return err
		}
		if n < 2 {
			return ErrLastPasskey
		}
		by := now.actor(ctx)
		removePasskey(tx, by, &p)
		_, err = end(tx, by, "passkey_removed", `user_id = $3 AND passkey_id = $4 AND id <> $5`, now.User.ID, id, now.Session.ID)
		return err
	})
}

func removePasskey(tx *db.Tx, by audit.Actor, p *Passkey) {
	tx.Do(`DELETE FROM passkeys WHERE id = $1`, p.ID)
	directory.LosePasskey(tx, p.UserID)
	audit.Record(tx, by, audit.Event{Name: audit.PasskeyRemoved, Object: p.object(), User: p.UserID,
		Before: map[string]any{"name": p.Name, "created_at": p.CreatedAt, "synced": p.BackupEligible},
		Data:   map[string]any{"passkeyName": p.Name}})
}

// userPurged forgets what is kept here about a user whose account is gone.
func (s *SignIn) userPurged(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		u, err := directory.UserByID(tx, id)
		if err == nil && u.DeletedAt.IsZero() {
			return nil
		}
		if err != nil && !errors.Is(err, directory.ErrNoUser) {
			return err
		}
		tx.Do(`DELETE FROM passkeys WHERE user_id = $1`, id)
		tx.Do(`DELETE FROM login_codes WHERE user_id = $1`, id)
		tx.Do(`DELETE FROM sessions WHERE user_id = $1`, id)
		tx.Do(`DELETE FROM api_keys WHERE user_id = $1`, id)
		return nil
	})
}
