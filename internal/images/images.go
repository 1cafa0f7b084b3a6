// Package images keeps the pictures of the house: of people, of clients, of the instance
// itself. A picture is a row; replicas need nothing beside the database. What comes in is
// decoded within bounds and written anew, so that nothing of the file that somebody sent is
// ever served as it was.
package images

import (
	"errors"

	"pocketid/internal/db"
)

// A Kind says what a picture is of. With the id of its object it is the key of a row.
type Kind string

// Kinds of pictures.
const (
	Person      Kind = "person"       // the object is a user
	ClientLight Kind = "client-light" // the object is a client; shown on light ground
	ClientDark  Kind = "client-dark"  // the same on dark ground
	Instance    Kind = "instance"     // the object is one of the names below
)

// Objects of kind Instance.
const (
	LogoLight     = "logo-light"
	LogoDark      = "logo-dark"
	Favicon       = "favicon"
	Background    = "background"
	DefaultPerson = "default-person"
)

// A Picture is one that may be served.
type Picture struct {
	Type          string // its media type
	Width, Height int    // pixels; 0 for a drawing without a size
	ETag          string // a strong validator: the hash of Data, without quotes
	Data          []byte
}

// Of is the picture of an object. Its error is db.ErrNotFound when there is none.
func Of(tx *db.Tx, kind Kind, object string) (Picture, error) {
	var p Picture
	err := tx.One([]any{&p.Type, &p.Width, &p.Height, &p.ETag, &p.Data},
		`SELECT type, width, height, etag, data FROM images WHERE kind = $1 AND object_id = $2`, kind, object)
	return p, err
}

// ETagOf is the validator of the picture of an object, or "" when it has none. Addresses of
// pictures carry it, so that they may be kept for ever.
func ETagOf(tx *db.Tx, kind Kind, object string) (string, error) {
	var etag string
	err := tx.One([]any{&etag}, `SELECT etag FROM images WHERE kind = $1 AND object_id = $2`, kind, object)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return etag, err
}

// Put keeps the picture of an object instead of the one that it had.
func Put(tx *db.Tx, kind Kind, object string, p Picture) {
	tx.Do(`INSERT INTO images (kind, object_id, type, width, height, etag, data, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (kind, object_id) DO UPDATE SET type = excluded.type, width = excluded.width, height = excluded.height,
			etag = excluded.etag, data = excluded.data, changed_at = excluded.changed_at`,
		kind, object, p.Type, p.Width, p.Height, p.ETag, p.Data, tx.Now().UnixMicro())
}

// Remove forgets the picture of an object.
func Remove(tx *db.Tx, kind Kind, object string) {
	tx.Do(`DELETE FROM images WHERE kind = $1 AND object_id = $2`, kind, object)
}
