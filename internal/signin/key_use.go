package signin

import (
	"context"
	"errors"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// ErrKeyInvalid is what everybody hears about a key that there is not, that has been
// revoked or has ended, or whose owner is gone.
var ErrKeyInvalid = fault.New(fault.Unauthenticated, "invalid_api_key")

// keyUsedEvery is how often "last used" of a key is written at most.
const keyUsedEvery = time.Hour

// Keys that came from elsewhere are shorter than ours.
const (
	minKeyText = 16
	maxKeyText = 128
)

// A Holder is a key and whose it is. It is no visitor: it has no session, and what needs
// one is closed to it.
type Holder struct {
	Key  Key
	User directory.User
}

type holderKey struct{}

// WithHolder returns a context that carries h.
func WithHolder(ctx context.Context, h Holder) context.Context {
	return context.WithValue(ctx, holderKey{}, h)
}

// HolderOf is the holder that ctx carries, if it carries one.
func HolderOf(ctx context.Context) (Holder, bool) {
	h, ok := ctx.Value(holderKey{}).(Holder)
	return h, ok
}

// KeyFor finds out who holds the key that a program presents. The owner is read at each
// use, so that a key can do what they can do now and nothing when they may not come in. So
// is the owner of a service account, who stands for what its keys do.
func (s *SignIn) KeyFor(ctx context.Context, presented string) (Holder, error) {
	if len(presented) < minKeyText || len(presented) > maxKeyText {
		return Holder{}, ErrKeyInvalid
	}
	if s.isStatic(presented) {
		return s.staticHolder(ctx)
	}
	var h Holder
	stale := false
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		h = Holder{}
		err = tx.One(h.Key.fields(), `SELECT `+keyColumns+` FROM api_keys WHERE hash = $1`, secret.Hash(presented))
		if errors.Is(err, db.ErrNotFound) || err == nil && h.Key.Ended(tx.Now()) {
			return ErrKeyInvalid
		}
		if err != nil {
			return err
		}
		if h.User, err = directory.UserByID(tx, h.Key.UserID); err == nil {
			err = h.User.Active(tx.Now())
		}
		if err == nil && h.User.Service() {
			h.User, err = directory.ServiceNow(tx, h.User)
		}
		if errors.Is(err, directory.ErrNoUser) {
			return ErrKeyInvalid
		}
		stale = tx.Now().Sub(h.Key.LastUsedAt) >= keyUsedEvery
		return err
	})
	if err != nil {
		return Holder{}, err
	}
	if stale {
		err = s.touchKey(ctx, h.Key.ID)
	}
	return h, err
}

// touchKey notes that a key is used now. Of many at once, one writes.
func (s *SignIn) touchKey(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		tx.Do(`UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)`,
			id, tx.Now().UnixMicro(), tx.Now().Add(-keyUsedEvery).UnixMicro())
		return nil
	})
}
