package jose

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
)

// Bounds on a JWK Set of somebody else.
const (
	MaxKeySet = 64 << 10 // bytes
	maxKeys   = 64
)

// Keys are public keys of somebody else, as a JWK Set has them (RFC 7517 §5). Its zero
// value has none. Unlike a [JWK], a key of theirs may name neither itself nor its algorithm.
type Keys struct{ keys []foreignKey }

// What is wrong with a JWK Set.
var (
	// ErrKeySet is a document that is no JWK Set, or a set without a usable key.
	ErrKeySet = errors.New("not a JWK Set with a public key for signatures")
	// ErrPrivateKey is a set with a key that nobody else should have.
	ErrPrivateKey = errors.New("a private or symmetric key")
	// ErrKeyRepeated is a set with two keys that nothing tells apart.
	ErrKeyRepeated = errors.New("two keys with one kid")
)

// ParseKeys reads a JWK Set that somebody types in or sends. It takes all of it or
// nothing: each key is a public one, of a kind that this package knows, and told from
// the others by its kid.
func ParseKeys(data []byte) (Keys, error) {
	raws, err := keySet(data)
	if err != nil {
		return Keys{}, err
	}
	var set Keys
	for i, raw := range raws {
		k, err := readForeign(raw)
		if err != nil {
			return Keys{}, fmt.Errorf("key %d: %w", i+1, err)
		}
		if k.id == "" && len(raws) > 1 || slices.ContainsFunc(set.keys, func(o foreignKey) bool { return o.id == k.id }) {
			return Keys{}, fmt.Errorf("key %d: %w", i+1, ErrKeyRepeated)
		}
		set.keys = append(set.keys, k)
	}
	if !slices.ContainsFunc(set.keys, func(k foreignKey) bool { return k.verifies }) {
		return Keys{}, ErrKeySet
	}
	return set, nil
}

// ReadKeys reads a JWK Set that was fetched. It passes over what it does not understand,
// as one has to (RFC 7517 §5), and over private and symmetric keys, which prove nothing
// once they were published.
func ReadKeys(data []byte) (Keys, error) {
	raws, err := keySet(data)
	if err != nil {
		return Keys{}, err
	}
	var set Keys
	for _, raw := range raws {
		if k, err := readForeign(raw); err == nil {
			set.keys = append(set.keys, k)
		}
	}
	if len(set.keys) == 0 {
		return Keys{}, ErrKeySet
	}
	return set, nil
}

// keySet is the keys of a set, each as it stands there.
func keySet(data []byte) ([]json.RawMessage, error) {
	if len(data) > MaxKeySet {
		return nil, fmt.Errorf("%w: it is too long", ErrKeySet)
	}
	var list json.RawMessage
	err := walk(data, func(name string, value []byte) error {
		if name == "keys" {
			list = value
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySet, err)
	}
	var raws []json.RawMessage
	if len(list) == 0 || list[0] != '[' || json.Unmarshal(list, &raws) != nil || len(raws) == 0 || len(raws) > maxKeys {
		return nil, ErrKeySet
	}
	return raws, nil
}

// secretMembers are the members of private and symmetric keys (RFC 7518 §6), and
// publicMembers the ones that a public key is read from. Whoever certified a key, it
// counts here for its own members.
var (
	secretMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
	publicMembers = [...]string{"kty", "crv", "x", "y", "n", "e"}
)

// A foreignKey is a public key of somebody else. id and alg may be empty.
type foreignKey struct {
	id  string
	alg Alg
	// verifies says that the key is one for signatures.
	verifies bool
	key      crypto.PublicKey
}

// readForeign reads a public key for any of our algorithms.
func readForeign(data []byte) (foreignKey, error) {
	k := foreignKey{verifies: true}
	public := map[string]json.RawMessage{}
	err := walk(data, func(name string, value []byte) (err error) {
		var s string
		switch {
		case slices.Contains(secretMembers[:], name) || name == "kty" && string(value) == `"oct"`:
			return ErrPrivateKey
		case slices.Contains(publicMembers[:], name):
			public[name] = value
		case name == "kid":
			k.id, err = text(name, value)
		case name == "alg":
			s, err = text(name, value)
			k.alg = Alg(s)
		case name == "use":
			s, err = text(name, value)
			k.verifies = k.verifies && s == "sig"
		case name == "key_ops":
			var ops []string
			err = json.Unmarshal(value, &ops)
			k.verifies = k.verifies && slices.Contains(ops, "verify")
		}
		return err
	})
	if err != nil {
		return k, err
	}
	plain, err := json.Marshal(public)
	if err != nil {
		return k, err
	}
	var raw gojose.JSONWebKey
	if err := raw.UnmarshalJSON(plain); err != nil {
		return k, fmt.Errorf("%w: %w", ErrKeySet, err)
	}
	if !raw.IsPublic() || !raw.Valid() {
		return k, ErrPrivateKey
	}
	k.key = raw.Key
	if k.verifies && !slices.ContainsFunc(Algs, k.fits) {
		return k, fmt.Errorf("%w: no algorithm that is known here has such a key", ErrKeySet)
	}
	return k, nil
}

// fits says whether the key verifies alg.
func (k foreignKey) fits(alg Alg) bool {
	s := schemes[alg]
	return k.verifies && s != nil && (k.alg == "" || k.alg == alg) && s.fits(k.key)
}

// Find is the key named kid for alg, or nil. A token that names no key may only mean
// the one key that fits (OpenID Connect Core §10.1), and so may one whose key has no name.
func (k Keys) Find(kid string, alg Alg) crypto.PublicKey {
	var found crypto.PublicKey
	fitting := 0
	for _, key := range k.keys {
		switch {
		case !key.fits(alg):
		case kid != "" && key.id == kid:
			return key.key
		case kid == "" || key.id == "":
			found = key.key
			fitting++
		}
	}
	if fitting != 1 {
		return nil
	}
	return found
}

// Serve says whether one of the keys verifies alg.
func (k Keys) Serve(alg Alg) bool {
	return slices.ContainsFunc(k.keys, func(key foreignKey) bool { return key.fits(alg) })
}
