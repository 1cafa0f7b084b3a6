package oidc

import (
	"context"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jose"
)

// A SigningKey is a signing key as a list shows it: nothing of its private half.
type SigningKey struct {
	ID  string
	Alg jose.Alg
	// State is where it is in its life: next, active, retiring, retired or compromised.
	State     string
	CreatedAt time.Time
	// ActiveAt is when it began to sign, or will; RetiringAt when it stopped, Until how long
	// it verifies after that, and RetiredAt since when it does not any more.
	ActiveAt   time.Time
	RetiringAt time.Time
	Until      time.Time
	RetiredAt  time.Time
}

// List tells of the signing keys, the oldest first, for administrators.
func (k *Keyring) List(ctx context.Context, by audit.Actor) ([]SigningKey, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var keys []*signingKey
	err := k.db.Read(ctx, func(tx *db.Tx) (err error) {
		keys, err = keysIn(tx)
		return err
	})
	list := make([]SigningKey, 0, len(keys))
	for _, key := range keys {
		s := SigningKey{ID: key.id, Alg: key.alg, State: string(key.state), CreatedAt: key.createdAt, ActiveAt: key.activeAt, RetiringAt: key.retiringAt, RetiredAt: key.retiredAt}
		if key.state == keyRetiring {
			s.Until = key.until()
		}
		list = append(list, s)
	}
	return list, err
}
