package signin

import (
	"context"
	"errors"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// Making and renewing keys is for sessions: a key makes no key.

// MakeKey makes a key for the visitor, who has to have stepped up for it. Its text is
// returned here and never again.
func (s *SignIn) MakeKey(ctx context.Context, v Visitor, edit KeyEdit) (Key, string, error) {
	return s.makeKey(ctx, v, edit, mayMint, func(_ *db.Tx, now Visitor) (directory.User, error) { return now.User, nil })
}

// MakeKeyOf makes a key for a service account, which cannot make one for itself. That is
// for administrators, who have to have stepped up for it.
func (s *SignIn) MakeKeyOf(ctx context.Context, v Visitor, userID string, edit KeyEdit) (Key, string, error) {
	return s.makeKey(ctx, v, edit, mayMintFor, func(tx *db.Tx, now Visitor) (directory.User, error) {
		if err := now.actor(ctx).MustAdmin(); err != nil {
			return directory.User{}, err
		}
		return serviceWithKeys(tx, userID)
	})
}

// serviceWithKeys reads a service account that may have a key made or renewed: one whose
// owner answers for it, with no more rights than they have.
func serviceWithKeys(tx *db.Tx, userID string) (directory.User, error) {
	u, err := directory.UserByID(tx, userID)
	switch {
	case errors.Is(err, directory.ErrNoUser) || err == nil && (!u.DeletedAt.IsZero() || !u.Service()):
		return directory.User{}, directory.ErrNoService
	case err != nil:
		return directory.User{}, err
	case u.ID == directory.StaticID: // its one key is in the environment
		return directory.User{}, directory.ErrStaticAccount
	}
	return directory.ServiceNow(tx, u)
}

func (s *SignIn) makeKey(ctx context.Context, v Visitor, edit KeyEdit, may func(*db.Tx, Visitor) error, of func(*db.Tx, Visitor) (directory.User, error)) (Key, string, error) {
	var k Key
	text := keyText()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := v.again(tx)
		if err != nil {
			return err
		}
		if err := may(tx, now); err != nil {
			return err
		}
		owner, err := of(tx, now)
		if err != nil {
			return err
		}
		if k, err = edit.key(&owner, tx.Now()); err != nil {
			return err
		}
		return insertKey(tx, now.actor(ctx), &k, text)
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, text, nil
}

// mayMint refuses whoever may not make a key for themselves now: one needs a fresh step-up,
// because a key outlives the session that it was made in. Only somebody who came by a
// one-time code and has no passkey to step up with may make one without. Whoever holds such
// a session could add a first passkey and step up with that, so this opens nothing that is
// shut; and it is the way on which programs that look after a cluster come by their key.
func mayMint(tx *db.Tx, v Visitor) error { return fresh(tx, v, PurposeKeys) }

// mayMintFor refuses whoever may not make a key for somebody else now: that takes a
// step-up in any case.
func mayMintFor(tx *db.Tx, v Visitor) error {
	if v.Session.ByCode() {
		return ErrCodeSession
	}
	return SteppedUp(tx, v.Session.ID, PurposeKeys)
}

// RenewKey gives one of the visitor's keys that has ended a new text and a new end.
func (s *SignIn) RenewKey(ctx context.Context, v Visitor, id string, expires time.Time) (Key, string, error) {
	return s.renewEnded(ctx, v, expires, mayMint, func(tx *db.Tx, now Visitor) (Key, error) { return ownKey(tx, now.User.ID, id) })
}

// RenewKeyOf gives a key of a service account that has ended a new text and a new end, as
// an administrator who has stepped up for it.
func (s *SignIn) RenewKeyOf(ctx context.Context, v Visitor, userID, id string, expires time.Time) (Key, string, error) {
	return s.renewEnded(ctx, v, expires, mayMintFor, func(tx *db.Tx, now Visitor) (Key, error) {
		if err := now.actor(ctx).MustAdmin(); err != nil {
			return Key{}, err
		}
		u, err := serviceWithKeys(tx, userID)
		if err != nil {
			return Key{}, err
		}
		return ownKey(tx, u.ID, id)
	})
}

func (s *SignIn) renewEnded(ctx context.Context, v Visitor, expires time.Time, may func(*db.Tx, Visitor) error, of func(*db.Tx, Visitor) (Key, error)) (Key, string, error) {
	var k Key
	text := keyText()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := v.again(tx)
		if err != nil {
			return err
		}
		if err := may(tx, now); err != nil {
			return err
		}
		if k, err = of(tx, now); err != nil {
			return err
		}
		if !k.Ended(tx.Now()) {
			return ErrKeyNotExpired
		}
		return renewKey(tx, now.actor(ctx), &k, expires, text)
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, text, nil
}

// RevokeKeyOfService takes a key of a service account out of use, as an administrator.
func (s *SignIn) RevokeKeyOfService(ctx context.Context, by audit.Actor, userID, id string) (Key, error) {
	if err := by.MustAdmin(); err != nil {
		return Key{}, err
	}
	return s.revokeKey(ctx, by, `id = $1 AND user_id = $2`, id, userID)
}

// KeysOfService lists the keys of a service account for an administrator.
func (s *SignIn) KeysOfService(ctx context.Context, by audit.Actor, userID string) ([]Key, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var list []Key
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		u, err := directory.UserByID(tx, userID)
		if errors.Is(err, directory.ErrNoUser) || err == nil && (!u.DeletedAt.IsZero() || !u.Service()) {
			return directory.ErrNoService
		}
		if err == nil {
			list, err = keysOf(tx, u.ID)
		}
		return err
	})
	return list, err
}

// KeyOfService reads a key of a service account for an administrator.
func (s *SignIn) KeyOfService(ctx context.Context, by audit.Actor, userID, id string) (Key, error) {
	if err := by.MustAdmin(); err != nil {
		return Key{}, err
	}
	var k Key
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		k, err = ownKey(tx, userID, id)
		return err
	})
	return k, err
}
