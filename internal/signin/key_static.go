package signin

import (
	"context"
	"errors"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
)

// staticKey is the id of the key in the environment, which is no row.
const staticKey = "static"

// isStatic reports whether a presented key is that of the environment.
func (s *SignIn) isStatic(presented string) bool {
	return s.static != nil && secret.Equal(secret.Hash(presented), s.static)
}

// staticHolder is who holds the key of the environment: a service account that
// administrators can disable like any other.
func (s *SignIn) staticHolder(ctx context.Context) (Holder, error) {
	u, err := s.directory.Static(ctx)
	if err != nil {
		return Holder{}, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error { return u.Active(tx.Now()) })
	if errors.Is(err, directory.ErrNoUser) { // it was deleted by hand; it is made anew after the next start
		return Holder{}, ErrKeyInvalid
	}
	return Holder{Key: Key{ID: staticKey, UserID: u.ID, Name: "STATIC_API_KEY"}, User: u}, err
}
