package oidc

import (
	"context"
	"slices"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/jose"
)

// ownAlgs are the algorithms of keys that may be in the table: ours, and those that keys
// of the incumbent may have.
var ownAlgs = slices.Concat(KeyAlgs, []jose.Alg{jose.RS384, jose.RS512, jose.ES384, jose.ES512})

// KnownAlg is an algorithm of ownAlgs by its name, in whatever case somebody typed it. Whether
// the house signs with it is another question.
func KnownAlg(name string) (jose.Alg, bool) {
	i := slices.IndexFunc(ownAlgs, func(a jose.Alg) bool { return strings.EqualFold(string(a), name) })
	if i < 0 {
		return "", false
	}
	return ownAlgs[i], true
}

// Algs are the algorithms that clients may choose, and that discovery tells: KeyAlgs, and
// behind them those of which the house holds a key that signs. Such a key comes with a
// house that is moved in and is replaced by others of its algorithm, so an algorithm that
// is here stays here, and every replica finds the same in the database.
func (k *Keyring) Algs(ctx context.Context) ([]jose.Alg, error) {
	r, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	return r.algs(), nil
}

// algs is Algs of a ring.
func (r *ring) algs() []jose.Alg {
	return slices.DeleteFunc(slices.Clone(ownAlgs), func(a jose.Alg) bool { return r.active[a] == nil && !slices.Contains(KeyAlgs, a) })
}

// checkSigns refuses an algorithm of which the house has no key and makes none by itself.
func checkSigns(tx *db.Tx, field string, alg jose.Alg) error {
	if alg == "" || slices.Contains(KeyAlgs, alg) {
		return nil
	}
	var n int
	if err := tx.One([]any{&n}, `SELECT count(*) FROM signing_keys WHERE alg = $1 AND state = $2`, string(alg), string(keyActive)); err != nil {
		return err
	}
	if n == 0 {
		return ErrAlgUnknown.At(field)
	}
	return nil
}

// checkAlgs is checkSigns for all that a client chooses.
func (e *ClientEdit) checkAlgs(tx *db.Tx) error {
	if err := checkSigns(tx, "id_token_alg", e.IDTokenAlg); err != nil {
		return err
	}
	if err := checkSigns(tx, "access_token_alg", e.AccessTokenAlg); err != nil {
		return err
	}
	return checkSigns(tx, "userinfo_alg", e.UserinfoAlg)
}
