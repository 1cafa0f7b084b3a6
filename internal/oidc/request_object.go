package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
	"pocketid/internal/outbound"
)

// objectAlgs are the algorithms that a request object may be signed with. There is no
// "none" (RFC 9101 §10.2).
var objectAlgs = []jose.Alg{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

const (
	maxRequestURI = 512      // characters (OpenID Connect Core §6.2)
	maxObject     = 32 << 10 // bytes of a request object that is fetched
	objectTimeout = 5 * time.Second
	// objectSkew is by how much the clock of a client may be wrong.
	objectSkew = time.Minute
)

// ErrRequestURIs is what is refused about the requests of a client.
var ErrRequestURIs = fault.New(fault.Invalid, "request_uris_malformed").At("request_uris").With("max", "20")

const maxRequestURIs = 20

// checkRequests holds what an administrator or a registration says of the requests of a
// client.
func checkRequests(edit ClientEdit) (ClientEdit, error) {
	if edit.RequestObjectAlg != "" && !slices.Contains(objectAlgs, edit.RequestObjectAlg) {
		return edit, ErrAlgUnknown.At("request_object_alg")
	}
	if len(edit.RequestURIs) > maxRequestURIs {
		return edit, ErrRequestURIs
	}
	for i, uri := range edit.RequestURIs {
		uri = strings.TrimSpace(uri)
		bare, _, _ := strings.Cut(uri, "#")
		a, err := parseAddress(bare)
		if err != nil || a.scheme != "https" || strings.Contains(a.host, "*") || len(uri) > maxRequestURI || strings.ContainsFunc(uri, notVisible) {
			return edit, ErrRequestURIs.At(fmt.Sprintf("request_uris[%d]", i))
		}
		edit.RequestURIs[i] = uri
	}
	return edit, nil
}

// requestObject is what a request object says, as parameters. It stands in form or is
// fetched from where form says. Only what is inside counts (RFC 9101 §6.3). Its faults are
// answered to the client if form tells where, outside of the object, and that is
// registered; any other error is an outage. It is not called in a transaction.
func (p *Provider) requestObject(ctx context.Context, form url.Values) (url.Values, error) {
	for _, name := range []string{"request", "request_uri"} {
		if len(form[name]) > 1 {
			return nil, errInvalidRequest.Saying("the parameter " + name + " is repeated")
		}
	}
	if form.Has("request") && form.Has("request_uri") {
		return nil, errInvalidRequest.Saying("request and request_uri exclude each other")
	}
	var c *Client
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		c, err = clientByID(tx, form.Get("client_id"))
		return err
	})
	if errors.Is(err, ErrNoClient) {
		return nil, errInvalidRequestObject // begin says on a page that there is no such client
	}
	if err != nil {
		return nil, err
	}
	text := form.Get("request")
	if form.Has("request_uri") {
		if text, err = p.fetchObject(ctx, c, form.Get("request_uri")); err != nil {
			return nil, err
		}
	}
	return p.readObject(ctx, c, text)
}

// fetchObject gets a request object from one of the addresses that the client registered
// (RFC 9101 §5.2, threats 73).
func (p *Provider) fetchObject(ctx context.Context, c *Client, uri string) (string, error) {
	registered := func(known string) bool {
		bare, _, _ := strings.Cut(uri, "#") // the fragment is for caches, which there are not
		return known == uri || known == bare
	}
	switch {
	case len(c.RequestURIs) == 0:
		return "", errRequestURINotSupported.Saying("this client has no request_uris")
	case len(uri) > maxRequestURI || !slices.ContainsFunc(c.RequestURIs, registered):
		return "", errInvalidRequestURI.Saying("request_uri is not registered")
	}
	bare, _, _ := strings.Cut(uri, "#")
	a, err := p.outbound.Do(ctx, outbound.Request{URL: bare, Accept: "application/oauth-authz-req+jwt, application/jwt", Max: maxObject, Timeout: objectTimeout})
	switch {
	case err != nil:
		return "", errInvalidRequestURI.Saying("request_uri could not be fetched").Because("%w", err)
	case a.Status != http.StatusOK:
		return "", errInvalidRequestURI.Saying("request_uri could not be fetched").Because("the answer is a %d", a.Status)
	}
	return string(bytes.TrimSpace(a.Body)), nil
}

