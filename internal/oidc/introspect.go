package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/secret"
)

// An introspection is what is said about a token (RFC 7662 §2.2). The zero value says that
// it is not active and nothing else: why is nobody's business.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	ID        string   `json:"jti,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
}

// tokenTypeRefresh is the token_type of a refresh token: none of RFC 6749 §7.1, since no
// resource takes it.
const tokenTypeRefresh = "refresh_token"

// A shownToken is the token that somebody asks about or gives back.
type shownToken struct {
	text string
	// access is what it says of itself if it is an access token; nil if it is none.
	access *accessClaims
}

// maxToken is how long a token can be.
const maxToken = 8192 // bytes

// shownToken reads the token of a request (RFC 7662 §2.1, RFC 7009 §2.1). The hint about its
// type is not needed, since ours are told apart by their form.
func (p *Provider) shownToken(ctx context.Context, form url.Values) (shownToken, error) {
	t := shownToken{text: form.Get("token")}
	switch {
	case t.text == "":
		return t, errInvalidRequest.Saying("token is missing")
	case len(t.text) > maxToken:
		return shownToken{}, nil // none of ours
	case strings.Count(t.text, ".") != 2: // no refresh token of ours has a dot
		return t, nil
	}
	said, err := p.readToken(ctx, t.text)
	if isOutage(err) {
		return t, err
	}
	if err == nil {
		t.access = &said
	}
	return t, nil
}

// Introspect is POST /api/oidc/introspect (RFC 7662): a client asks about a token of its
// own, an API about one that is for it. Everybody else hears of every token that it is
// not active (threats 14).
func (p *Provider) Introspect(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	ctx := r.Context()
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	if err := edge.Single(form); err != nil {
		return err
	}
	asks, err := p.asker(r, form)
	if err != nil {
		return err
	}
	token, err := p.shownToken(ctx, form)
	if err != nil {
		return err
	}
	var answer introspection
	err = p.tryLegacy(ctx, func() error {
		return p.db.Write(ctx, func(tx *db.Tx) error {
			answer = introspection{}
			known, err := asks(tx)
			if err != nil {
				return err
			}
			answer, err = p.introspect(tx, known, token)
			return err
		})
	})
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, answer)
}

// An asker is who asks about tokens.
type asker struct {
	client *Client
	// userID bounds it to the tokens of one person: the one of the access token with which it asks.
	userID string
}

// asker reads who asks: a client by what it proves itself with, or the holder of an access
// token that is for us, who speaks for its client, and of people only for that one. The
// function that it returns finishes that in a transaction.
func (p *Provider) asker(r *http.Request, form url.Values) (func(*db.Tx) (asker, error), error) {
	ctx := r.Context()
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	bearer := strings.EqualFold(scheme, "Bearer")
	if bearer && form.Get("client_id") == "" {
		token, err := bearerToken(r)
		if err != nil {
			return nil, err
		}
		said, err := p.readAccess(ctx, token)
		if err != nil {
			return nil, err
		}
		return func(tx *db.Tx) (asker, error) {
			h, _, err := p.access(tx, said)
			return asker{h.client, h.user.ID}, err
		}, nil
	}
	parse := parseCredentials
	if bearer { // beside a client_id it is an assertion, as the clients of Pocket ID 2 show one here
		parse = parseBearerAssertion
	}
	shown, err := parse(r.Header, form)
	if err != nil {
		return nil, err
	}
	edge.Note(ctx, "client", shown.clientID)
	if shown, err = p.prove(ctx, shown); err != nil {
		return nil, err
	}
	by := audit.From(ctx)
	by.Via = "api"
	return func(tx *db.Tx) (asker, error) {
		c, err := p.authenticate(tx, shown, by)
		switch {
		case err != nil:
			return asker{}, err
		case c.Public: // it proved nothing (RFC 7662 §2.1, §4)
			return asker{}, errInvalidClient.Saying("a public client cannot ask about tokens")
		case !c.DisabledAt.IsZero():
			return asker{}, errInvalidClient.Because("the client is disabled")
		}
		return asker{client: c}, nil
	}, nil
}

// introspect says what by may know of a token: everything that hold asks counts here too,
// so that a token is dead at once when anything that it hangs on is.
func (p *Provider) introspect(tx *db.Tx, by asker, token shownToken) (introspection, error) {
	if token.access == nil {
		return p.introspectRefresh(tx, by, token.text)
	}
	said := token.access
	h, _, err := p.access(tx, *said)
	if err != nil {
		if isOutage(err) {
			return introspection{}, err
		}
		return introspection{}, nil
	}
	if !by.maySee(&h, said) {
		return introspection{}, nil
	}
	return introspection{
		Active: true, Scope: said.Scope, ClientID: said.ClientID, Subject: said.Subject, Audience: said.Audience, Issuer: said.Issuer,
		TokenType: "Bearer", Expires: said.Expires, IssuedAt: said.IssuedAt, ID: said.ID,
		AuthTime: said.AuthTime, ACR: said.ACR, AMR: said.AMR,
	}, nil
}

// maySee says whether a token is the asker's own, or for an API that asks as this client.
func (by *asker) maySee(h *holding, said *accessClaims) bool {
	if by.userID != "" && by.userID != h.user.ID {
		return false
	}
	if said.ClientID == by.client.ID {
		return true
	}
	return by.userID == "" && slices.ContainsFunc(h.reached, func(r reach) bool {
		return r.introspector == by.client.ID && slices.Contains(said.Audience, r.Resource)
	})
}

// introspectRefresh is introspect for a refresh token, of which its own client alone
// hears. Looking at one that was spent ends nothing.
func (p *Provider) introspectRefresh(tx *db.Tx, by asker, text string) (introspection, error) {
	g, given := &Grant{}, allowance{}
	err := tx.One(append(g.fields(), db.JSON(&given)),
		`SELECT `+grantColumns+`, `+consentOfGrant+` FROM `+grantRows+` WHERE refresh_hash = $1`, secret.Hash(text))
	if errors.Is(err, db.ErrNotFound) {
		return introspection{}, nil
	}
	if err != nil {
		return introspection{}, err
	}
	c, now := by.client, tx.Now()
	if g.ClientID != c.ID || by.userID != "" && by.userID != g.UserID || g.lapsed(c, now) != nil {
		return introspection{}, nil
	}
	h, err := p.hold(tx, c, g, given)
	if errors.Is(err, errEnded) {
		return introspection{}, nil
	}
	if err != nil {
		return introspection{}, err
	}
	ends := g.RefreshAt.Add(c.RefreshTokenFor)
	if last := g.CreatedAt.Add(c.RefreshMaxFor); c.RefreshMaxFor > 0 && last.Before(ends) {
		ends = last
	}
	return introspection{
		Active: true, Scope: strings.Join(h.scopes(), " "), ClientID: c.ID, Subject: p.tokenSubject(&h), Issuer: p.issuer,
		TokenType: tokenTypeRefresh, Expires: ends.Unix(), IssuedAt: g.CreatedAt.Unix(), ACR: g.ACR, AMR: g.AMR,
	}, nil
}
