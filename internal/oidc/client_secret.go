package oidc

import (
	"context"
	"errors"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// What is refused about the secrets of a client.
var (
	ErrSecretPublic   = fault.New(fault.Conflict, "client_secret_public")
	ErrSecretsTooMany = fault.New(fault.Conflict, "client_secrets_too_many").With("max", "20")
	ErrSecretWeak     = fault.New(fault.Invalid, "client_secret_weak").At("secret").With("min", "16").With("max", "256")
	ErrSecretExpiry   = fault.New(fault.Invalid, "client_secret_expiry").At("expires_at")
	ErrSecretNotFound = fault.New(fault.NotFound, "client_secret_not_found")
)

const (
	maxSecrets     = 20 // of one client
	minTypedSecret = 16 // characters
	maxTypedSecret = 256
	secretPrefix   = 4 // characters that a list shows
)

// How a secret is stored. What we make has 256 bits, and a plain hash cannot be
// guessed back; what a person typed is hashed under a key that is not in the
// database.
const (
	secretSHA256 = "sha256"
	secretHMAC   = "hmac"
)

// macSecret is the purpose of the key of secretHMAC.
const macSecret = "client-secret"

// A Secret is one of the secrets with which a confidential client proves itself, as a
// list shows it.
type Secret struct {
	ID         string
	ClientID   string
	Prefix     string // its first characters
	CreatedBy  string
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // zero is never

	alg string
	// hash is all that is kept of the secret.
	hash []byte
}

// A SecretEdit is what an administrator may say about a new secret.
type SecretEdit struct {
	// Text is a secret that was chosen elsewhere; "" makes one of 256 bits.
	Text secret.Text
	// ExpiresAt is when it stops working; zero is never.
	ExpiresAt time.Time
}

const secretColumns = `id, client_id, alg, hash, prefix, created_by, created_at, last_used_at, expires_at`

func (s *Secret) fields() []any {
	return []any{&s.ID, &s.ClientID, &s.alg, &s.hash, &s.Prefix, &s.CreatedBy, db.Time(&s.CreatedAt), db.Time(&s.LastUsedAt), db.Time(&s.ExpiresAt)}
}

// Expired says whether the secret has stopped working.
func (s *Secret) Expired(now time.Time) bool {
	return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
}

// randomSecret makes a secret of 256 bits and returns it with its text.
func randomSecret(by audit.Actor, clientID string) (Secret, string) {
	text := secret.Token()
	return Secret{ID: secret.ID(), ClientID: clientID, Prefix: text[:secretPrefix], CreatedBy: by.UserID,
		alg: secretSHA256, hash: secret.Hash(text)}, text
}

// typedSecret keeps a secret that somebody chose.
func (p *Provider) typedSecret(by audit.Actor, clientID, text string) (Secret, error) {
	if len(text) < minTypedSecret || len(text) > maxTypedSecret || strings.ContainsFunc(text, notVisible) {
		return Secret{}, ErrSecretWeak
	}
	return Secret{ID: secret.ID(), ClientID: clientID, Prefix: text[:secretPrefix], CreatedBy: by.UserID,
		alg: secretHMAC, hash: p.master.MAC(macSecret, text)}, nil
}

// AddSecret gives a client another secret. The text is returned here and never again.
func (p *Provider) AddSecret(ctx context.Context, by audit.Actor, clientID string, edit SecretEdit) (Secret, string, error) {
	return p.addSecret(ctx, by, clientID, edit, func(*db.Tx, *Client) error { return nil })
}

// ReplaceSecrets gives a client one secret instead of all that it had, which stop working at
// once: what programs mean that know of one secret alone.
func (p *Provider) ReplaceSecrets(ctx context.Context, by audit.Actor, clientID string, edit SecretEdit) (Secret, string, error) {
	return p.addSecret(ctx, by, clientID, edit, func(tx *db.Tx, c *Client) error {
		old, err := secretsOf(tx, c.ID)
		for i := range old {
			tx.Do(`DELETE FROM client_secrets WHERE id = $1`, old[i].ID)
			audit.Record(tx, by, audit.Event{Name: audit.ClientSecretRemoved, Object: c.object(), Client: c.ID, Before: old[i].shown()})
		}
		return err
	})
}

// addSecret is AddSecret after what before does in the transaction.
func (p *Provider) addSecret(ctx context.Context, by audit.Actor, clientID string, edit SecretEdit, before func(*db.Tx, *Client) error) (Secret, string, error) {
	if err := by.MustAdmin(); err != nil {
		return Secret{}, "", err
	}
	s, text := randomSecret(by, clientID)
	if edit.Text != "" {
		var err error
		text = string(edit.Text)
		if s, err = p.typedSecret(by, clientID, text); err != nil {
			return Secret{}, "", err
		}
	}
	err := p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, clientID)
		if err != nil {
			return err
		}
		if c.Public {
			return ErrSecretPublic
		}
		if !edit.ExpiresAt.IsZero() && !edit.ExpiresAt.After(tx.Now()) {
			return ErrSecretExpiry
		}
		if err := before(tx, c); err != nil {
			return err
		}
		var count int
		if err := tx.One([]any{&count}, `SELECT count(*) FROM client_secrets WHERE client_id = $1`, clientID); err != nil {
			return err
		}
		if count >= maxSecrets {
			return ErrSecretsTooMany
		}
		s.CreatedAt, s.ExpiresAt = tx.Now(), edit.ExpiresAt.UTC().Truncate(time.Microsecond)
		insertSecret(tx, &s)
		audit.Record(tx, by, audit.Event{Name: audit.ClientSecretAdded, Object: c.object(), Client: clientID, After: s.shown()})
		return nil
	})
	if err != nil {
		return Secret{}, "", err
	}
	return s, text, nil
}

// RemoveSecret takes a secret from a client at once.
func (p *Provider) RemoveSecret(ctx context.Context, by audit.Actor, clientID, id string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, clientID)
		if err != nil {
			return err
		}
		var s Secret
		err = tx.One(s.fields(), `DELETE FROM client_secrets WHERE client_id = $1 AND id = $2 RETURNING `+secretColumns, clientID, id)
		if errors.Is(err, db.ErrNotFound) {
			return ErrSecretNotFound
		}
		if err != nil {
			return err
		}
		audit.Record(tx, by, audit.Event{Name: audit.ClientSecretRemoved, Object: c.object(), Client: clientID, Before: s.shown()})
		return nil
	})
}

// Secrets lists the secrets of a client, the newest first.
func (p *Provider) Secrets(ctx context.Context, by audit.Actor, clientID string) ([]Secret, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var all []Secret
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		all, err = secretsOf(tx, clientID)
		return err
	})
	return all, err
}

func secretsOf(tx *db.Tx, clientID string) ([]Secret, error) {
	return db.All(tx, (*Secret).fields, `SELECT `+secretColumns+` FROM client_secrets WHERE client_id = $1
		ORDER BY created_at DESC NULLS LAST, id LIMIT $2`, clientID, maxSecrets)
}

func insertSecret(tx *db.Tx, s *Secret) {
	fields := s.fields()
	tx.Do(`INSERT INTO client_secrets (`+secretColumns+`) VALUES (`+db.Marks(len(fields))+`)`, fields...)
}

// shown is what a record may hold of s.
func (s *Secret) shown() map[string]any {
	shown := map[string]any{"id": s.ID, "prefix": s.Prefix}
	if !s.ExpiresAt.IsZero() {
		shown["expires_at"] = s.ExpiresAt
	}
	return shown
}
