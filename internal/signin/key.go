package signin

import (
	"context"
	"errors"
	"strconv"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// What is said about API keys.
var (
	ErrNoKey          = fault.New(fault.NotFound, "api_key_not_found")
	ErrKeyName        = fault.New(fault.Invalid, "api_key_name").At("name").With("min", strconv.Itoa(minKeyName)).With("max", strconv.Itoa(maxKeyName))
	ErrKeyDescription = fault.New(fault.Invalid, "api_key_description").At("description").With("max", strconv.Itoa(maxKeyDescription))
	ErrKeyExpiry      = fault.New(fault.Invalid, "invalid_api_key_expiration").At("expires_at")
	// ErrKeyScope refuses a scope that there is not, or that the owner has no use for.
	ErrKeyScope = fault.New(fault.Invalid, "api_key_scope").At("scopes")
	// ErrKeyNotExpired refuses to renew what still works: a second secret for the same
	// key would leave nobody knowing which of them is out there.
	ErrKeyNotExpired = fault.New(fault.Conflict, "api_key_not_expired")
	ErrTooManyKeys   = fault.New(fault.Conflict, "api_keys_too_many").With("max", strconv.Itoa(maxKeysOf))
)

const (
	maxKeysOf         = 100 // of one account, the ended ones too
	minKeyName        = 3
	maxKeyName        = 50
	maxKeyDescription = 200
	lastKeyYear       = 9999 // RFC 3339 writes no later one
)

// KeyPrefix begins every key, so that scanners of repositories recognise one.
const KeyPrefix = "pocketid_"

// A Key is what a program shows instead of a session. It can do what its owner can do at
// that moment, or less.
type Key struct {
	ID     string
	UserID string
	Name   string
	// Description says for whoever finds the key in a list what it is for.
	Description string
	// Scopes are what the key is for; none is everything that its owner can do.
	Scopes    []Scope
	CreatedAt time.Time
	// ExpiresAt is from when on the key opens nothing. It stays in the list and can be renewed.
	ExpiresAt time.Time
	// LastUsedAt is written at most once an hour.
	LastUsedAt time.Time
}

// Ended reports whether k has run out at the instant now.
func (k *Key) Ended(now time.Time) bool { return !now.Before(k.ExpiresAt) }

// Whole reports whether k can do everything that its owner can.
func (k *Key) Whole() bool { return len(k.Scopes) == 0 }

// A KeyEdit is what somebody says about a new key.
type KeyEdit struct {
	Name        string
	Description string
	ExpiresAt   time.Time
	Scopes      []Scope
}

const keyColumns = `id, user_id, name, name_key, description, scopes, created_at, expires_at, last_used_at`

const keyColumnCount = 9

func (k *Key) fields() []any {
	folded := directory.Fold(k.Name)
	return []any{&k.ID, &k.UserID, &k.Name, &folded, &k.Description, db.JSON(&k.Scopes), db.Time(&k.CreatedAt), db.Time(&k.ExpiresAt),
		db.Time(&k.LastUsedAt)}
}

func (k *Key) object() audit.Object { return audit.Object{Kind: "api_key", ID: k.ID, Name: k.Name} }

// key is the key that e asks for, made at the instant now for owner.
func (e KeyEdit) key(owner *directory.User, now time.Time) (Key, error) {
	k := Key{ID: secret.ID(), UserID: owner.ID, CreatedAt: now}
	var err error
	if k.Name, err = keyName(e.Name); err != nil {
		return Key{}, err
	}
	if k.Description, err = keyDescription(e.Description); err != nil {
		return Key{}, err
	}
	if k.Scopes, err = scopesFor(owner, e.Scopes); err != nil {
		return Key{}, err
	}
	k.ExpiresAt, err = keyEnd(e.ExpiresAt, now)
	return k, err
}

// keyEnd is the end of a key that is asked for at the instant now.
func keyEnd(end, now time.Time) (time.Time, error) {
	end = end.UTC().Truncate(time.Microsecond)
	if !end.After(now) || end.Year() > lastKeyYear {
		return time.Time{}, ErrKeyExpiry
	}
	return end, nil
}

// keyText is the text of a new key. It is shown once and never stored.
func keyText() string { return KeyPrefix + secret.Token() }

// Keys lists the keys of whoever asks, the newest first, the ended ones too.
func (s *SignIn) Keys(ctx context.Context, by audit.Actor) ([]Key, error) {
	if by.UserID == "" {
		return nil, directory.ErrNotYours
	}
	var list []Key
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = keysOf(tx, by.UserID)
		return err
	})
	return list, err
}

// KeysOf lists somebody's keys for an administrator.
func (s *SignIn) KeysOf(ctx context.Context, by audit.Actor, userID string) ([]Key, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var list []Key
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		u, err := someone(tx, userID)
		if err != nil {
			return err
		}
		list, err = keysOf(tx, u.ID)
		return err
	})
	return list, err
}

func keysOf(tx *db.Tx, userID string) ([]Key, error) {
	return db.All(tx, (*Key).fields, `SELECT `+keyColumns+` FROM api_keys
		WHERE user_id = $1 ORDER BY created_at DESC NULLS LAST, id NULLS LAST LIMIT $2`, userID, maxKeysOf)
}

// OwnKey reads one key of whoever asks.
func (s *SignIn) OwnKey(ctx context.Context, by audit.Actor, id string) (Key, error) {
	var k Key
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		k, err = ownKey(tx, by.UserID, id)
		return err
	})
	return k, err
}

// ownKey reads a key by its id and its owner together, so that an id of somebody else
// finds nothing.
func ownKey(tx *db.Tx, userID, id string) (Key, error) {
	var k Key
	err := tx.One(k.fields(), `SELECT `+keyColumns+` FROM api_keys WHERE id = $1 AND user_id = $2`, id, userID)
	if errors.Is(err, db.ErrNotFound) {
		return Key{}, ErrNoKey
	}
	return k, err
}

// RevokeKey takes a key of whoever asks out of use at once, and out of the list.
func (s *SignIn) RevokeKey(ctx context.Context, by audit.Actor, id string) (Key, error) {
	if by.UserID == "" {
		return Key{}, directory.ErrNotYours
	}
	return s.revokeKey(ctx, by, `id = $1 AND user_id = $2`, id, by.UserID)
}

// RevokeKeyOf takes anybody's key out of use, as an administrator.
func (s *SignIn) RevokeKeyOf(ctx context.Context, by audit.Actor, id string) (Key, error) {
	if err := by.MustAdmin(); err != nil {
		return Key{}, err
	}
	return s.revokeKey(ctx, by, `id = $1`, id)
}

func (s *SignIn) revokeKey(ctx context.Context, by audit.Actor, where string, args ...any) (Key, error) {
	var k Key
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		k = Key{}
		err := tx.One(k.fields(), `DELETE FROM api_keys WHERE `+where+` RETURNING `+keyColumns, args...)
		if errors.Is(err, db.ErrNotFound) {
			return ErrNoKey
		}
		if err != nil {
			return err
		}
		audit.Record(tx, by, audit.Event{Name: audit.APIKeyRevoked, Object: k.object(), User: k.UserID,
			Before: map[string]any{"scopes": k.Scopes, "expires_at": k.ExpiresAt}})
		return nil
	})
	if err != nil {
		return Key{}, err
	}
	return k, nil
}
