package signin

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/settings"
)

// Signals are what a page of an account may tell passkey managers, in the words
// of the signal methods (WebAuthn §5.1.10): all bytes are base64url.
type Signals struct {
	RPID        string
	UserID      string
	Name        string
	DisplayName string
	// Accepted are all credential ids of the account. It is nil when they must
	// not be told: managers hide what is not in the list, so a list that is empty
	// or not whole would hide passkeys that work.
	Accepted []string
}

// Signals returns what may be told of the visitor's account, whose passkeys are
// all, as Passkeys has just listed them.
func (s *SignIn) Signals(v Visitor, all []Passkey) Signals {
	out := Signals{RPID: s.rpID, UserID: base64.RawURLEncoding.EncodeToString([]byte(v.User.ID)),
		Name: v.User.Username, DisplayName: v.User.Name()}
	if len(all) > maxPasskeys { // there may be more than were listed
		return out
	}
	for i := range all {
		out.Accepted = append(out.Accepted, base64.RawURLEncoding.EncodeToString(all[i].CredentialID))
	}
	return out
}

// Outside reports whether the passkey is one that the settings would not accept
// as a new one. It goes on working: rules are for what is made after them, and
// whoever loses their only key with a change of a setting cannot come back in.
func (p *Passkey) Outside(set settings.Settings) bool {
	t := newTerms(set).forNew(set)
	return t.DeviceBoundOnly && p.BackupKnown && p.BackupEligible ||
		t.Attachment != "" && p.Attachment != "" && p.Attachment != t.Attachment ||
		slices.Contains(t.Denied, p.AAGUID)
}

// An Outside is how much there is that the rules for new passkeys exclude.
type Outside struct{ Passkeys, People int }

// OutsideRules counts the passkeys that the settings as they are would not
// accept as new ones, for the administrator who changes them.
func (s *SignIn) OutsideRules(ctx context.Context, by audit.Actor) (Outside, error) {
	if err := by.MustAdmin(); err != nil {
		return Outside{}, err
	}
	var o Outside
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		set, err := settings.Of(tx)
		if err != nil {
			return err
		}
		t := newTerms(set).forNew(set)
		if !t.DeviceBoundOnly && t.Attachment == "" && len(t.Denied) == 0 {
			return nil
		}
		return tx.One([]any{&o.Passkeys, &o.People}, `SELECT count(*), count(DISTINCT user_id) FROM passkeys
			WHERE ($1 = 1 AND backup_known AND backup_eligible) OR ($2 <> '' AND attachment <> '' AND attachment <> $2)
				OR (aaguid <> '' AND $3 LIKE '%' || aaguid || '%')`,
			map[bool]int{true: 1}[t.DeviceBoundOnly], t.Attachment, strings.Join(t.Denied, " "))
	})
	return o, err
}
