package oidc

import (
	"context"
	"errors"
	"slices"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
)

// Faults of the verbs about signing keys.
var (
	ErrKeyAlg     = fault.New(fault.Invalid, "signing_alg_unknown").At("alg")
	ErrKeyUnknown = fault.New(fault.NotFound, "signing_key_unknown")
)

// Rotation tells what Rotate did or found.
type Rotation struct {
	Alg jose.Alg
	// KeyID is the new key.
	KeyID string
	// Signs says that the new key signs already. Otherwise it does from SignsAt
	// on; a running server sees to that.
	Signs   bool
	SignsAt time.Time
	// Before is the key that the new one takes over from, "" if there was none.
	Before string
	// Waiting says that an earlier call had begun this rotation, and that this
	// one changed nothing.
	Waiting bool
}

// Rotate replaces the key of alg. A new key is published at once, and signs
// when it has been published for PublishFor; until then the old one does. Both
// verify all the time. Called again meanwhile it changes nothing, and called
// when the time has come it promotes the key.
func (k *Keyring) Rotate(ctx context.Context, by audit.Actor, alg jose.Alg) (Rotation, error) {
	return k.rotate(ctx, by, alg, PublishFor)
}

// RotateNow is Rotate for somebody in a hurry: the new key signs when it has
// been published for KeysSpread, so that every process of ours knows it.
// Clients that ask for the JWKS when they meet an unknown kid notice nothing;
// those that keep a JWKS whatever comes refuse new tokens until they ask again.
func (k *Keyring) RotateNow(ctx context.Context, by audit.Actor, alg jose.Alg) (Rotation, error) {
	return k.rotate(ctx, by, alg, KeysSpread)
}

func (k *Keyring) rotate(ctx context.Context, by audit.Actor, alg jose.Alg, published time.Duration) (Rotation, error) {
	if err := by.MustAdmin(); err != nil {
		return Rotation{}, err
	}
	algs, err := k.Algs(ctx)
	if err != nil {
		return Rotation{}, err
	}
	if !slices.Contains(algs, alg) {
		return Rotation{}, ErrKeyAlg
	}
	var done Rotation
	err = k.withKey(ctx, alg, func(tx *db.Tx, keys []*signingKey, made *signingKey) error {
		done = Rotation{Alg: alg}
		old, next := pick(keys, alg, keyActive), pick(keys, alg, keyNext)
		if old != nil {
			done.Before = old.id
		}
		if next == nil && made == nil {
			return errKeyNeeded
		}
		if next == nil {
			next = made
			next.state, next.createdAt, next.activeAt = keyNext, tx.Now(), tx.Now().Add(published)
			addKey(tx, next)
			recordKey(tx, by, audit.KeyPublished, next, map[string]any{"signs_at": next.activeAt})
		} else if sooner := next.createdAt.Add(published); sooner.Before(next.activeAt) {
			next.activeAt = sooner
			saveKey(tx, next)
			recordKey(tx, by, audit.KeyHastened, next, map[string]any{"signs_at": next.activeAt})
		} else {
			done.Waiting = true
		}
		if old == nil || next.due(tx.Now(), 0) {
			done.Waiting = false
			if err := promote(tx, by, keys, next); err != nil {
				return err
			}
		}
		done.KeyID, done.Signs, done.SignsAt = next.id, next.state == keyActive, next.activeAt
		return nil
	})
	return done, err
}

// Compromise ends a key that somebody else may have: from now on nothing that
// it signed verifies, and it is gone from the JWKS. If it was the one that
// signs, the next one of its algorithm does so at once, published or not.
// Other processes follow within KeysSpread, clients when their JWKS expires.
func (k *Keyring) Compromise(ctx context.Context, by audit.Actor, kid string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	r, err := k.reload(ctx)
	if err != nil {
		return err
	}
	if r.keys[kid] == nil {
		return ErrKeyUnknown
	}
	return k.withKey(ctx, r.keys[kid].alg, func(tx *db.Tx, keys []*signingKey, made *signingKey) error {
		i := slices.IndexFunc(keys, func(key *signingKey) bool { return key.id == kid })
		if i < 0 {
			return ErrKeyUnknown
		}
		key := keys[i]
		if key.state == keyCompromised {
			return nil
		}
		next := pick(keys, key.alg, keyNext)
		signed := key.state == keyActive
		if signed && next == nil && made == nil {
			return errKeyNeeded
		}
		before := key.state
		key.state, key.sealed, key.retiredAt = keyCompromised, []byte{}, tx.Now()
		saveKey(tx, key)
		recordKey(tx, by, audit.KeyCompromised, key, map[string]any{"state": before})
		if !signed {
			return nil
		}
		if next == nil {
			next = made
			next.state, next.createdAt = keyNext, tx.Now()
			addKey(tx, next)
		}
		return promote(tx, by, keys, next)
	})
}

