package oidc

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// The types of tokens that can be exchanged (RFC 8693 §3). Our access tokens are JWTs, so
// both names mean them; no other JWT of ours passes.
const (
	tokenTypeAccess = "urn:ietf:params:oauth:token-type:access_token"
	tokenTypeJWT    = "urn:ietf:params:oauth:token-type:jwt"
)

const (
	// maxTokenSent bounds a token that somebody sends us, in bytes.
	maxTokenSent = 16 << 10
	// maxExchangeDepth is how often in a row a token can be exchanged for another one, and
	// with it how long a chain of actors grows.
	maxExchangeDepth = 4
	// exchangeToldEvery is how often the log tells of exchanges that are alike.
	exchangeToldEvery = time.Hour
)

// An exchangeRequest is what a client asks for when it exchanges a token (RFC 8693 §2.1).
type exchangeRequest struct {
	subject, actor sentToken
	// issued is the type of token that the answer names.
	issued string
	// audiences are whom the new token is for by name; resources are in the tokenRequest.
	audiences []string
}

// A sentToken is an access token that came in a form, and what it says. It is read before
// the transaction, because keys are not read inside of one.
type sentToken struct {
	text string
	said accessClaims
	// bad says why the token is not one of ours.
	bad error
}

func parseExchangeGrant(q *tokenRequest, form url.Values) (err error) {
	x := &exchangeRequest{issued: tokenTypeAccess}
	q.exchange = x
	if x.subject.text, err = parseSentToken(form, "subject_token"); err != nil {
		return err
	}
	if x.subject.text == "" {
		return errInvalidRequest.Saying("subject_token is missing")
	}
	if x.actor.text, err = parseSentToken(form, "actor_token"); err != nil {
		return err
	}
	switch wanted := form.Get("requested_token_type"); wanted {
	case "":
	case tokenTypeAccess, tokenTypeJWT:
		x.issued = wanted
	default:
		return errInvalidRequest.Saying("requested_token_type can be an access token or a JWT")
	}
	for _, audience := range form["audience"] {
		switch {
		case audience == "" || slices.Contains(x.audiences, audience):
		case len(x.audiences) == maxResources:
			return errInvalidTarget.Saying("there are more than 5 audiences")
		case len(audience) > maxResource || strings.ContainsFunc(audience, notVisible):
			return errInvalidTarget.Saying("audience is malformed")
		default:
			x.audiences = append(x.audiences, audience)
		}
	}
	q.scopes, err = parseScopes(form)
	return err
}

// parseSentToken reads a token and its type, of which neither comes without the other.
func parseSentToken(form url.Values, name string) (string, error) {
	token, typ := form.Get(name), form.Get(name+"_type")
	switch {
	case (token == "") != (typ == ""):
		return "", errInvalidRequest.Saying(name + " and " + name + "_type come together")
	case typ != "" && typ != tokenTypeAccess && typ != tokenTypeJWT:
		return "", errInvalidRequest.Saying(name + "_type can be an access token or a JWT")
	case len(token) > maxTokenSent:
		return "", errInvalidRequest.Saying(name + " is too long")
	}
	return token, nil
}

// readExchange reads the tokens of an exchange: signature, type and issuer. One that is
// none of ours is refused later, when it is known who asks.
func (p *Provider) readExchange(ctx context.Context, q *tokenRequest) error {
	if q.exchange == nil {
		return nil
	}
	for _, t := range []*sentToken{&q.exchange.subject, &q.exchange.actor} {
		if t.text == "" {
			continue
		}
		var err error
		if t.said, err = p.readToken(ctx, t.text); errors.Is(err, errInvalidToken) {
			t.bad = err
		} else if err != nil {
			return err
		}
	}
	return nil
}

