package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// How long a copy of something with a validator is good without asking, at an address that
// may say something else tomorrow.
const (
	contentMaxAge = 15 * time.Minute
	contentStale  = time.Hour
)

// drawingPolicy is for drawings, which are documents too: opened by themselves they run
// nothing, ask for nothing and are of no origin.
const drawingPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

// Content is something of a known type that anybody may have, from a row: a picture.
type Content struct {
	Type string
	// ETag is a strong validator of Data, without quotes.
	ETag string
	Data []byte
}

// Serve answers c to GET and HEAD. An address with ?v=<ETag> names these bytes for ever;
// without it a copy is good for a while, and then cheap to ask about. What is not the same
// for everybody says so by Vary before.
func Serve(w http.ResponseWriter, r *http.Request, c Content) error {
	h := w.Header()
	tag := `"` + c.ETag + `"`
	if v := r.URL.Query().Get("v"); v != "" && v == c.ETag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "public, max-age="+seconds(contentMaxAge)+", stale-while-revalidate="+seconds(contentStale))
	}
	h.Set("Etag", tag)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // applications show who is signed in
	if strings.HasPrefix(c.Type, "image/svg") {
		h.Set("Content-Security-Policy", drawingPolicy)
	}
	if Matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", c.Type)
	_, err := w.Write(c.Data)
	return err
}

// Matches compares an If-None-Match with a validator, weakly (RFC 9110 §13.1.2).
func Matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// megabytes is a bound of bytes as people read it.
func megabytes(n int64) string { return strconv.FormatInt(n>>20, 10) }
