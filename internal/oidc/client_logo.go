package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/images"
	"pocketid/internal/jobs"
	"pocketid/internal/outbound"
)

// An administrator gives a client a logo for light ground, for dark ground, or both; those
// are rows of images. The logo of a client that registered itself comes from wherever it
// says. We fetch that ourselves, so that nobody learns who looks at a page of ours, and
// what is shown is a picture that we made of it (threats 74, 78). Of strangers no drawings
// are taken.

const (
	maxLogo     = 256 << 10 // bytes that are fetched for strangers
	logoTimeout = 3 * time.Second
	logoMaxAge  = 15 * time.Minute

	// An administrator may wait longer for more.
	maxChosenLogo     = 2 << 20
	chosenLogoTimeout = 15 * time.Second
)

// ErrLogoDownload is about an address at which there is no picture to be had.
var ErrLogoDownload = fault.New(fault.Unprocessable, "logo_download_failed")

// forStrangers is what becomes of a picture that a client says is its own.
var forStrangers = images.Want{Width: images.ForLogo.Width, Height: images.ForLogo.Height}

// A Logo says which logos a client has here, by the validators of the pictures.
type Logo struct{ Light, Dark string }

// Paths are where the logos of a client are.
func (l Logo) Paths(clientID string) (paths LogoPaths) {
	if l.Light != "" {
		paths.Light = LogoPath(clientID) + "?light=true&v=" + url.QueryEscape(l.Light)
	}
	if l.Dark != "" {
		paths.Dark = LogoPath(clientID) + "?light=false&v=" + url.QueryEscape(l.Dark)
	}
	return paths
}

// LogoPaths are the addresses of the logos for light and for dark ground; "" is none.
type LogoPaths struct{ Light, Dark string }

// Logo is GET /api/oidc/clients/{id}/logo?light=, the path of the incumbent. Where there is
// a logo for one ground alone it is the answer for both.
func (p *Provider) Logo(w http.ResponseWriter, r *http.Request) error {
	id := ParsePathID(r.PathValue("id"))
	kinds := []images.Kind{images.ClientLight, images.ClientDark}
	if r.URL.Query().Get("light") == "false" {
		kinds[0], kinds[1] = kinds[1], kinds[0]
	}
	var picture images.Picture
	elsewhere := ""
	err := p.db.Read(r.Context(), func(tx *db.Tx) error {
		err := tx.One([]any{&elsewhere}, `SELECT logo_uri FROM clients WHERE id = $1 AND deleted_at IS NULL`, id)
		if err != nil {
			return err
		}
		if picture, err = images.Of(tx, kinds[0], id); errors.Is(err, images.ErrNone) {
			picture, err = images.Of(tx, kinds[1], id)
		}
		return err
	})
	if errors.Is(err, images.ErrNone) && elsewhere != "" {
		picture, err = p.strangersLogo(r.Context(), elsewhere)
	}
	if err != nil {
		return images.ErrNone.Because("%w", err)
	}
	return edge.Serve(w, r, edge.Content{Type: picture.Type, ETag: picture.ETag, Data: picture.Data})
}

// Logos are where the logos of the client of w are, with the one that it says is elsewhere
// when there is none here. That one is fetched if need be, so this is never called in a
// transaction.
func (p *Provider) Logos(ctx context.Context, w *Waiting) LogoPaths {
	paths := w.Logo.Paths(w.ClientID)
	if paths == (LogoPaths{}) && w.logoURI != "" {
		if _, err := p.strangersLogo(ctx, w.logoURI); err == nil {
			paths.Light = LogoPath(w.ClientID)
		}
	}
	return paths
}

// LogoPath is where the logo of a client is.
func LogoPath(clientID string) string { return "/api/oidc/clients/" + PathID(clientID) + "/logo" }

// strangersLogo makes a logo of what is where a client says its own is, and keeps it for a while.
func (p *Provider) strangersLogo(ctx context.Context, at string) (images.Picture, error) {
	return outbound.Fetch(ctx, p.documents, outbound.Document[images.Picture]{
		Request: outbound.Request{URL: at, Accept: forStrangers.Accept(), Max: maxLogo, Timeout: logoTimeout, Redirects: true},
		Read: func(answer outbound.Answer) (images.Picture, error) {
			if answer.Status != http.StatusOK {
				return images.Picture{}, fmt.Errorf("status %d", answer.Status)
			}
			return images.Read(context.WithoutCancel(ctx), answer.Body, forStrangers)
		},
		Least: logoMaxAge,
	})
}