// redeemExchange gives an access token for the access token of another client (RFC 8693):
// to confidential clients alone, for tokens of those clients that an administrator named,
// and never for more than the token is good for. The person's side is asked as userinfo
// asks it: whatever ended the token that is exchanged refuses it here, and the gate is
// asked for the client that wants the new one as well (threats 3, 21).
func (p *Provider) redeemExchange(tx *db.Tx, c *Client, q *tokenRequest) (issue, error) {
	x := q.exchange
	unacceptable := func(what string) *fault.Error { return errInvalidRequest.Saying(what + " is not acceptable") }
	if c.Public {
		return issue{}, errUnauthorizedClient.Saying("a public client cannot exchange tokens")
	}
	if x.subject.bad != nil {
		return issue{}, unacceptable("subject_token").Because("%w", x.subject.bad)
	}
	said := x.subject.said
	var allowed bool
	if err := tx.One([]any{&allowed}, `SELECT EXISTS (SELECT 1 FROM token_exchanges WHERE client_id = $1 AND from_client_id = $2)`,
		c.ID, said.ClientID); err != nil {
		return issue{}, err
	}
	if !allowed {
		return issue{}, errUnauthorizedClient.Saying("the client may not exchange tokens of that client")
	}
	h, has, err := p.access(tx, said)
	if errors.Is(err, errInvalidToken) {
		return issue{}, unacceptable("subject_token").Because("%w", err)
	}
	if err != nil {
		return issue{}, err
	}
	parent := h.grant
	if parent.UserID == "" {
		return issue{}, errInvalidRequest.Saying("subject_token is not about a person")
	}
	if err := notTooDeep(tx, parent); err != nil {
		return issue{}, err
	}
	of, err := mayUse(tx, h.user, c)
	if err != nil {
		if err = refusal(err); errors.Is(err, errEnded) {
			err = unacceptable("subject_token").Because("the gate: %w", err)
		}
		return issue{}, err
	}
	g := Grant{ParentID: parent.ID, SessionID: parent.SessionID, Offline: parent.Offline, AuthTime: parent.AuthTime, AMR: parent.AMR, ACR: parent.ACR}
	scopes, err := narrowed(has, q.scopes)
	if err != nil {
		return issue{}, err
	}
	for _, s := range scopes {
		if isHouseScope(s) {
			g.Scopes = append(g.Scopes, s)
		}
	}
	reached, err := p.exchangeTargets(tx, c, q, permissionWords(scopes))
	if err != nil {
		return issue{}, err
	}
	for _, r := range reached {
		g.Resources = append(g.Resources, r.Target)
	}
	act := said.Act
	if x.actor.text != "" {
		sub, err := p.actsItself(tx, c, &x.actor)
		if err != nil {
			return issue{}, err
		}
		g.Actor, act = c.ID, &actClaim{Subject: sub, Act: said.Act}
	}
	return exchanged(tx, of, g, reached, x, act, q.by)
}

// narrowed are the scopes of the new token: those asked for, of those that the old one
// has. Nothing is asked for a time when the person is away: the new token ends with the
// old one (threats 13).
func narrowed(has, wanted []string) ([]string, error) {
	scopes := []string{}
	for _, s := range has {
		if s != scopeOffline && (wanted == nil || slices.Contains(wanted, s)) {
			scopes = append(scopes, s)
		}
	}
	for _, s := range wanted {
		if !slices.Contains(scopes, s) {
			return nil, errInvalidScope.Saying("scope can only be what subject_token has, or less")
		}
	}
	return scopes, nil
}

// exchangeTargets finds out where the new token is for, and what c may have there of words.
// Its own id and the issuer are the usual audience of a client and can be named; every
// other audience is the name of an API.
func (p *Provider) exchangeTargets(tx *db.Tx, c *Client, q *tokenRequest, words []string) ([]reach, error) {
	resources := slices.Clone(q.resources)
	for _, audience := range q.exchange.audiences {
		named := func(r string) bool { return resourceKey(r) == resourceKey(audience) }
		if audience != c.ID && audience != p.issuer && !slices.ContainsFunc(resources, named) {
			resources = append(resources, audience)
		}
	}
	switch {
	case len(resources) > 1:
		return nil, errInvalidTarget.Saying("a token is for one API; name one at a time")
	case len(resources) == 0 && q.scopes == nil: // the permissions of the old token are for its API
		return nil, nil
	}
	return reachFor(tx, c, forUsers, resources, words)
}

