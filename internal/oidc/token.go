package oidc

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
)

// What the token endpoint answers beside the faults of every OAuth request
// (RFC 6749 §5.2).
var (
	errInvalidClient        = fault.New(fault.Unauthenticated, "invalid_client")
	errInvalidGrant         = fault.New(fault.Invalid, "invalid_grant")
	errUnsupportedGrantType = fault.New(fault.Invalid, "unsupported_grant_type")
)

// A tokenRequest is what a client asks of the token endpoint, read once. Who it is
// that asks are its credentials.
type tokenRequest struct {
	credentials credentials
	grant       grantType
	grantName   string // its grant_type

	code        string
	redirectURI string
	verifier    string

	// resources narrow what the token is for (RFC 8707 §2.2).
	resources []string

	refreshToken string
	// scopes narrow what a refresh gives; nil is all of it.
	scopes []string

	deviceCode string

	// exchange is what an exchange of tokens is about.
	exchange *exchangeRequest

	// by is who is asking, for the audit log and the counters of guesses.
	by audit.Actor
}

// A grantType is one way to get tokens. The endpoint owns what all of them have in
// common: reading, authenticating, one transaction, signing after its commit,
// answering. A grant fills in the two parts that are its own.
type grantType struct {
	// parse reads the parameters of this grant, without a database.
	parse func(q *tokenRequest, form url.Values) error
	// redeem says what c gets. A refusal that must leave a trace is a db.Keep.
	redeem func(p *Provider, tx *db.Tx, c *Client, q *tokenRequest) (issue, error)
}

// grantTypes are the grants there are. The password of a person is none of them
// (RFC 9700 §2.4).
var grantTypes = map[string]grantType{
	grantTypeCode:     {parseCodeGrant, (*Provider).redeemCode},
	grantTypeRefresh:  {parseRefreshGrant, (*Provider).redeemRefresh},
	grantTypeExchange: {parseExchangeGrant, (*Provider).redeemExchange},
	grantTypeDevice:   {parseDeviceGrant, (*Provider).redeemDevice},
	grantTypeClient:   {parseClientGrant, (*Provider).redeemClient},
}

// Token is POST /api/oidc/token (RFC 6749 §3.2).
func (p *Provider) Token(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	answer, err := p.token(r)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, answer)
}

func (p *Provider) token(r *http.Request) (*tokenAnswer, error) {
	ctx := r.Context()
	form, err := edge.Form(r)
	if err != nil {
		return nil, err
	}
	q, err := parseToken(r.Header, form)
	if err != nil {
		return nil, err
	}
	q.by = audit.From(ctx)
	q.by.Via = "api"
	edge.Note(ctx, "client", q.credentials.clientID)
	if q.credentials, err = p.prove(ctx, q.credentials); err != nil {
		return nil, err
	}
	if err := p.readExchange(ctx, q); err != nil {
		return nil, err
	}
	var given issue
	err = p.tryLegacy(ctx, func() error {
		return p.db.Write(ctx, func(tx *db.Tx) error {
			c, err := p.authenticate(tx, q.credentials, q.by)
			if err != nil {
				return err
			}
			if !c.uses(q.grantName) {
				return errUnauthorizedClient.Saying("the client may not use this grant_type")
			}
			given, err = q.grant.redeem(p, tx, c, q)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	edge.Note(ctx, "grant", given.grant.ID)
	edge.Note(ctx, "user", given.user.ID)
	return p.sign(ctx, &given)
}

// parseToken reads a request of the token endpoint. It is pure.
func parseToken(h http.Header, form url.Values) (*tokenRequest, error) {
	if err := edge.Single(form, "resource", "audience"); err != nil {
		return nil, err
	}
	q := &tokenRequest{grantName: form.Get("grant_type")}
	if q.grantName == "" {
		return nil, errInvalidRequest.Saying("grant_type is missing")
	}
	var known bool
	if q.grant, known = grantTypes[q.grantName]; !known {
		return nil, errUnsupportedGrantType.Saying("grant_type can be " + strings.Join(slices.Sorted(maps.Keys(grantTypes)), ", "))
	}
	var err error
	if q.credentials, err = parseCredentials(h, form); err != nil {
		return nil, err
	}
	if q.resources, err = parseResources(form); err != nil {
		return nil, err
	}
	return q, q.grant.parse(q, form)
}

// parseScopes reads a scope parameter: words with single spaces between them
// (RFC 6749 §3.3). An absent one is nil.
func parseScopes(form url.Values) ([]string, error) {
	s := form.Get("scope")
	if s == "" {
		return nil, nil
	}
	if len(s) > maxScope || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return nil, errInvalidScope.Saying("scope is not a list of words")
	}
	return strings.Fields(s), nil
}
