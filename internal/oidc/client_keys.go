package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"pocketid/internal/jose"
	"pocketid/internal/outbound"
)

// How keys of others are kept. A key that was taken out of use counts for up to
// keysMost, unless its owner says less; one that is new is found at once, because a
// token names it.
const (
	keysLeast = time.Minute
	keysMost  = 24 * time.Hour
	keysStale = time.Hour // while their house is down
)

// errNoKeys says that a client has no keys, or that they cannot be had.
var errNoKeys = errors.New("the keys cannot be had")

// signedBy verifies a JWS that c signed, with the keys that c registered, and returns
// its header and claims. want says all but the keys. Keys elsewhere are fetched, so it
// is not for inside of a transaction.
//
// The error is a jose.ErrInvalid or an errNoKeys; neither is for strangers.
func (p *Provider) signedBy(ctx context.Context, c *Client, token string, want jose.Want) (jose.Header, json.RawMessage, error) {
	header, _, err := jose.Peek(token)
	if err != nil {
		return jose.Header{}, nil, err
	}
	keys, err := p.clientKeys(ctx, c, header.KeyID, header.Alg)
	if err != nil {
		return jose.Header{}, nil, err
	}
	want.Keys = keys.Find
	return jose.Verify(token, want)
}

// clientKeys are the public keys of c. When they lie elsewhere and have no key named kid
// for alg, they are looked at anew, which is bounded for each address.
func (p *Provider) clientKeys(ctx context.Context, c *Client, kid string, alg jose.Alg) (jose.Keys, error) {
	switch {
	case c.JWKS != "":
		keys, err := jose.ParseKeys([]byte(c.JWKS))
		if err != nil {
			return keys, fmt.Errorf("%w: %w", errNoKeys, err)
		}
		return keys, nil
	case c.JWKSURI != "":
		return p.keysAt(ctx, c.JWKSURI, kid, alg)
	}
	return jose.Keys{}, fmt.Errorf("%w: the client has none", errNoKeys)
}

// keysAt are the keys of the set at an address.
func (p *Provider) keysAt(ctx context.Context, address, kid string, alg jose.Alg) (jose.Keys, error) {
	if !alg.Known() { // no key can be for it, so nobody is asked
		return jose.Keys{}, fmt.Errorf("%w: the algorithm is not known", errNoKeys)
	}
	q := outbound.Document[jose.Keys]{
		Request: outbound.Request{URL: address, Accept: "application/jwk-set+json, application/json", Max: jose.MaxKeySet, Redirects: true},
		Read:    readKeySet, Least: keysLeast, Most: keysMost, Stale: keysStale,
	}
	keys, err := outbound.Fetch(ctx, p.documents, q)
	if err == nil && keys.Find(kid, alg) == nil {
		keys, err = outbound.Refetch(ctx, p.documents, q)
	}
	if err != nil {
		return jose.Keys{}, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	return keys, nil
}

func readKeySet(a outbound.Answer) (jose.Keys, error) {
	if a.Status != http.StatusOK {
		return jose.Keys{}, fmt.Errorf("the answer has the status %d", a.Status)
	}
	return jose.ReadKeys(a.Body)
}
