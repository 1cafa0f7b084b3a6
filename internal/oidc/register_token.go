package oidc

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// What is refused about initial access tokens.
var (
	ErrRegistrationTokenName    = fault.New(fault.Invalid, "registration_token_name").At("name").With("max", "50")
	ErrRegistrationTokenUses    = fault.New(fault.Invalid, "registration_token_uses").At("uses").With("max", "1000")
	ErrRegistrationTokenExpiry  = fault.New(fault.Invalid, "registration_token_expiry").At("expires")
	ErrRegistrationTokensMany   = fault.New(fault.Conflict, "registration_tokens_too_many").With("max", "100")
	ErrRegistrationTokenUnknown = fault.New(fault.NotFound, "registration_token_not_found")
)

const (
	maxRegistrationTokens    = 100
	maxRegistrationTokenUses = 1000
	maxRegistrationTokenLife = 366 * 24 * time.Hour
)

// A RegistrationToken is an initial access token (RFC 7591 §3): with it a client may
// register itself, as often as it says. The token itself is shown once and never stored.
type RegistrationToken struct {
	ID         string
	Name       string
	Uses       int // how often it may be used altogether
	UsesLeft   int
	CreatedBy  string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time
}

// Over says whether the token opens nothing any more.
func (t *RegistrationToken) Over(now time.Time) bool {
	return t.UsesLeft <= 0 || !now.Before(t.ExpiresAt)
}

// A RegistrationTokenEdit is what an administrator says about a new token.
type RegistrationTokenEdit struct {
	Name      string
	Uses      int
	ExpiresAt time.Time
}

const registrationTokenColumns = `id, name, uses, uses_left, created_by, created_at, expires_at, last_used_at`

func (t *RegistrationToken) fields() []any {
	return []any{&t.ID, &t.Name, &t.Uses, &t.UsesLeft, &t.CreatedBy, db.Time(&t.CreatedAt), db.Time(&t.ExpiresAt), db.Time(&t.LastUsedAt)}
}

func (t *RegistrationToken) object() audit.Object {
	return audit.Object{Kind: "registration_token", ID: t.ID, Name: t.Name}
}

// RegistrationTokens lists the initial access tokens, the newest first.
func (p *Provider) RegistrationTokens(ctx context.Context, by audit.Actor) ([]RegistrationToken, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var all []RegistrationToken
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		all, err = db.All(tx, (*RegistrationToken).fields, `SELECT `+registrationTokenColumns+` FROM registration_tokens
			ORDER BY created_at DESC NULLS LAST, id NULLS LAST LIMIT $1`, maxRegistrationTokens)
		return err
	})
	return all, err
}

// AddRegistrationToken makes an initial access token. Its text is returned here and never
// again.
func (p *Provider) AddRegistrationToken(ctx context.Context, by audit.Actor, edit RegistrationTokenEdit) (RegistrationToken, string, error) {
	if err := by.MustAdmin(); err != nil {
		return RegistrationToken{}, "", err
	}
	t := RegistrationToken{ID: secret.ID(), Name: strings.TrimSpace(edit.Name), Uses: edit.Uses, UsesLeft: edit.Uses,
		CreatedBy: by.UserID, ExpiresAt: edit.ExpiresAt.UTC().Truncate(time.Microsecond)}
	if n := utf8.RuneCountInString(t.Name); n == 0 || n > maxClientName || !isText(t.Name) {
		return t, "", ErrRegistrationTokenName
	}
	if t.Uses < 1 || t.Uses > maxRegistrationTokenUses {
		return t, "", ErrRegistrationTokenUses
	}
	text := secret.Token()
	err := p.db.Write(ctx, func(tx *db.Tx) error {
		t.CreatedAt = tx.Now()
		if !t.ExpiresAt.After(t.CreatedAt) || t.ExpiresAt.Sub(t.CreatedAt) > maxRegistrationTokenLife {
			return ErrRegistrationTokenExpiry
		}
		var count int
		if err := tx.One([]any{&count}, `SELECT count(*) FROM registration_tokens`); err != nil {
			return err
		}
		if count >= maxRegistrationTokens {
			return ErrRegistrationTokensMany
		}
		fields := t.fields()
		tx.Do(`INSERT INTO registration_tokens (`+registrationTokenColumns+`, hash) VALUES (`+db.Marks(len(fields)+1)+`)`,
			append(fields, secret.Hash(text))...)
		audit.Record(tx, by, audit.Event{Name: audit.RegistrationTokenMade, Object: t.object(),
			After: map[string]any{"uses": t.Uses, "expires_at": t.ExpiresAt}})
		return nil
	})
	if err != nil {
		return t, "", err
	}
	return t, text, nil
}

// RevokeRegistrationToken takes an initial access token out of use at once. The clients
// that were made with it stay.
func (p *Provider) RevokeRegistrationToken(ctx context.Context, by audit.Actor, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		var t RegistrationToken
		err := tx.One(t.fields(), `DELETE FROM registration_tokens WHERE id = $1 RETURNING `+registrationTokenColumns, id)
		if errors.Is(err, db.ErrNotFound) {
			return ErrRegistrationTokenUnknown
		}
		if err != nil {
			return err
		}
		audit.Record(tx, by, audit.Event{Name: audit.RegistrationTokenRevoked, Object: t.object(),
			Before: map[string]any{"uses_left": t.UsesLeft}})
		return nil
	})
}

// registrationToken is the id of an initial access token that still opens something.
func registrationToken(tx *db.Tx, text string) (id string, err error) {
	err = tx.One([]any{&id}, `SELECT id FROM registration_tokens WHERE hash = $1 AND uses_left > 0 AND expires_at > $2`,
		secret.Hash(text), tx.Now().UnixMicro())
	if errors.Is(err, db.ErrNotFound) {
		return "", errInvalidToken.Saying("the initial access token is unknown, used up or expired")
	}
	return id, err
}

// useRegistrationToken uses a token once and returns its id. Of two that come at once for
// the last use, one gets it.
func useRegistrationToken(tx *db.Tx, text string) (id string, err error) {
	err = tx.One([]any{&id}, `UPDATE registration_tokens SET uses_left = uses_left - 1, last_used_at = $2
		WHERE hash = $1 AND uses_left > 0 AND expires_at > $2 RETURNING id`, secret.Hash(text), tx.Now().UnixMicro())
	if errors.Is(err, db.ErrNotFound) {
		return "", errInvalidToken.Saying("the initial access token is unknown, used up or expired")
	}
	return id, err
}

// purgeRegistrationTokens deletes tokens that have been over for long.
func purgeRegistrationTokens(tx *db.Tx, limit int) (int64, error) {
	before := tx.Now().Add(-30 * 24 * time.Hour)
	return tx.Exec(`DELETE FROM registration_tokens WHERE id IN (
		SELECT id FROM registration_tokens WHERE expires_at < $1 ORDER BY expires_at NULLS LAST LIMIT $2)`, db.Time(&before), limit)
}
