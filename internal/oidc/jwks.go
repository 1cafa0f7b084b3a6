package oidc

import (
	"cmp"
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

// A document is JSON for everybody, rendered once and sent many times.
type document struct {
	body   []byte
	tag    string
	header http.Header // shared by all answers, so never changed
}

func newDocument(body []byte, maxAge time.Duration) *document {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return &document{body: body, tag: tag, header: http.Header{
		"Content-Type":                {"application/json"},
		"Content-Length":              {strconv.Itoa(len(body))},
		"Cache-Control":               {"public, max-age=" + strconv.Itoa(int(maxAge/time.Second))},
		"Etag":                        {tag},
		"Access-Control-Allow-Origin": {"*"},
	}}
}

// serve sends the document, or says that the client has it (RFC 9110 §13.1.2).
func (d *document) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, value := range d.header {
		h[name] = value
	}
	if d.held(r.Header["If-None-Match"]) {
		delete(h, "Content-Length")
		delete(h, "Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(d.body) // a client that went away is nobody's fault
}

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
