package signin

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
)

// Whoever is at the terminal of the house has its database and its master key, and so no
// passkey to prove anything more with. What is here is theirs alone.

// mustBeTerminal refuses everybody who came over the network.
func mustBeTerminal(by audit.Actor) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	if by.Via != "cli" || by.UserID != "" || by.SessionID != "" || by.KeyID != "" {
		return ErrStepUp
	}
	return nil
}

// IssueKey makes a key for somebody, a person or a service account, from the terminal.
// Its text is returned here and never again.
func (s *SignIn) IssueKey(ctx context.Context, by audit.Actor, userID string, edit KeyEdit) (Key, string, error) {
	if err := mustBeTerminal(by); err != nil {
		return Key{}, "", err
	}
	var k Key
	text := keyText()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		owner, err := someone(tx, userID)
		if err == nil && owner.Service() {
			owner, err = serviceWithKeys(tx, userID)
		}
		if err != nil {
			return err
		}
		if k, err = edit.key(&owner, tx.Now()); err != nil {
			return err
		}
		return insertKey(tx, by, &k, text)
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, text, nil
}

// ReissueKey gives anybody's key a new text and a new end, from the terminal. The text
// before opens nothing from then on, so that it need not have ended, as one's own has.
func (s *SignIn) ReissueKey(ctx context.Context, by audit.Actor, id string, expires time.Time) (Key, string, error) {
	if err := mustBeTerminal(by); err != nil {
		return Key{}, "", err
	}
	var k Key
	text := keyText()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		k = Key{}
		err := tx.One(k.fields(), `SELECT `+keyColumns+` FROM api_keys WHERE id = $1`, id)
		if errors.Is(err, db.ErrNotFound) {
			return ErrNoKey
		}
		if err != nil {
			return err
		}
		return renewKey(tx, by, &k, expires, text)
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, text, nil
}

// insertKey stores a new key, of which its owner has not too many.
func insertKey(tx *db.Tx, by audit.Actor, k *Key, text string) error {
	var n int
	if err := tx.One([]any{&n}, `SELECT count(*) FROM api_keys WHERE user_id = $1`, k.UserID); err != nil {
		return err
	}
	if n >= maxKeysOf {
		return ErrTooManyKeys
	}
	tx.Do(`INSERT INTO api_keys (`+keyColumns+`, hash) VALUES (`+db.Marks(keyColumnCount+1)+`)`, append(k.fields(), secret.Hash(text))...)
	audit.Record(tx, by, audit.Event{Name: audit.APIKeyMade, Object: k.object(), User: k.UserID,
		After: map[string]any{"scopes": k.Scopes, "expires_at": k.ExpiresAt}})
	return nil
}

// renewKey gives k another text and another end.
func renewKey(tx *db.Tx, by audit.Actor, k *Key, expires time.Time, text string) (err error) {
	was := k.ExpiresAt
	if k.ExpiresAt, err = keyEnd(expires, tx.Now()); err != nil {
		return err
	}
	tx.Do(`UPDATE api_keys SET hash = $2, expires_at = $3 WHERE id = $1`, k.ID, secret.Hash(text), db.Time(&k.ExpiresAt))
	audit.Record(tx, by, audit.Event{Name: audit.APIKeyRenewed, Object: k.object(), User: k.UserID,
		Before: map[string]any{"expires_at": was}, After: map[string]any{"expires_at": k.ExpiresAt}})
	return nil
}

// FindKey reads the key that is meant by its id, or by a name that no other key has, for
// administrators.
func (s *SignIn) FindKey(ctx context.Context, by audit.Actor, meant string) (KeyRow, error) {
	if err := by.MustAdmin(); err != nil {
		return KeyRow{}, err
	}
	if meant != clipRunes(meant) {
		return KeyRow{}, ErrNoKey
	}
	var r KeyRow
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		found, err := db.All(tx, (*Key).fields, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1 OR name_key = $2
			ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END, id NULLS LAST LIMIT 2`, meant, directory.Fold(meant))
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return ErrNoKey
		case len(found) > 1 && found[0].ID != meant:
			return directory.ErrSeveral.With("name", meant)
		}
		r = KeyRow{Key: found[0]}
		r.Owner, err = directory.UserByID(tx, r.UserID)
		return err
	})
	return r, err
}

// EditKeyOf changes what anybody's key is called and what its description says, as an
// administrator. What the key is for stays, because whoever holds it counts on that.
func (s *SignIn) EditKeyOf(ctx context.Context, by audit.Actor, id, name, description string) (Key, error) {
	if err := by.MustAdmin(); err != nil {
		return Key{}, err
	}
	var k Key
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		k = Key{}
		err := tx.One(k.fields(), `SELECT `+keyColumns+` FROM api_keys WHERE id = $1`, id)
		if errors.Is(err, db.ErrNotFound) {
			return ErrNoKey
		}
		if err != nil {
			return err
		}
		was := k
		if k.Name, err = keyName(name); err != nil {
			return err
		}
		if k.Description, err = keyDescription(description); err != nil {
			return err
		}
		before, after := map[string]any{}, map[string]any{}
		if k.Name != was.Name {
			before["name"], after["name"] = was.Name, k.Name
		}
		if k.Description != was.Description {
			before["description"], after["description"] = was.Description, k.Description
		}
		if len(after) == 0 {
			return nil
		}
		tx.Do(`UPDATE api_keys SET name = $2, name_key = $3, description = $4 WHERE id = $1`, k.ID, k.Name, directory.Fold(k.Name), k.Description)
		audit.Record(tx, by, audit.Event{Name: audit.APIKeyEdited, Object: k.object(), User: k.UserID, Before: before, After: after})
		return nil
	})
	return k, err
}

// keyName is the name of a key as it is kept, or ErrKeyName.
func keyName(typed string) (string, error) {
	name, plain := directory.Line(typed)
	if !plain || utf8.RuneCountInString(name) < minKeyName || utf8.RuneCountInString(name) > maxKeyName {
		return "", ErrKeyName
	}
	return name, nil
}

// keyDescription is the description of a key as it is kept, or ErrKeyDescription.
func keyDescription(typed string) (string, error) {
	text, plain := directory.Line(typed)
	if !plain || utf8.RuneCountInString(text) > maxKeyDescription {
		return "", ErrKeyDescription
	}
	return text, nil
}
