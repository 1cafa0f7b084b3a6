package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/images"
)

// A Look is how the pages on the way to a client differ from the others. Only an
// administrator sets it, so that no client can dress our pages up as its own.
type Look struct {
	ClientID string
	// Accent is a colour as settings.CheckColour writes it, Greeting a sentence, Background
	// the validator of a picture; "" is what the instance has.
	Accent, Greeting, Background string
}

// BackgroundPath is where the picture behind the pages is, or "".
func (l Look) BackgroundPath() string {
	if l.Background == "" {
		return ""
	}
	return "/api/oidc/clients/" + PathID(l.ClientID) + "/background?v=" + url.QueryEscape(l.Background)
}

// Look is how the pages on the way to c look.
func (c *Client) Look() Look { return Look{c.ID, c.Accent, c.Greeting, c.Background} }

// AccentOf is the accent of the pages on the way to a client; "" is that of the instance,
// also for a client that does not exist.
func (p *Provider) AccentOf(ctx context.Context, id string) (accent string, err error) {
	err = p.db.Read(ctx, func(tx *db.Tx) error {
		return tx.One([]any{&accent}, `SELECT accent FROM clients WHERE id = $1 AND deleted_at IS NULL`, id)
	})
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return accent, err
}

// Background is GET /api/oidc/clients/{id}/background: the picture behind the pages on the
// way to a client.
func (p *Provider) Background(w http.ResponseWriter, r *http.Request) error {
	id := ParsePathID(r.PathValue("id"))
	var picture images.Picture
	err := p.db.Read(r.Context(), func(tx *db.Tx) error {
		gone := false
		if err := tx.One([]any{&gone}, `SELECT deleted_at IS NOT NULL FROM clients WHERE id = $1`, id); err != nil || gone {
			return errors.Join(err, images.ErrNone)
		}
		var err error
		picture, err = images.Of(tx, images.ClientBackground, id)
		return err
	})
	if err != nil {
		return images.ErrNone.Because("%w", err)
	}
	return edge.Serve(w, r, edge.Content{Type: picture.Type, ETag: picture.ETag, Data: picture.Data})
}