// FetchLogo makes a logo of what is at an address that an administrator names.
func (p *Provider) FetchLogo(ctx context.Context, by audit.Actor, address string) (images.Picture, error) {
	if err := by.MustAdmin(); err != nil {
		return images.Picture{}, err
	}
	address = strings.TrimSpace(address)
	if !isLaunchURL(address) || !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return images.Picture{}, ErrLogoDownload.Because("it is no address of the web")
	}
	picture, err := p.chosenLogo(ctx, address)
	if _, ok := errors.AsType[*fault.Error](err); err != nil && !ok {
		err = ErrLogoDownload.Because("%w", err)
	}
	return picture, err
}

// chosenLogo is what is at the address now: an administrator has just put it there.
func (p *Provider) chosenLogo(ctx context.Context, at string) (images.Picture, error) {
	answer, err := p.outbound.Do(ctx, outbound.Request{URL: at, Accept: images.ForLogo.Accept(), Max: maxChosenLogo, Timeout: chosenLogoTimeout, Redirects: true})
	if err != nil {
		return images.Picture{}, err
	}
	if answer.Status != http.StatusOK {
		return images.Picture{}, fmt.Errorf("status %d", answer.Status)
	}
	return images.Read(ctx, answer.Body, images.ForLogo)
}

// SetClientLogo gives a client a logo for a ground: kind is ClientLight or ClientDark, or
// ClientBackground for the picture behind the pages on the way to it.
func (p *Provider) SetClientLogo(ctx context.Context, by audit.Actor, id string, kind images.Kind, picture images.Picture) error {
	return p.changeLogo(ctx, by, id, kind, &picture)
}

// RemoveClientLogo takes the logo for a ground away.
func (p *Provider) RemoveClientLogo(ctx context.Context, by audit.Actor, id string, kind images.Kind) error {
	return p.changeLogo(ctx, by, id, kind, nil)
}

// changeLogo sets a logo, or takes it away when picture is nil.
func (p *Provider) changeLogo(ctx context.Context, by audit.Actor, id string, kind images.Kind, picture *images.Picture) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, id)
		if err != nil {
			return err
		}
		at, name := &c.Logo.Light, "logo"
		switch kind {
		case images.ClientDark:
			at, name = &c.Logo.Dark, "dark_logo"
		case images.ClientBackground:
			at, name = &c.Background, "background"
		}
		was, is, before := "", "", *at
		switch old, err := images.Of(tx, kind, id); {
		case err == nil:
			was = old.String()
		case !errors.Is(err, images.ErrNone):
			return err
		}
		if *at = ""; picture == nil {
			images.Remove(tx, kind, id)
		} else {
			*at, is = picture.ETag, picture.String()
			images.Put(tx, kind, id, *picture)
		}
		if *at == before {
			return nil
		}
		updateClient(tx, c)
		audit.Record(tx, by, audit.Event{Name: audit.ClientLogoEdited, Object: c.object(), Client: c.ID,
			Before: map[string]any{name: was}, After: map[string]any{name: is}})
		jobs.Publish(tx, "client.changed", id)
		return nil
	})
}

// pathMark begins an id in a path that stands there in base64url: one that is an address has
// slashes. No other id begins with it.
const pathMark = "~"

// PathID is a client id as a segment of a path, as the incumbent has it too.
func PathID(id string) string {
	if strings.ContainsRune(id, '/') {
		return pathMark + base64.RawURLEncoding.EncodeToString([]byte(id))
	}
	return id
}

// ParsePathID is the client id that a segment of a path stands for; "" of none.
func ParsePathID(segment string) string {
	encoded, marked := strings.CutPrefix(segment, pathMark)
	if !marked {
		return segment
	}
	id, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !isText(string(id)) {
		return ""
	}
	return string(id)
}