// makeFirst makes the first key of alg, which signs at once, unless another
// process was faster.
func (k *Keyring) makeFirst(ctx context.Context, alg jose.Alg) error {
	return k.withKey(ctx, alg, func(tx *db.Tx, keys []*signingKey, made *signingKey) error {
		if pick(keys, alg, keyActive) != nil {
			return nil
		}
		next := pick(keys, alg, keyNext)
		if next == nil && made == nil {
			return errKeyNeeded
		}
		if next == nil {
			next = made
			next.state, next.createdAt = keyNext, tx.Now()
			addKey(tx, next)
		}
		return promote(tx, audit.System("job"), keys, next)
	})
}

// step takes the steps whose time has come: next keys become active, retiring
// ones retired, and an active key learns of longer-lived tokens. All replicas
// may try; one does it.
func (k *Keyring) step(ctx context.Context) error {
	return k.db.Write(ctx, func(tx *db.Tx) error {
		keys, err := keysIn(tx)
		if err != nil {
			return err
		}
		longest, err := longestLife(tx)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !key.due(tx.Now(), longest) {
				continue
			}
			switch key.state {
			case keyActive:
				key.longest = longest
				saveKey(tx, key)
			case keyNext:
				if err := promote(tx, audit.System("job"), keys, key); err != nil {
					return err
				}
			case keyRetiring:
				// Nobody needs the private half again; without it, nobody can misuse it.
				key.state, key.sealed, key.retiredAt = keyRetired, []byte{}, tx.Now()
				saveKey(tx, key)
				recordKey(tx, audit.System("job"), audit.KeyRetired, key, nil)
			}
		}
		return nil
	})
}

// promote lets next sign, and retires the key that did so far.
func promote(tx *db.Tx, by audit.Actor, keys []*signingKey, next *signingKey) error {
	longest, err := longestLife(tx)
	if err != nil {
		return err
	}
	var before string
	if old := pick(keys, next.alg, keyActive); old != nil { // first, because one key of an algorithm is active
		before = old.id
		old.state, old.retiringAt, old.longest = keyRetiring, tx.Now(), max(old.longest, longest)
		saveKey(tx, old)
	}
	next.state, next.activeAt, next.longest = keyActive, tx.Now(), longest
	saveKey(tx, next)
	recordKey(tx, by, audit.KeyActivated, next, map[string]any{"instead_of": before})
	return nil
}

// errKeyNeeded is how a decision asks withKey for a new key.
var errKeyNeeded = errors.New("a new key is needed")

// withKey runs decide in a Write, over all keys. When it answers errKeyNeeded
// it is run again with a fresh key, which is made outside of the transaction
// because RSA takes its time. Afterwards this process knows what changed.
func (k *Keyring) withKey(ctx context.Context, alg jose.Alg, decide func(tx *db.Tx, keys []*signingKey, made *signingKey) error) error {
	var made *signingKey
	for tries := 10; ; tries-- {
		err := k.db.Write(ctx, func(tx *db.Tx) error {
			keys, err := keysIn(tx)
			if err != nil {
				return err
			}
			return decide(tx, keys, made)
		})
		switch {
		case errors.Is(err, errKeyNeeded) && made == nil:
			if made, err = k.make(alg); err != nil {
				return err
			}
			continue
		case errors.Is(err, db.ErrConflict) && tries > 0: // another process added or promoted one at the same time
			continue
		case err != nil:
			return err
		}
		_, err = k.reload(ctx)
		return err
	}
}

func addKey(tx *db.Tx, key *signingKey) {
	tx.Do(`INSERT INTO signing_keys (`+keyColumns+`) VALUES (`+db.Marks(11)+`)`, key.fields()...)
}

func saveKey(tx *db.Tx, key *signingKey) {
	tx.Do(`UPDATE signing_keys SET state = $2, sealed = $3, longest = $4, active_at = $5, retiring_at = $6, retired_at = $7 WHERE kid = $1`,
		key.id, string(key.state), key.sealed, db.Seconds(&key.longest), db.Time(&key.activeAt), db.Time(&key.retiringAt), db.Time(&key.retiredAt))
}

func recordKey(tx *db.Tx, by audit.Actor, event audit.Name, key *signingKey, data any) {
	audit.Record(tx, by, audit.Event{
		Name:   event,
		Object: audit.Object{Kind: "signing_key", ID: key.id, Name: string(key.alg)},
		Data:   data,
	})
}
