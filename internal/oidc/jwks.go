package oidc

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/jose"
)

// JWKS is the endpoint of our public keys, /.well-known/jwks.json.
func (p *Provider) JWKS(w http.ResponseWriter, r *http.Request) error {
	known, err := p.keys.complete(r.Context())
	if err != nil {
		return err
	}
	known.jwks.serve(w, r)
	return nil
}

// jwksOf is the JWK Set of all keys that may verify a token. The keys that
// sign come first, RS256 before all, for clients that take the first they find.
func jwksOf(keys []*signingKey) (*document, error) {
	order := []keyState{keyActive, keyNext, keyRetiring}
	shown := slices.Clone(keys)
	shown = slices.DeleteFunc(shown, func(k *signingKey) bool { return !slices.Contains(order, k.state) })
	slices.SortStableFunc(shown, func(a, b *signingKey) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.state), slices.Index(order, b.state)),
			cmp.Compare(slices.Index(KeyAlgs, a.alg), slices.Index(KeyAlgs, b.alg)))
	})
	set := make([]jose.JWK, len(shown))
	for i, k := range shown {
		set[i] = k.shown
	}
	body, err := jose.Set(set)
	if err != nil {
		return nil, fmt.Errorf("write the JWKS: %w", err)
	}
	return newDocument(body, JWKSMaxAge), nil
}

// A document is JSON for everybody, rendered and compressed once and sent many
// times.
type document struct {
	tag           string
	plain, packed encoding
}

// encoding is one way to send a document.
type encoding struct {
	body   []byte
	header http.Header // shared by all answers, so never changed
}

// worthPacking is the size in bytes below which the edge compresses nothing either.
const worthPacking = 1 << 10

func newDocument(body []byte, maxAge time.Duration) *document {
	sum := sha256.Sum256(body)
	d := &document{tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	d.plain = d.encode(body, maxAge)
	d.packed = d.plain
	if len(body) >= worthPacking {
		var small bytes.Buffer
		z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
		if err != nil {
			panic("oidc: gzip does not know its own level: " + err.Error())
		}
		z.Write(body)
		z.Close()
		d.packed = d.encode(small.Bytes(), maxAge)
		d.packed.header["Content-Encoding"] = []string{"gzip"}
		d.packed.header["Etag"] = []string{"W/" + d.tag} // not the same bytes (RFC 9110 §8.8.1)
		d.packed.header["Vary"] = []string{"Accept-Encoding"}
	}
	return d
}

func (d *document) encode(body []byte, maxAge time.Duration) encoding {
	return encoding{body, http.Header{
		"Content-Type":                {"application/json"},
		"Content-Length":              {strconv.Itoa(len(body))},
		"Cache-Control":               {"public, max-age=" + strconv.Itoa(int(maxAge/time.Second))},
		"Etag":                        {d.tag},
		"Access-Control-Allow-Origin": {"*"},
	}}
}

// serve sends the document, or says that the client has it (RFC 9110 §13.1.2).
func (d *document) serve(w http.ResponseWriter, r *http.Request) {
	f := &d.plain
	if acceptsGzip(r.Header["Accept-Encoding"]) {
		f = &d.packed
	}
	h := w.Header()
	for name, value := range f.header {
		h[name] = value
	}
	if d.held(r.Header["If-None-Match"]) {
		for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding"} {
			delete(h, name)
		}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(f.body) // a client that went away is nobody's fault
}

// held tells whether a client has the document, in whichever encoding.
func (d *document) held(tags []string) bool {
	for _, line := range tags {
		for tag := range strings.SplitSeq(line, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == d.tag {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding. Who gives gzip a weight, be it 0, gets the
// plain form, which everybody reads.
func acceptsGzip(lines []string) bool {
	for _, line := range lines {
		for coding := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				return true
			}
		}
	}
	return false
}
