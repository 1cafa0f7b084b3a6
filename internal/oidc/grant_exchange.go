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
	"pocketid/internal/jose"
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
	// targets are resources and audiences: where the new token is for.
	targets []string
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
	for _, target := range slices.Concat(form["resource"], form["audience"]) {
		if target == "" {
			continue
		}
		if len(target) > maxURI || !isText(target) {
			return errInvalidTarget.Saying("a resource or audience is malformed")
		}
		if !slices.Contains(x.targets, target) {
			x.targets = append(x.targets, target)
		}
	}
	for _, resource := range form["resource"] { // RFC 8707 §2
		if u, err := url.Parse(resource); resource != "" && (err != nil || !u.IsAbs() || strings.Contains(resource, "#")) {
			return errInvalidTarget.Saying("resource is not an absolute URI without a fragment")
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
		_, payload, err := p.keys.Verify(ctx, t.text, typAccess)
		switch {
		case errors.Is(err, jose.ErrInvalid):
			t.bad = err
		case err != nil:
			return err
		default:
			if t.bad = jose.Unmarshal(payload, &t.said); t.bad == nil && t.said.Issuer != p.issuer {
				t.bad = errors.New("the issuer is another")
			}
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
	g := Grant{ParentID: parent.ID, SessionID: parent.SessionID, Offline: parent.Offline, AuthTime: parent.AuthTime, AMR: parent.AMR, ACR: parent.ACR,
		Resources: []Target{}}
	if g.Scopes, err = narrowed(slices.DeleteFunc(has, func(s string) bool { return !slices.Contains(scopes, s) }), q.scopes); err != nil {
		return issue{}, err
	}
	if err := p.exchangeTargets(tx, c, x, &g); err != nil {
		return issue{}, err
	}
	act := said.Act
	if x.actor.text != "" {
		sub, err := p.actsItself(tx, c, &x.actor)
		if err != nil {
			return issue{}, err
		}
		g.Actor, act = c.ID, &actClaim{Subject: sub, Act: said.Act}
	}
	return exchanged(tx, of, g, x, act, q.by), nil
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

// exchangeTargets finds out where the new token is for. Its own id and the issuer are the
// usual audience of a client and can be named.
func (p *Provider) exchangeTargets(tx *db.Tx, c *Client, x *exchangeRequest, g *Grant) error {
	for _, target := range x.targets {
		if target != c.ID && target != p.issuer {
			return errInvalidTarget.Saying("there is no such resource for this client")
		}
	}
	return nil
}

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
	id, _, _ := strings.Cut(t.said.ID, ".")
	of, g, _, revoked, err := grantAndClient(tx, id, t.said.ID)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return "", refused.Because("its grant is gone")
	case err != nil:
		return "", err
	case g.Kind != grantByClient || g.UserID != "" || of.ID != c.ID || t.said.ClientID != c.ID:
		return "", refused.Because("it is not the client's own")
	case revoked || !g.RevokedAt.IsZero() || tx.Now().Unix() >= t.said.Expires || g.cnf != "":
		return "", refused.Because("it has ended")
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
func exchanged(tx *db.Tx, of pass, g Grant, x *exchangeRequest, act *actClaim, by audit.Actor) issue {
	c, now := of.client, tx.Now()
	until := time.Unix(x.subject.said.Expires, 0).UTC()
	g.ID, g.Kind, g.UserID, g.ClientID = secret.ID(), grantByExchange, of.user.ID, c.ID
	g.CreatedAt, g.ExpiresAt = now, until
	var told bool
	since := now.Add(-exchangeToldEvery)
	tx.One([]any{&told}, `SELECT EXISTS (SELECT 1 FROM grants WHERE user_id = $1 AND client_id = $2 AND kind = $3 AND created_at > $4 AND actor = $5
		AND parent_id = $6)`, g.UserID, g.ClientID, g.Kind, db.Time(&since), g.Actor, g.ParentID)
	insertGrant(tx, &g)
	if !told {
		audit.Record(tx, by, audit.Event{Name: audit.TokenExchanged, Object: c.object(), User: g.UserID, Client: c.ID,
			Data: map[string]any{"from": x.subject.said.ClientID, "acts": g.Actor != "", "scopes": g.Scopes}})
	}
	return issue{holding: holding{pass: of, grant: &g}, scopes: g.Scopes, at: now, until: until, act: act, issued: x.issued}
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
