package settings

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/images"
)

// The pictures of the instance are rows of images. Which there are, and how each is at the
// moment, is kept as a fact beside the settings, so that a page that reads the settings
// knows it too and needs no statement for it.

// picturesFact holds the validators of the pictures by their names, as JSON.
const picturesFact = "pictures"

// PictureNames are the pictures that the instance can have of its own.
var PictureNames = []string{images.LogoLight, images.LogoDark, images.Favicon, images.Background, images.DefaultPerson}

// SetPicture keeps p as the picture of the instance with this name.
func (k *Keeper) SetPicture(ctx context.Context, by audit.Actor, name string, p images.Picture) error {
	return k.picture(ctx, by, name, func(tx *db.Tx) (string, string) {
		images.Put(tx, images.Instance, name, p)
		return p.ETag, p.String()
	})
}

// RemovePicture lets the picture of the house count again instead of the one with this name.
func (k *Keeper) RemovePicture(ctx context.Context, by audit.Actor, name string) error {
	return k.picture(ctx, by, name, func(tx *db.Tx) (string, string) {
		images.Remove(tx, images.Instance, name)
		return "", ""
	})
}

// picture changes one of the pictures: change returns its validator and its text.
func (k *Keeper) picture(ctx context.Context, by audit.Actor, name string, change func(*db.Tx) (etag, text string)) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	if !slices.Contains(PictureNames, name) {
		panic("settings: there is no picture called " + name)
	}
	return k.db.Write(ctx, func(tx *db.Tx) error {
		s, err := Of(tx)
		if err != nil {
			return err
		}
		was := ""
		if p, err := images.Of(tx, images.Instance, name); err == nil {
			was = p.String()
		}
		all := maps.Clone(s.Pictures)
		if all == nil {
			all = map[string]string{}
		}
		etag, is := change(tx)
		if all[name] == etag {
			return nil
		}
		if all[name] = etag; etag == "" {
			delete(all, name)
		}
		b, err := json.Marshal(all)
		if err != nil {
			return err
		}
		SetFact(tx, picturesFact, string(b))
		audit.Record(tx, by, audit.Event{Name: audit.SettingsEdited, Object: audit.Object{Kind: "settings", Name: s.AppName},
			Before: map[string]any{name: was}, After: map[string]any{name: is}})
		return nil
	})
}