// isHouseScope says whether s is a scope of the house, and no permission of an API.
func isHouseScope(s string) bool { return slices.Contains(scopes, s) }

// notTooDeep bounds how often in a row tokens are exchanged.
func notTooDeep(tx *db.Tx, g *Grant) error {
	parent := g.ParentID
	for range maxExchangeDepth {
		if parent == "" {
			return nil
		}
		err := tx.One([]any{db.Text(&parent)}, `SELECT parent_id FROM grants WHERE id = $1`, parent)
		if err != nil {
			return err
		}
	}
	return errInvalidRequest.Saying("the token was exchanged too often in a row")
}

// actsItself is what c calls itself in an actor token: an access token that c got for
// itself. Nobody acts by the token of somebody else.
func (p *Provider) actsItself(tx *db.Tx, c *Client, t *sentToken) (sub string, err error) {
	refused := errInvalidRequest.Saying("actor_token is not acceptable: it has to be a token of the client for itself")
	if t.bad != nil {
		return "", refused.Because("%w", t.bad)
	}
	h, _, err := p.access(tx, t.said)
	switch {
	case errors.Is(err, errInvalidToken):
		return "", refused.Because("%w", err)
	case err != nil:
		return "", err
	case h.grant.Kind != grantByClient || h.client.ID != c.ID:
		return "", refused.Because("it is not the client's own")
	}
	return t.said.Subject, nil
}

// An actClaim is who acts for the subject of a token, and for whom they act in turn
// (RFC 8693 §4.1).
type actClaim struct {
	Subject string    `json:"sub"`
	Act     *actClaim `json:"act,omitempty"`
}

// exchanged makes the grant of an exchange. It ends with its parent and has no refresh
// token, and its access token lives no longer than the one it was exchanged for.
func exchanged(tx *db.Tx, of pass, g Grant, reached []reach, x *exchangeRequest, act *actClaim, by audit.Actor) (issue, error) {
	c, now := of.client, tx.Now()
	until := time.Unix(x.subject.said.Expires, 0).UTC()
	g.ID, g.Kind, g.UserID, g.ClientID = secret.ID(), grantByExchange, of.user.ID, c.ID
	g.CreatedAt, g.ExpiresAt = now, until
	g.Scopes = append([]string{}, g.Scopes...)
	var told bool
	since := now.Add(-exchangeToldEvery)
	tx.One([]any{&told}, `SELECT EXISTS (SELECT 1 FROM grants WHERE user_id = $1 AND client_id = $2 AND kind = $3 AND created_at > $4 AND actor = $5
		AND parent_id = $6)`, g.UserID, g.ClientID, g.Kind, db.Time(&since), g.Actor, g.ParentID)
	insertGrant(tx, &g)
	if !told {
		audit.Record(tx, by, audit.Event{Name: audit.TokenExchanged, Object: c.object(), User: g.UserID, Client: c.ID,
			Data: map[string]any{"from": x.subject.said.ClientID, "acts": g.Actor != "", "scopes": g.Scopes, "resources": g.Resources}})
	}
	i := issue{holding: holding{pass: of, grant: &g, reached: reached}, at: now, until: until, act: act, issued: x.issued}
	return i, i.narrow(nil, nil)
}

// holdParent asks whether the grant that g was exchanged for is still good.
func (p *Provider) holdParent(tx *db.Tx, g *Grant) error {
	c, parent, given, _, err := grantAndClient(tx, g.ParentID, "")
	if errors.Is(err, db.ErrNotFound) {
		return errEnded
	}
	if err != nil {
		return err
	}
	_, err = p.hold(tx, c, parent, given)
	return err
}
