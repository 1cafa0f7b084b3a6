package oidc

import (
	"context"
	"slices"
	"strings"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jose"
	"pocketid/internal/secret"
)

// The types of our JWTs. Each endpoint takes one of them and no other (RFC 8725 §3.11,
// threats 7).
const (
	typAccess = "at+jwt" // RFC 9068 §2.1
	typID     = "JWT"
	// An answer of userinfo has none: applications know no type for it, and those that mind
	// types take JWT or nothing. So it is no hint either, which has to be a JWT.
	typUserinfo = ""
)

// An issue is what a grant gives now. It is decided in a transaction and signed after
// its commit, so that a signature holds nothing up and nothing is signed that did not
// happen.
type issue struct {
	holding
	// scopes are those of this access token: those of the grant, or fewer, and permissions at
	// target, the API that it is for; nil is none.
	scopes []string
	target *reach
	nonce  string
	// refresh is the refresh token; "" is none.
	refresh string
	at      time.Time
	// until is when the access token ends at the latest; zero leaves that to the client.
	until time.Time
	// act is who acts for the person; nil is nobody. issued is the type of token that an
	// exchange gives (RFC 8693 §2.2.1); "" is none, and then an ID token may come along.
	act    *actClaim
	issued string
}

// lives is how long the access token of an issue lives: as the client or the API has it,
// whichever is shorter, and no longer than the one that it was exchanged for.
func (i *issue) lives() time.Duration {
	d := i.client.AccessTokenFor
	if i.target != nil && i.target.tokenFor > 0 {
		d = min(d, i.target.tokenFor)
	}
	if !i.until.IsZero() {
		d = min(d, i.until.Sub(i.at))
	}
	return d
}

// A tokenAnswer is the answer of the token endpoint (RFC 6749 §5.1, OpenID Connect
// Core §3.1.3.3).
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	// IssuedType is what an exchange gave (RFC 8693 §2.2.1).
	IssuedType string `json:"issued_token_type,omitempty"`
}

// first is the first issue of a grant, for the resource that q names. It notes how long
// the grant can live and, where the client gets one, its refresh token.
func first(tx *db.Tx, h holding, q *tokenRequest, nonce string) (issue, error) {
	g, c := h.grant, h.client
	i := issue{holding: h, nonce: nonce, at: tx.Now()}
	if err := i.narrow(q.resources, nil); err != nil {
		return issue{}, err
	}
	var hash []byte
	g.ExpiresAt = tx.Now().Add(c.AccessTokenFor)
	if c.uses(grantTypeRefresh) && (c.RefreshIssue == RefreshAlways || slices.Contains(g.Scopes, scopeOffline)) {
		i.refresh = secret.Token()
		hash, g.RefreshAt, g.ExpiresAt = secret.Hash(i.refresh), tx.Now(), g.ends(c, tx.Now())
	}
	tx.Do(`UPDATE grants SET refresh_hash = $2, refresh_at = $3, expires_at = $4, last_used_at = $5 WHERE id = $1`,
		g.ID, hash, db.Time(&g.RefreshAt), db.Time(&g.ExpiresAt), tx.Now().UnixMicro())
	return i, nil
}

// narrow makes the token for one API of the grant, with scopes that were asked for; nil is
// all of them. Each token is for one API, so that none who gets it can use it at another
// (RFC 8707 §3, RFC 9700 §2.3): without a resource it is the one that was named first.
func (i *issue) narrow(resources, asked []string) error {
	i.target = nil
	switch {
	case len(resources) > 1:
		return errInvalidTarget.Saying("a token is for one API; name one resource at a time")
	case len(resources) == 1:
		at := slices.IndexFunc(i.reached, func(r reach) bool { return r.key == resourceKey(resources[0]) })
		if at < 0 {
			return errInvalidTarget.Saying("resource is not among those that were granted")
		}
		i.target = &i.reached[at]
	case len(i.reached) > 0:
		i.target = &i.reached[0]
	}
	if !covers(i.holding.scopes(), asked) { // threats 13
		return errInvalidScope.Saying("scope can only be what was granted, or less")
	}
	i.scopes = slices.Clone(i.grant.Scopes)
	if i.target != nil {
		i.scopes = append(i.scopes, i.target.Permissions...)
	}
	if asked != nil {
		i.scopes = slices.DeleteFunc(i.scopes, func(s string) bool { return !slices.Contains(asked, s) })
	}
	return nil
}

