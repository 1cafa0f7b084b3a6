package images_test

import (
	"errors"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/images"
)

// A picture is kept, replaced and forgotten, and those of other objects are left alone.
func TestPictureOfAnObject(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		put := func(kind images.Kind, object, etag string) {
			t.Helper()
			if err := d.Write(t.Context(), func(tx *db.Tx) error {
				images.Put(tx, kind, object, images.Picture{Type: "image/png", Width: 2, Height: 3, ETag: etag, Data: []byte(etag)})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		put(images.Person, "a", "one")
		put(images.Person, "b", "two")
		put(images.ClientLight, "a", "three")
		put(images.Person, "a", "four")
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			images.Remove(tx, images.ClientLight, "a")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := d.Read(t.Context(), func(tx *db.Tx) error {
			for _, c := range []struct {
				kind         images.Kind
				object, want string
			}{{images.Person, "a", "four"}, {images.Person, "b", "two"}, {images.ClientLight, "a", ""}} {
				p, err := images.Of(tx, c.kind, c.object)
				if c.want == "" && !errors.Is(err, images.ErrNone) || c.want != "" && (err != nil || string(p.Data) != c.want || p.Width != 2 || p.Height != 3) {
					t.Errorf("%s of %s is %q, %v; want %q", c.kind, c.object, p.Data, err, c.want)
				}
				if etag, err := images.ETagOf(tx, c.kind, c.object); err != nil || etag != c.want {
					t.Errorf("the validator of %s of %s is %q, %v; want %q", c.kind, c.object, etag, err, c.want)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
