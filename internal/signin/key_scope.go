package signin

import (
	"slices"
	"strings"

	"pocketid/internal/directory"
)

// A Scope is one thing that a key is for: a kind of object, and "read" or "write".
// Whoever may write may read.
type Scope string

// scopeKinds are the kinds of objects of the API. An administrator's alone are all but
// the first, which is the owner's own account.
var scopeKinds = []string{"account", "users", "groups", "clients", "apis", "keys", "audit", "settings"}

// Scopes are all that a key of owner could be for.
func Scopes(owner *directory.User) (all []Scope) {
	for i, kind := range scopeKinds {
		if i == 0 || owner.Admin {
			all = append(all, Scope(kind+":read"), Scope(kind+":write"))
		}
	}
	return all
}

// Kind is the kind of object that s is about.
func (s Scope) Kind() string { kind, _, _ := strings.Cut(string(s), ":"); return kind }

// Writes reports whether s lets a key change something.
func (s Scope) Writes() bool { return strings.HasSuffix(string(s), ":write") }

// Allows reports whether k is for what the scope s is for.
func (k *Key) Allows(s Scope) bool {
	return k.Whole() || slices.Contains(k.Scopes, s) || slices.Contains(k.Scopes, Scope(s.Kind()+":write")) && !s.Writes()
}

// scopesFor checks what somebody wants a key of owner to be for: nobody hands on a right
// that the owner lacks. What writing implies is left out.
func scopesFor(owner *directory.User, asked []Scope) (list []Scope, err error) {
	list = []Scope{}
	all := Scopes(owner)
	for _, s := range asked {
		if !slices.Contains(all, s) {
			return nil, ErrKeyScope
		}
	}
	for _, s := range all {
		if slices.Contains(asked, s) && (s.Writes() || !slices.Contains(asked, Scope(s.Kind()+":write"))) {
			list = append(list, s)
		}
	}
	return list, nil
}
