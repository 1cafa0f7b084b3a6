package settings

import (
	"context"
	"errors"

	"pocketid/internal/db"
	"pocketid/internal/images"
)

// Picture is the first of these pictures of the instance that there is, or
// images.ErrNone.
func (k *Keeper) Picture(ctx context.Context, names ...string) (p images.Picture, err error) {
	err = k.db.Read(ctx, func(tx *db.Tx) error {
		for _, name := range names {
			if p, err = images.Of(tx, images.Instance, name); !errors.Is(err, images.ErrNone) {
				return err
			}
		}
		return images.ErrNone
	})
	return p, err
}
