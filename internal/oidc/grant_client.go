package oidc

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// machinePrefix begins the subject of tokens in which a client speaks for itself. No id of
// a user begins like that, and no pairwise subject (RFC 9700 §4.15).
const machinePrefix = "client-"

// tokenSubject is whom an access token is about: the person, or the client itself.
func (p *Provider) tokenSubject(h *holding) string {
	if h.grant.Kind == grantByClient {
		return machinePrefix + h.client.ID
	}
	return p.subject(h.client, h.user.ID)
}

// machineTargets is what a token of a client's own is for: the grant has many such tokens
// and does not say.
func (said *accessClaims) machineTargets(issuer string) []Target {
	if len(said.Audience) == 0 || slices.Contains(said.Audience, issuer) {
		return nil
	}
	return []Target{{Resource: said.Audience[0], Permissions: strings.Fields(said.Scope)}}
}

func parseClientGrant(q *tokenRequest, form url.Values) (err error) {
	q.scopes, err = parseScopes(form)
	return err
}

// redeemClient gives a client a token in its own name (RFC 6749 §4.4). It has no person,
// so nothing of a person is in it: scopes of the house are left out, and there is neither
// an ID token nor a refresh token.
func (p *Provider) redeemClient(tx *db.Tx, c *Client, q *tokenRequest) (issue, error) {
	if c.Public {
		return issue{}, errUnauthorizedClient.Saying("a public client cannot act for itself")
	}
	through, err := mayAct(c)
	if err != nil {
		return issue{}, errUnauthorizedClient.Because("%w", err)
	}
	if len(q.resources) > 1 {
		return issue{}, errInvalidTarget.Saying("a token is for one API; name one resource at a time")
	}
	reached, err := reachFor(tx, c, forMachine, q.resources, permissionWords(q.scopes))
	if err != nil {
		return issue{}, err
	}
	g, err := machineGrant(tx, through)
	if err != nil {
		return issue{}, err
	}
	if now := tx.Now(); now.Sub(c.LastUsedAt) >= lastUsedEvery {
		tx.Do(`UPDATE clients SET last_used_at = $2 WHERE id = $1`, c.ID, now.UnixMicro())
	}
	i := issue{holding: holding{pass: through, grant: g, reached: reached}, at: tx.Now()}
	return i, i.narrow(q.resources, nil)
}

// machineGrant is the one living grant of a client's own. A machine that asks each second
// has one row, and it is written once an hour: what a token is for stands in the token, and
// is compared with what the client may do when the token is looked at.
func machineGrant(tx *db.Tx, through pass) (*Grant, error) {
	c, now := through.client, tx.Now()
	g := &Grant{}
	err := tx.One(g.fields(), `SELECT `+grantColumnsPlain+` FROM grants WHERE client_id = $1 AND kind = 'client' AND revoked_at IS NULL`, c.ID)
	ends := now.Add(c.AccessTokenFor + lastUsedEvery)
	switch {
	case errors.Is(err, db.ErrNotFound):
		g = &Grant{ID: secret.ID(), Kind: grantByClient, ClientID: c.ID, Offline: true, Scopes: []string{}, AMR: []string{}, CreatedAt: now, ExpiresAt: ends}
		insertGrant(tx, g)
	case err != nil:
		return nil, err
	case now.Add(c.AccessTokenFor).After(g.ExpiresAt):
		g.ExpiresAt = ends
		tx.Do(`UPDATE grants SET expires_at = $2, last_used_at = $3 WHERE id = $1`, g.ID, db.Time(&g.ExpiresAt), now.UnixMicro())
	}
	return g, nil
}
