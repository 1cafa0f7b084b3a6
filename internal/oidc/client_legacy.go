package oidc

import (
	"context"
	"errors"
	"slices"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// Secrets that came from another house may be hashes of bcrypt. To verify one takes a tenth
// of a second of the processor, so it is not done in a transaction, one at a time, and only
// for a network that has not been guessing. A secret that proved right is kept as our own
// are from then on.

// secretBcrypt is how a secret is stored that was brought and not used yet.
const secretBcrypt = "bcrypt"

// A legacyNeed is what authenticate answers when it cannot go on without a look at hashes
// that take long: see tryLegacy.
type legacyNeed struct {
	secrets []Secret
	shown   credentials
}

// Error says what is needed.
func (*legacyNeed) Error() string { return "hashes of bcrypt are to be verified first" }

// A legacyTry says whether that look was had, which it is once for each request.
type legacyTry struct{ done bool }

// tryLegacy runs do, which opens a transaction and authenticates a client in it. When that
// needs a look at old hashes it is had outside of the transaction, and do runs once more:
// then a secret that fits is kept as ours are, whatever becomes of the request.
func (p *Provider) tryLegacy(ctx context.Context, do func() error) error {
	err := do()
	need, ok := errors.AsType[*legacyNeed](err)
	if !ok {
		return err
	}
	if err := p.lookAtLegacy(ctx, need); err != nil {
		return err
	}
	return do()
}

// lookAtLegacy looks for the hash that fits, and renews it.
func (p *Provider) lookAtLegacy(ctx context.Context, need *legacyNeed) error {
	select {
	case p.legacyTurn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.legacyTurn }()
	need.shown.legacy.done = true
	text := string(need.shown.secret)
	for _, s := range need.secrets {
		if !secret.VerifyBcrypt(s.hash, text) {
			continue
		}
		// One that is as long as those that were generated is kept as such, another one
		// as one that somebody chose.
		alg, hash := secretSHA256, secret.Hash(text)
		if len(text) < generatedElsewhere {
			alg, hash = secretHMAC, p.master.MAC(macSecret, text)
		}
		return p.db.Write(ctx, func(tx *db.Tx) error {
			tx.Do(`UPDATE client_secrets SET alg = $2, hash = $3, prefix = $4 WHERE id = $1 AND alg = $5`,
				s.ID, alg, hash, text[:min(len(text), secretPrefix)], secretBcrypt)
			return nil
		})
	}
	return nil
}

// legacy are those of secrets that are hashes of bcrypt and have not expired.
func legacy(secrets []Secret, now time.Time) []Secret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s Secret) bool { return s.alg != secretBcrypt || s.Expired(now) })
}

// generatedElsewhere is how many letters and digits a secret has that nobody chose.
const generatedElsewhere = 32
