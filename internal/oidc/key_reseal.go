package oidc

import (
	"fmt"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// Reseal seals the private halves of the signing keys with another master key, and returns
// how many there are. It is a part.
func Reseal(tx *db.Tx, from, to *secret.Master) (n int, err error) {
	keys, err := keysIn(tx)
	if err != nil {
		return 0, err
	}
	for _, k := range keys {
		if len(k.sealed) == 0 {
			continue
		}
		plain, err := from.Open(purposeKey, k.sealed)
		if err != nil {
			return n, fmt.Errorf("open the signing key %s: %w", k.id, err)
		}
		sealed, err := to.Seal(purposeKey, plain)
		if err != nil {
			return n, err
		}
		tx.Do(`UPDATE signing_keys SET sealed = $2 WHERE kid = $1`, k.id, sealed)
		n++
	}
	return n, nil
}
