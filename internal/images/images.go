// Package images keeps the pictures of the house: of people, of clients, of the instance
// itself. A picture is a row; replicas need nothing beside the database.
//
// What somebody sends is a file of a stranger. Read makes a picture of ours from it: of a
// bounded size, in one of four formats, without anything else that was in the file. So
// nothing of the file that somebody sent is ever served as it was.
//
//	picture, err := images.Read(ctx, upload.Data, images.ForPerson)
//
// Read is called before the transaction, because it takes a while; the parts Put, Of and
// Remove are for those who own the object: directory.SetPicture, oidc.SetClientLogo and
// settings.Keeper.SetPicture, which record what was done, and keep the ETag beside the
// object, so that a page knows the address of a picture without asking for it.
package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// ErrNone is the answer when an object has no picture.
var ErrNone = fault.New(fault.NotFound, "image_not_found")

// A Kind says what a picture is of. With the id of its object it is the key of a row.
type Kind string

// Kinds of pictures.
const (
	Person      Kind = "person"       // the object is a user
	ClientLight Kind = "client-light" // the object is a client; shown on light ground
	ClientDark  Kind = "client-dark"  // the same on dark ground
	// ClientBackground is behind the pages on the way to a client, which is the object.
	ClientBackground Kind = "client-background"

	Instance Kind = "instance" // the object is one of the names below
)

// Objects of kind Instance.
const (
	LogoLight     = "logo-light"
	LogoDark      = "logo-dark"
	Favicon       = "favicon"
	Background    = "background"
	DefaultPerson = "default-person"
)

// InstanceWants are the objects of kind Instance, and what is read for each.
var InstanceWants = map[string]Want{
	LogoLight: ForLogo, LogoDark: ForLogo, Favicon: ForIcon, Background: ForBackground, DefaultPerson: ForPerson,
}

// A Picture is one that may be served.
type Picture struct {
	Type          string // its media type
	Width, Height int    // pixels; 0 for a drawing without a size
	ETag          string // a strong validator: the hash of Data, without quotes
	Data          []byte
}

// String says what a picture is, for records: nothing of what it shows.
func (p Picture) String() string {
	sort := strings.ToUpper(strings.TrimSuffix(p.Type[strings.LastIndexByte(p.Type, '/')+1:], "+xml"))
	if p.Width == 0 {
		return sort
	}
	return fmt.Sprintf("%s %d × %d", sort, p.Width, p.Height)
}

// made is the picture of data that we wrote ourselves.
func made(mediaType string, width, height int, data []byte) Picture {
	sum := sha256.Sum256(append([]byte(mediaType+"\n"), data...))
	return Picture{mediaType, width, height, hex.EncodeToString(sum[:12]), data}
}

// Of is the picture of an object, or ErrNone.
func Of(tx *db.Tx, kind Kind, object string) (Picture, error) {
	var p Picture
	err := tx.One([]any{&p.Type, &p.Width, &p.Height, &p.ETag, &p.Data},
		`SELECT type, width, height, etag, data FROM images WHERE kind = $1 AND object_id = $2`, kind, object)
	if errors.Is(err, db.ErrNotFound) {
		return Picture{}, ErrNone
	}
	return p, err
}

// ETagOf is the validator of the picture of an object, or "" when it has none.
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
