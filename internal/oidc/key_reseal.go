package oidc

import (
	"fmt"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// Reseal seals the private halves of the signing keys and the tokens of others with another
// master key, and returns how many keys there are. It is a part.
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
	return n, resealSCIM(tx, from, to)
}

// resealSCIM seals the tokens for SCIM anew.
func resealSCIM(tx *db.Tx, from, to *secret.Master) error {
	type token struct {
		id     string
		sealed []byte
	}
	tokens, err := db.All(tx, func(t *token) []any { return []any{&t.id, &t.sealed} }, `SELECT id, token FROM scim_providers ORDER BY id`)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		plain, err := from.Open(purposeSCIM, t.sealed)
		if err != nil {
			return fmt.Errorf("open a token for SCIM: %w", err)
		}
		sealed, err := to.Seal(purposeSCIM, plain)
		if err != nil {
			return err
		}
		tx.Do(`UPDATE scim_providers SET token = $2 WHERE id = $1`, t.id, sealed)
	}
	return nil
}

// A Loss is what goes with a master key that nobody has any more.
type Loss struct {
	// Keys is how many signing keys can sign no more. What they signed verifies as long as it
	// would have: their public halves are there, and nobody else has the private ones.
	Keys int
	// Secrets are the applications of which a secret was chosen by somebody, and is not
	// known any more. Those that were made here are.
	Secrets []string
	// Subjects are the applications with subjects of their own (OpenID Connect Core §8.1), to
	// which everybody is somebody else from now on.
	Subjects []string
	// Algs are the applications that had the key of another house, and get RS256 and ES256.
	Algs []string
}

// Lose drops what is sealed or hashed under a master key that is lost, so that a new one
// can take its place, and says what that was. It is a part.
func Lose(tx *db.Tx) (Loss, error) {
	var l Loss
	keys, err := keysIn(tx)
	if err != nil {
		return l, err
	}
	for _, k := range keys {
		if len(k.sealed) == 0 {
			continue
		}
		l.Keys++
		k.sealed = []byte{}
		switch k.state {
		case keyActive:
			k.state, k.retiringAt = keyRetiring, tx.Now()
		case keyNext: // it has signed nothing
			k.state, k.retiredAt = keyRetired, tx.Now()
		}
		saveKey(tx, k)
	}
	names := func(where string, args ...any) ([]string, error) {
		return db.All(tx, func(name *string) []any { return []any{name} }, `SELECT name FROM clients WHERE deleted_at IS NULL AND `+where+` ORDER BY name_key, id`, args...)
	}
	if l.Secrets, err = names(`id IN (SELECT client_id FROM client_secrets WHERE alg = $1)`, secretHMAC); err != nil {
		return l, err
	}
	if l.Subjects, err = names(`subject_type = $1`, SubjectPairwise); err != nil {
		return l, err
	}
	var ours []any
	for _, alg := range KeyAlgs {
		ours = append(ours, string(alg))
	}
	foreign := ` NOT IN (` + db.MarksFrom(1, len(ours)) + `)`
	if l.Algs, err = names(`(id_token_alg`+foreign+` OR access_token_alg`+foreign+` OR userinfo_alg <> '' AND userinfo_alg`+foreign+`)`, ours...); err != nil {
		return l, err
	}
	tx.Do(`UPDATE clients SET id_token_alg = 'RS256' WHERE id_token_alg`+foreign, ours...)
	tx.Do(`UPDATE clients SET access_token_alg = 'ES256' WHERE access_token_alg`+foreign, ours...)
	tx.Do(`UPDATE clients SET userinfo_alg = 'RS256' WHERE userinfo_alg <> '' AND userinfo_alg`+foreign, ours...)
	tx.Do(`UPDATE apis SET access_token_alg = '' WHERE access_token_alg <> '' AND access_token_alg`+foreign, ours...)
	tx.Do(`DELETE FROM client_secrets WHERE alg = $1`, secretHMAC)
	tx.Do(`DELETE FROM device_codes`)
	tx.Do(`DELETE FROM scim_providers`)
	return l, nil
}