// scopes are all scopes of the grant: those of the house, and the permissions at every API.
func (h *holding) scopes() []string {
	all := slices.Clone(h.grant.Scopes)
	for _, r := range h.reached {
		for _, s := range r.Permissions {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// accessAlg signs the access token: the API verifies it, so its word counts first.
func (i *issue) accessAlg() jose.Alg {
	if i.target != nil && i.target.alg != "" {
		return i.target.alg
	}
	return i.client.AccessTokenAlg
}

// audience is whom the access token is for (RFC 9068 §2.2): the API, and the house when it
// gives something about the person at userinfo; without an API the client and the house.
func (i *issue) audience(issuer string) []string {
	switch {
	case i.target == nil:
		return []string{i.client.ID, issuer}
	case slices.ContainsFunc(i.scopes, isIdentityScope):
		return []string{i.target.Resource, issuer}
	}
	return []string{i.target.Resource}
}

// isIdentityScope says whether a scope says something about a person.
func isIdentityScope(s string) bool { return s != scopeOffline && slices.Contains(scopes, s) }

// accessClaims are the claims of an access token (RFC 9068 §2.2). There is nothing
// about the person in it but who it is.
type accessClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope,omitempty"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	// ID is the grant's id, a dot and something random: the grant says whether the
	// token is still alive.
	ID       string   `json:"jti"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	// Act is who acts for the subject (RFC 8693 §4.1).
	Act *actClaim `json:"act,omitempty"`
}

// sign makes the tokens of an issue.
func (p *Provider) sign(ctx context.Context, i *issue) (*tokenAnswer, error) {
	c := i.client
	answer := &tokenAnswer{TokenType: "Bearer", ExpiresIn: i.at.Add(i.lives()).Unix() - i.at.Unix(),
		Scope: strings.Join(i.scopes, " "), RefreshToken: i.refresh, IssuedType: i.issued}
	var err error
	if answer.AccessToken, err = p.keys.Sign(ctx, i.accessAlg(), typAccess, p.accessClaims(i)); err != nil {
		return nil, err
	}
	if slices.Contains(i.scopes, scopeOpenID) && i.issued == "" {
		answer.IDToken, err = p.keys.Sign(ctx, c.IDTokenAlg, typID, p.idClaims(i, answer.AccessToken))
	}
	return answer, err
}

// accessClaims are the claims of the access token of an issue.
func (p *Provider) accessClaims(i *issue) accessClaims {
	g, c := i.grant, i.client
	claims := accessClaims{Issuer: p.issuer, Subject: p.tokenSubject(&i.holding), Audience: i.audience(p.issuer), ClientID: c.ID,
		Scope: strings.Join(i.scopes, " "), IssuedAt: i.at.Unix(), Expires: i.at.Add(i.lives()).Unix(), Act: i.act,
		ID: g.ID + "." + secret.ID(), ACR: g.ACR, AMR: g.AMR}
	if !g.AuthTime.IsZero() {
		claims.AuthTime = g.AuthTime.Unix()
	}
	return claims
}

// idClaims are the claims of an ID token (OpenID Connect Core §2). What it says of the
// person comes first, so that nothing of that can stand in the place of the rest
// (threats 66).
func (p *Provider) idClaims(i *issue, accessToken string) map[string]any {
	g, c := i.grant, i.client
	scopes := i.scopes
	if c.ClaimsAtUserinfo {
		scopes = nil
	}
	claims := p.claims(i.pass, i.groups, scopes, g.single(i.scopes, g.Claims.IDToken))
	claims["iss"], claims["sub"], claims["aud"] = p.issuer, p.subject(c, i.user.ID), c.ID
	claims["iat"], claims["exp"] = i.at.Unix(), i.at.Add(c.IDTokenFor).Unix()
	claims["jti"] = secret.ID()
	if accessToken != "" {
		claims["at_hash"] = jose.AtHash(c.IDTokenAlg, accessToken)
	}
	if !g.AuthTime.IsZero() {
		claims["auth_time"] = g.AuthTime.Unix()
	}
	say(claims, "nonce", i.nonce)
	say(claims, "sid", g.Sid)
	say(claims, "acr", g.ACR)
	if len(g.AMR) > 0 {
		claims["amr"] = g.AMR
	}
	return claims
}
