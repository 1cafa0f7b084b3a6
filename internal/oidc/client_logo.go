package oidc

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // a logo may be one
	_ "image/jpeg" // a logo may be one
	"image/png"
	"net/http"
	"strings"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/outbound"
)

// The logo of an application comes from wherever it says. We fetch it ourselves, so that
// nobody learns who looks at a page of ours, and what is shown is a picture that we made
// of it: of a bounded size, in one format, without anything else that was in the file
// (threats 74, 78). Pictures that are programs (SVG) are not taken.

const (
	maxLogo     = 256 << 10 // bytes that are fetched
	maxLogoSide = 2048      // pixels that are read
	logoSide    = 128       // pixels that are shown
	logoTimeout = 3 * time.Second
	logoMaxAge  = 15 * time.Minute
)

// drawing bounds how many logos are read at once: each takes some megabytes.
var drawing = make(chan struct{}, 2)

// A logo is a picture as we show it.
type logo struct{ png []byte }

// Logo is GET /api/oidc/clients/{id}/logo, the path of the incumbent.
func (p *Provider) Logo(w http.ResponseWriter, r *http.Request) error {
	picture, err := p.logo(r.Context(), ParsePathID(r.PathValue("id")))
	if err != nil {
		return edge.ErrNotFound.Because("%w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(logoMaxAge/time.Second)))
	h.Set("X-Content-Type-Options", "nosniff")
	_, err = w.Write(picture.png)
	return err
}

// HasLogo says whether there is a picture of a client to show, and gets it if need be. It
// asks elsewhere, so it is never called in a transaction.
func (p *Provider) HasLogo(ctx context.Context, clientID string) bool {
	_, err := p.logo(ctx, clientID)
	return err == nil
}

// LogoPath is where the logo of a client is.
func LogoPath(clientID string) string { return "/api/oidc/clients/" + PathID(clientID) + "/logo" }

var errNoLogo = errors.New("the client has no logo")

func (p *Provider) logo(ctx context.Context, clientID string) (logo, error) {
	at := ""
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		return tx.One([]any{&at}, `SELECT logo_uri FROM clients WHERE id = $1 AND deleted_at IS NULL`, clientID)
	})
	if err != nil {
		return logo{}, err
	}
	if at == "" {
		return logo{}, errNoLogo
	}
	return outbound.Fetch(ctx, p.documents, outbound.Document[logo]{
		Request: outbound.Request{URL: at, Accept: "image/png, image/jpeg, image/gif", Max: maxLogo, Timeout: logoTimeout, Redirects: true},
		Read: func(answer outbound.Answer) (logo, error) {
			if answer.Status != http.StatusOK {
				return logo{}, fmt.Errorf("status %d", answer.Status)
			}
			return drawLogo(answer.Body)
		},
		Least: logoMaxAge,
	})
}

// drawLogo makes a picture of ours from a file of a stranger. The size is looked at before
// anything is unpacked.
func drawLogo(file []byte) (logo, error) {
	drawing <- struct{}{}
	defer func() { <-drawing }()
	size, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return logo{}, err
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxLogoSide || size.Height > maxLogoSide {
		return logo{}, fmt.Errorf("it is %d by %d", size.Width, size.Height)
	}
	from, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return logo{}, err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, shrink(from)); err != nil {
		return logo{}, err
	}
	return logo{out.Bytes()}, nil
}

// shrink makes from fit a square of logoSide, each pixel the mean of those it stands for.
func shrink(from image.Image) image.Image {
	b := from.Bounds()
	w, h := b.Dx(), b.Dy()
	longest := max(w, h)
	to := w * logoSide / longest
	down := h * logoSide / longest
	if longest <= logoSide {
		to, down = w, h
	}
	to, down = max(to, 1), max(down, 1)
	small := image.NewNRGBA(image.Rect(0, 0, to, down))
	for y := range down {
		top, bottom := y*h/down, max((y+1)*h/down, y*h/down+1)
		for x := range to {
			left, right := x*w/to, max((x+1)*w/to, x*w/to+1)
			var r, g, bl, a, n uint64
			for sy := top; sy < bottom; sy++ {
				for sx := left; sx < right; sx++ {
					pr, pg, pb, pa := from.At(b.Min.X+sx, b.Min.Y+sy).RGBA()
					r, g, bl, a, n = r+uint64(pr), g+uint64(pg), bl+uint64(pb), a+uint64(pa), n+1
				}
			}
			small.Set(x, y, color.RGBA64{uint16(r / n), uint16(g / n), uint16(bl / n), uint16(a / n)})
		}
	}
	return small
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
