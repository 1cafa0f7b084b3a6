package oidc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

const (
	// rotationOverlap is how long a confidential client may come back with the token
	// before, because the answer with the new one was lost.
	rotationOverlap = time.Minute
	// macRefresh is the purpose of the key that makes the next refresh token of such a
	// client out of the one it presents: see nextRefresh.
	macRefresh = "refresh-token"
)

func parseRefreshGrant(q *tokenRequest, form url.Values) (err error) {
	if q.refreshToken = form.Get("refresh_token"); q.refreshToken == "" {
		return errInvalidRequest.Saying("refresh_token is missing")
	}
	q.scopes, err = parseScopes(form)
	return err
}

// redeemRefresh gives new tokens for a refresh token (RFC 6749 §6). The token belongs
// to one client; everything that the grant hangs on is asked again.
func (p *Provider) redeemRefresh(tx *db.Tx, c *Client, q *tokenRequest) (issue, error) {
	presented := secret.Hash(q.refreshToken)
	g, given := &Grant{}, allowance{}
	err := tx.One(append(g.fields(), db.JSON(&given)),
		`SELECT `+grantColumns+`, `+consentOfGrant+` FROM `+grantRows+` WHERE refresh_hash = $1`, presented)
	current := err == nil
	if errors.Is(err, db.ErrNotFound) {
		g, given, err = spentRefresh(tx, c, q, presented)
	}
	if err != nil {
		return issue{}, err
	}
	if g.ClientID != c.ID { // threats 2
		return issue{}, errInvalidGrant.Because("the refresh token is another client's")
	}
	if err := g.lapsed(c, tx.Now()); err != nil {
		return issue{}, errInvalidGrant.Because("%w", err)
	}
	h, err := p.hold(tx, c, g, given)
	if errors.Is(err, errEnded) {
		return issue{}, errInvalidGrant.Because("%w", err)
	}
	if err != nil {
		return issue{}, err
	}
	i := issue{holding: h, at: tx.Now()}
	if err := i.narrow(q.resources, q.scopes); err != nil {
		return issue{}, err
	}
	i.refresh = p.follow(tx, c, g, q.refreshToken, current)
	return i, nil
}

// follow is the refresh token that the client uses from now on, after the one it
// presented, which is the current one of g or, within the overlap, the one before.
func (p *Provider) follow(tx *db.Tx, c *Client, g *Grant, presented string, current bool) string {
	next := presented
	switch {
	case c.Public: // RFC 9700 §2.2.2: once, without grace
		next = secret.Token()
	case !current:
		return p.nextRefresh(presented)
	case c.RefreshRotation == RotationAlways:
		next = p.nextRefresh(presented)
	}
	// The row of the grant comes first: of many at once the others lose the race there and
	// begin again, instead of colliding with a row that they cannot see.
	if next != presented || g.refreshStale(c, tx.Now()) {
		ends := g.ends(c, tx.Now())
		tx.Do(`UPDATE grants SET refresh_hash = $2, refresh_at = $3, last_used_at = $3, expires_at = $4 WHERE id = $1`,
			g.ID, secret.Hash(next), tx.Now().UnixMicro(), db.Time(&ends))
	}
	if next != presented {
		tx.Do(`INSERT INTO spent_refresh_tokens (hash, grant_id, spent_at) VALUES ($1, $2, $3)`,
			secret.Hash(presented), g.ID, tx.Now().UnixMicro())
	}
	return next
}

// nextRefresh is the refresh token after this one, for confidential clients whose
// tokens rotate. It is a function of it, under a key that nobody else has: a client
// that comes back within the overlap, or from two places at once, gets the same
// answer again, and the database holds nothing but hashes.
func (p *Provider) nextRefresh(token string) string {
	return base64.RawURLEncoding.EncodeToString(p.master.MAC(macRefresh, token))
}

// spentRefresh is the grant of a refresh token that is not the current one. A
// confidential client has the overlap to come back in. Otherwise somebody has a copy,
// and the whole family ends (RFC 9700 §4.14.2).
func spentRefresh(tx *db.Tx, c *Client, q *tokenRequest, hash []byte) (*Grant, allowance, error) {
	g, given, spentAt := &Grant{}, allowance{}, time.Time{}
	err := tx.One(append(g.fields(), db.JSON(&given), db.Time(&spentAt)),
		`
		SELECT `+grantColumns+`, `+consentOfGrant+`, spent_at
		FROM (SELECT grant_id AS spent_grant, spent_at FROM spent_refresh_tokens WHERE hash = $1) s JOIN `+grantRows+` ON grant_id = spent_grant`, hash)
	if errors.Is(err, db.ErrNotFound) {
		return nil, given, errInvalidGrant.Because("there is no such refresh token")
	}
	if err != nil {
		return nil, given, err
	}
	switch {
	case g.ClientID != c.ID:
		return nil, given, errInvalidGrant.Because("the refresh token was another client's")
	case !c.Public && tx.Now().Sub(spentAt) < rotationOverlap:
		return g, given, nil
	}
	if _, err := revokeGrant(tx, q.by, g.ID, revokedReuse); err != nil {
		return nil, given, err
	}
	return nil, given, db.Keep(errInvalidGrant.Because("the refresh token of grant %s was used before", g.ID))
}

// lapsed says why the refresh token of g has run out at now, or nil: too long without
// use, or too old altogether. The client's settings of today count.
func (g *Grant) lapsed(c *Client, now time.Time) error {
	switch {
	case !now.Before(g.RefreshAt.Add(c.RefreshTokenFor)):
		return fmt.Errorf("%w: the refresh token was not used for too long", errEnded)
	case c.RefreshMaxFor > 0 && !now.Before(g.CreatedAt.Add(c.RefreshMaxFor)):
		return fmt.Errorf("%w: the grant is too old to be refreshed", errEnded)
	}
	return nil
}

// refreshStale says whether it is time to write that the refresh token was used: once
// an hour, more often where it lives so short that this would matter, and before an
// access token could outlive the grant.
func (g *Grant) refreshStale(c *Client, now time.Time) bool {
	return now.Sub(g.RefreshAt) >= min(lastUsedEvery, c.RefreshTokenFor/20) || now.Add(c.AccessTokenFor).After(g.ExpiresAt)
}

// ends is when nothing of g can be alive any more if its refresh token is used now and
// never again.
func (g *Grant) ends(c *Client, now time.Time) time.Time {
	end := now.Add(c.RefreshTokenFor)
	if last := g.CreatedAt.Add(c.RefreshMaxFor); c.RefreshMaxFor > 0 && last.Before(end) {
		end = last
	}
	if access := now.Add(c.AccessTokenFor); access.After(end) {
		end = access
	}
	return end
}
