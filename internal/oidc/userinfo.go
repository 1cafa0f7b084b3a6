package oidc

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
)

// What a resource answers to an access token (RFC 6750 §3.1).
var (
	errInvalidToken      = fault.New(fault.Unauthenticated, "invalid_token")
	errInsufficientScope = fault.New(fault.Forbidden, "insufficient_scope")
)

// Userinfo is GET and POST /api/oidc/userinfo (OpenID Connect Core §5.3).
func (p *Provider) Userinfo(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	token, err := bearerToken(r)
	if err != nil {
		return err
	}
	said, err := p.readAccess(r.Context(), token)
	if err != nil {
		return err
	}
	var h holding
	var scopes []string
	err = p.db.Read(r.Context(), func(tx *db.Tx) (err error) {
		h, scopes, err = p.access(tx, said)
		return err
	})
	if err != nil {
		return err
	}
	if !slices.Contains(scopes, scopeOpenID) {
		return errInsufficientScope.Saying("the scope openid is needed")
	}
	edge.Note(r.Context(), "client", h.client.ID)
	edge.Note(r.Context(), "user", h.user.ID)
	if h.client.UserinfoAlg == "" {
		return edge.WriteJSON(w, http.StatusOK, p.userinfo(h, scopes))
	}
	signed, err := p.signUserinfo(r.Context(), h, scopes)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, err = io.WriteString(w, signed)
	return err
}

// signUserinfo is the answer as a JWT, for clients that want that. It says who made it
// for whom, and there is no nonce in it (OpenID Connect Core §5.3.2).
func (p *Provider) signUserinfo(ctx context.Context, h holding, scopes []string) (string, error) {
	claims := p.userinfo(h, scopes)
	claims["iss"], claims["aud"] = p.issuer, h.client.ID
	return p.keys.Sign(ctx, h.client.UserinfoAlg, typUserinfo, claims)
}

// userinfo is the answer of the endpoint for a grant and what is left of its scopes.
func (p *Provider) userinfo(h holding, scopes []string) map[string]any {
	claims := p.claims(h.pass, h.groups, scopes, h.grant.single(scopes, h.grant.Claims.Userinfo))
	claims["sub"] = p.subject(h.client, h.user.ID)
	return claims
}

// bearerToken is the access token of a request: from the header, or from the form of a
// POST (RFC 6750 §2). From an address it is not taken, where logs and histories would
// keep it (OAuth 2.1 §5.1.1, threats 37).
func bearerToken(r *http.Request) (string, error) {
	if r.URL.Query().Has("access_token") {
		return "", errInvalidRequest.Saying("an access token does not belong in an address")
	}
	var tokens []string
	for _, h := range r.Header.Values("Authorization") {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", edge.ErrNoToken.Because("the scheme is not Bearer")
		}
		tokens = append(tokens, strings.TrimSpace(token))
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && err == nil && media == "application/x-www-form-urlencoded" {
		form, err := edge.Form(r)
		if err != nil {
			return "", err
		}
		tokens = append(tokens, form["access_token"]...)
	}
	switch {
	case len(tokens) == 0:
		return "", edge.ErrNoToken
	case len(tokens) > 1:
		return "", errInvalidRequest.Saying("there is more than one access token")
	case tokens[0] == "":
		return "", errInvalidRequest.Saying("the access token is empty")
	}
	return tokens[0], nil
}

// readAccess reads an access token that is for the house itself. Whether it is still good
// is for access.
func (p *Provider) readAccess(ctx context.Context, token string) (accessClaims, error) {
	said, err := p.readToken(ctx, token)
	if err == nil && !slices.Contains(said.Audience, p.issuer) {
		return said, errInvalidToken.Because("it is not for us")
	}
	return said, err
}

// readToken reads an access token of ours, whoever it is for: its signature, type and
// issuer.
func (p *Provider) readToken(ctx context.Context, token string) (accessClaims, error) {
	_, payload, err := p.keys.Verify(ctx, token, typAccess)
	if errors.Is(err, jose.ErrInvalid) {
		return accessClaims{}, errInvalidToken.Because("%w", err)
	}
	if err != nil {
		return accessClaims{}, err
	}
	return p.accessOf(payload)
}

// accessOf are the claims in the payload of an access token, by exact names: a claim of
// somebody's own may be called "Sub". It is pure.
func (p *Provider) accessOf(payload []byte) (accessClaims, error) {
	var said accessClaims
	if err := jose.Unmarshal(payload, &said); err != nil {
		return said, errInvalidToken.Because("read claims: %w", err)
	}
	if said.Issuer != p.issuer {
		return said, errInvalidToken.Because("the issuer is another")
	}
	return said, nil
}

// access asks whether what an access token said is still so: its time, whether it or
// its grant was revoked, and everything that hold asks. It answers with what the token
// stands for and the scopes that are left of it. The person is the grant's; what the
// token says of them is not looked at.
func (p *Provider) access(tx *db.Tx, said accessClaims) (holding, []string, error) {
	refused := func(format string, args ...any) (holding, []string, error) {
		return holding{}, nil, errInvalidToken.Because(format, args...)
	}
	grantID, _, ok := strings.Cut(said.ID, ".")
	if !ok || tx.Now().Unix() >= said.Expires {
		return refused("it has expired or names no grant")
	}
	c, g, given, revoked, err := grantAndClient(tx, grantID, said.ID)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return refused("its grant or client is gone")
	case err != nil:
		return holding{}, nil, err
	case revoked:
		return refused("it was revoked")
	case said.ClientID != c.ID:
		return refused("it is another client's")
	case g.cnf != "":
		return refused("it is bound to a key and came without a proof")
	}
	if g.Kind == grantByClient {
		g.Resources = said.machineTargets(p.issuer)
	}
	h, err := p.hold(tx, c, g, given)
	if errors.Is(err, errEnded) {
		return refused("%w", err)
	}
	if err != nil {
		return holding{}, nil, err
	}
	for _, r := range h.reached {
		if r.createdAt.Unix() > said.IssuedAt {
			return refused("it is for an API that was there before this one")
		}
	}
	return h, strings.Fields(said.Scope), nil
}

// grantAndClient loads a grant, its client without addresses, be it deleted, the scopes of the
// consent behind it, and whether the token of it with this jti was revoked.
func grantAndClient(tx *db.Tx, grantID, jti string) (c *Client, g *Grant, given allowance, revoked bool, err error) {
	c, g = &Client{}, &Grant{}
	var groups string
	fields := slices.Concat(c.fields(), []any{db.Text(&groups)}, g.fields(), []any{db.JSON(&given), &revoked})
	err = tx.One(fields, `
		SELECT `+clientColumns+`, `+clientGroups+`, `+grantColumns+`, `+consentOfGrant+`,
			EXISTS (SELECT 1 FROM revoked_tokens t WHERE t.jti = $2)
		FROM `+grantRows+` JOIN clients ON clients.id = grant_client
		WHERE grant_id = $1`, grantID, jti)
	c.setLists("", groups)
	return c, g, given, revoked, err
}
