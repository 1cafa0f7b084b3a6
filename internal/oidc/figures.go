package oidc

import (
	"context"
	"strconv"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jose"
)

// CountAll counts clients and APIs, each up to MaxCount, in one statement. It is a part.
func CountAll(tx *db.Tx) (clients, apis int, err error) {
	most := strconv.Itoa(MaxCount)
	err = tx.One([]any{&clients, &apis}, `SELECT
		(SELECT count(*) FROM (SELECT 1 FROM clients WHERE deleted_at IS NULL LIMIT `+most+`) AS c),
		(SELECT count(*) FROM (SELECT 1 FROM apis LIMIT `+most+`) AS a)`)
	return clients, apis, err
}

// A KeyAge is how long a key of an algorithm has signed.
type KeyAge struct {
	Alg   jose.Alg
	Since time.Time // the zero time when no key of the algorithm signs yet
	// NextAt is when the key signs that waits for its turn; the zero time when none does.
	NextAt time.Time
}

// KeyAges are those of all algorithms that we sign with. It is a part.
func KeyAges(tx *db.Tx) ([]KeyAge, error) {
	keys, err := keysIn(tx)
	if err != nil {
		return nil, err
	}
	ages := make([]KeyAge, 0, len(KeyAlgs))
	for _, alg := range KeyAlgs {
		age := KeyAge{Alg: alg}
		if k := pick(keys, alg, keyActive); k != nil {
			age.Since = k.activeAt
		}
		if k := pick(keys, alg, keyNext); k != nil {
			age.NextAt = k.activeAt
		}
		ages = append(ages, age)
	}
	return ages, nil
}

// IDs are the ids of all signing keys that there have been, for whoever compares
// them with those that are published somewhere.
func (k *Keyring) IDs(ctx context.Context) (ids []string, err error) {
	err = k.db.Read(ctx, func(tx *db.Tx) error {
		ids = []string{}
		keys, err := keysIn(tx)
		for _, key := range keys {
			ids = append(ids, key.id)
		}
		return err
	})
	return ids, err
}