// readObject verifies a request object of c and returns its parameters.
func (p *Provider) readObject(ctx context.Context, c *Client, text string) (url.Values, error) {
	if strings.Count(text, ".") == 4 {
		return nil, errInvalidRequestObject.Saying("the request object is encrypted, which is not supported") // threats 9
	}
	algs := objectAlgs
	if c.RequestObjectAlg != "" {
		algs = []jose.Alg{c.RequestObjectAlg}
	}
	_, payload, err := p.signedBy(ctx, c, text, jose.Want{
		Algs: algs,
		// Untyped ones and "JWT" are of old (RFC 9101 §10.8); no other JWT of a client has
		// the client for its issuer, us for its audience and no subject.
		Typs: []string{"oauth-authz-req+jwt", "jwt", ""}, Unnamed: true,
	})
	if err != nil {
		return nil, errInvalidRequestObject.Saying("the request object is not a JWT that this client signed as registered").Because("%w", err)
	}
	return parseObject(payload, c.ID, p.issuer, edge.Now(ctx))
}

// parseObject reads the claims of a verified request object as parameters (RFC 9101 §4). It
// is pure.
func parseObject(payload []byte, clientID, issuer string, now time.Time) (url.Values, error) {
	var meta struct {
		Issuer    string   `json:"iss"`
		Subject   string   `json:"sub"`
		Audience  audience `json:"aud"`
		ClientID  *string  `json:"client_id"`
		Expires   *float64 `json:"exp"`
		NotBefore *float64 `json:"nbf"`
		IssuedAt  *float64 `json:"iat"`
	}
	members := map[string]json.RawMessage{}
	if err := jose.Unmarshal(payload, &meta); err != nil {
		return nil, errInvalidRequestObject.Saying("the claims of the request object are not understood").Because("%w", err)
	}
	if err := jose.Unmarshal(payload, &members); err != nil {
		return nil, errInvalidRequestObject.Because("%w", err)
	}
	at, skew := float64(now.Unix()), objectSkew.Seconds()
	why := ""
	switch {
	case meta.Issuer != clientID:
		why = "iss is not the client"
	case meta.ClientID != nil && *meta.ClientID != clientID:
		why = "client_id is another inside than outside"
	case !slices.Contains(meta.Audience, issuer):
		why = "aud is not this server"
	case meta.Subject == clientID: // it could be taken for a client assertion (RFC 9101 §10.8)
		why = "sub is the client"
	case meta.Expires != nil && *meta.Expires <= at-skew:
		why = "it has expired"
	case meta.NotBefore != nil && *meta.NotBefore > at+skew, meta.IssuedAt != nil && *meta.IssuedAt > at+skew:
		why = "it is from the future"
	case members["request"] != nil || members["request_uri"] != nil:
		why = "request and request_uri cannot be inside"
	}
	if why != "" {
		return nil, errInvalidRequestObject.Saying("the request object is refused: " + why)
	}
	form := url.Values{}
	for name, raw := range members {
		switch name {
		case "iss", "sub", "aud", "exp", "nbf", "iat", "jti":
			continue
		}
		values, err := parameter(raw)
		if err != nil {
			return nil, errInvalidRequestObject.Saying("the request object is refused: " + printable(name) + " has a value that no parameter has")
		}
		form[name] = values
	}
	form.Set("client_id", clientID)
	return form, nil
}

// parameter is a JSON value as the values of a parameter: a text as it is, a number or a
// truth value as it is written, an object as JSON, a list of texts as many.
func parameter(raw json.RawMessage) ([]string, error) {
	switch raw = bytes.TrimSpace(raw); raw[0] {
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return []string{s}, err
	case '[':
		var list []string
		err := json.Unmarshal(raw, &list)
		return list, err
	case 'n': // null is as good as absent
		return nil, nil
	}
	return []string{string(raw)}, nil
}
