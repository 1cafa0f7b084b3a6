package oidc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jose"
	"pocketid/internal/secret"
)

// assertionType is the one type of client assertions (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	maxAssertion = 16 << 10 // characters
	maxJTI       = 512      // bytes
	// assertionSkew is how far clocks may differ: what lies further in the future is
	// refused, and what ended longer ago.
	assertionSkew = time.Minute
	// ownFor is how long an assertion that a client signs may be good, and replayFor the
	// same for a token of elsewhere that counts once: for so long its jti is remembered.
	ownFor    = time.Hour
	replayFor = 24 * time.Hour
)

// The types that an assertion may have. A token of another kind has another one (RFC
// 8725 §3.11, threats 7); one without a type is as old as RFC 7523 itself.
var (
	ownTyps       = []string{"client-authentication+jwt", "jwt", ""}
	federatedTyps = []string{"jwt", "jose", ""}
)

// An assertion is a JWT by which a client proves who it is: signed by itself (OpenID
// Connect Core §9, private_key_jwt), or by an issuer elsewhere that vouches for it.
type assertion struct {
	token  string
	header jose.Header
	claims assertionClaims
	// proven is what it was verified by; nil is that it was not.
	proven *proof
}

// assertionClaims are the claims that count (RFC 7523 §3).
type assertionClaims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Expires  *numericDate    `json:"exp"`
	IssuedAt *numericDate    `json:"iat"`
	Earliest *numericDate    `json:"nbf"`
	ID       string          `json:"jti"`
	// A request object is signed by the same keys, and no assertion (RFC 9101 §10.8).
	ResponseType json.RawMessage `json:"response_type"`
	RedirectURI  json.RawMessage `json:"redirect_uri"`
}

// A proof is what of a client an assertion was verified by. The client is loaded anew in
// the transaction, and has to be the same in this.
type proof struct {
	own       ownKeys
	federated Federated // the zero value is by its own keys
	expires   time.Time
}

type ownKeys struct {
	jwks, jwksURI string
	alg           jose.Alg
	audience      string
}

func (c *Client) ownKeys() ownKeys {
	return ownKeys{c.JWKS, c.JWKSURI, c.AssertionAlg, c.AssertionAudience}
}

// A numericDate is seconds since 1970, which may have a fraction (RFC 7519 §2).
type numericDate float64

func (n *numericDate) time() time.Time { return time.UnixMicro(int64(float64(*n) * 1e6)) }

// UnmarshalJSON takes numbers that are a time.
func (n *numericDate) UnmarshalJSON(data []byte) error {
	var f float64
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	if string(data) == "null" || f < 0 || f > 1e11 {
		return errors.New("a time is out of range")
	}
	*n = numericDate(f)
	return nil
}

// parseAssertion reads the assertion of a form. Nothing of it is known to be true. It
// is pure.
func parseAssertion(form url.Values) (credentials, error) {
	if form.Get("client_assertion_type") != assertionType {
		return credentials{}, errInvalidClient.Saying("client_assertion_type can be " + assertionType)
	}
	return newAssertion(form.Get("client_assertion"), form.Get("client_id"))
}

// parseBearerAssertion reads an assertion that is shown as a Bearer token, beside the
// client_id that it is for. It is pure.
func parseBearerAssertion(h http.Header, form url.Values) (credentials, error) {
	headers := h.Values("Authorization")
	if len(headers) > 1 || form.Get("client_secret") != "" || form.Get("client_assertion") != "" || form.Get("access_token") != "" {
		return credentials{}, errInvalidRequest.Saying("the client authenticates in more than one way")
	}
	clientID := form.Get("client_id")
	if !isClientID(clientID) {
		return credentials{}, errInvalidClient.Saying("client_id is malformed")
	}
	_, token, _ := strings.Cut(headers[0], " ")
	return newAssertion(strings.TrimSpace(token), clientID)
}

// newAssertion reads an assertion of the client clientID, or of the one that it is about
// when that is "" (RFC 7521 §4.2).
func newAssertion(token, clientID string) (credentials, error) {
	malformed := errInvalidClient.Saying("the assertion is not a signed JWT that can be read here")
	if token == "" || len(token) > maxAssertion {
		return credentials{}, malformed
	}
	a := assertion{token: token}
	var payload json.RawMessage
	var err error
	if a.header, payload, err = jose.Peek(token); err != nil {
		return credentials{}, malformed.Because("%w", err)
	}
	if err := jose.Unmarshal(payload, &a.claims); err != nil {
		return credentials{}, malformed.Because("%w", err)
	}
	return credentials{clientID: cmp.Or(clientID, a.claims.Subject), way: wayAssertion, assertion: &a}, nil
}

// prove verifies what a client shows of itself as far as that needs no transaction of
// the caller's: the signature of an assertion, and that it was not used before. Each
// endpoint that authenticates clients calls it between parseCredentials and the
// transaction, in which [Provider.authenticate] does the rest; without it an assertion
// is refused there.
func (p *Provider) prove(ctx context.Context, q credentials) (credentials, error) {
	if q.secret != "" {
		q.legacy = &legacyTry{}
	}
	if q.assertion == nil || q.assertion.proven != nil {
		return q, nil
	}
	var c *Client
	var now time.Time
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now()
		c, err = clientByID(tx, q.clientID)
		return err
	})
	if errors.Is(err, ErrNoClient) {
		return q, errInvalidClient.Because("there is no such client")
	}
	if err != nil {
		return q, err
	}
	if err := c.takesAssertions(); err != nil {
		return q, err
	}
	a := *q.assertion
	if a.claims.Issuer == c.ID {
		err = p.proveOwn(ctx, c, &a, now)
	} else {
		err = p.proveFederated(ctx, c, &a, now)
	}
	if err != nil {
		return q, err
	}
	q.assertion = &a
	return q, nil
}

// takesAssertions says whether c may prove itself by an assertion at all.
func (c *Client) takesAssertions() error {
	switch {
	case c.Public:
		return errInvalidClient.Saying("a public client does not authenticate")
	case c.AuthMethod != "" && c.AuthMethod != AuthPrivateKey:
		return errWay
	}
	return nil
}

// proveOwn holds the rules of an assertion that the client signed itself (OpenID Connect
// Core §9, RFC 7523 §3). What costs nothing is asked first, so that nobody's keys are
// fetched for an assertion that is refused in any case.
func (p *Provider) proveOwn(ctx context.Context, c *Client, a *assertion, now time.Time) error {
	if c.AuthMethod != AuthPrivateKey {
		return errWay
	}
	if a.claims.Subject != c.ID {
		return errInvalidClient.Saying("iss and sub of the assertion have to be the client_id")
	}
	if !p.forUs(c, a.claims.Audience) {
		return errInvalidClient.Saying("aud of the assertion has to be the issuer " + p.issuer) // threats 10
	}
	if err := a.claims.check(now); err != nil {
		return err
	}
	if a.claims.Expires.time().After(now.Add(ownFor + assertionSkew)) {
		return errInvalidClient.Saying("exp of the assertion is more than an hour from now")
	}
	if a.claims.ID == "" {
		return errInvalidClient.Saying("the assertion has no jti")
	}
	algs := jose.Algs
	if c.AssertionAlg != "" {
		algs = []jose.Alg{c.AssertionAlg}
	}
	if !slices.Contains(algs, a.header.Alg) || !slices.Contains(ownTyps, a.header.Typ) {
		return errInvalidClient.Saying("alg or typ of the assertion is not one that the client may use")
	}
	_, _, err := p.signedBy(ctx, c, a.token, jose.Want{Algs: algs, Typs: ownTyps, Unnamed: true})
	if err := refusedKey(err); err != nil {
		return err
	}
	a.proven = &proof{own: c.ownKeys(), expires: a.claims.Expires.time()}
	return p.useUp(ctx, "client", &a.claims)
}

// forUs says whether an assertion of c is meant for this house. Another audience than
// the issuer alone lets an assertion for another server be used here, so each client has
// to be allowed it (draft-ietf-oauth-rfc7523bis §3, threats 10).
func (p *Provider) forUs(c *Client, aud json.RawMessage) bool {
	var all audience
	if json.Unmarshal(aud, &all) != nil {
		return false
	}
	if c.AssertionAudience != AudienceLenient {
		return aud[0] == '"' && all[0] == p.issuer
	}
	return slices.ContainsFunc(all, func(to string) bool {
		return to == p.issuer || to == p.issuer+pathToken || to == p.internalURL+pathToken ||
			to == p.issuer+pathPush || to == p.internalURL+pathPush // RFC 9126 §2
	})
}

// check holds what is the same for all assertions: when they count, and that they are
// nothing else.
func (a *assertionClaims) check(now time.Time) error {
	switch {
	case a.Expires == nil:
		return errInvalidClient.Saying("the assertion has no exp")
	case !now.Before(a.Expires.time().Add(assertionSkew)):
		return errInvalidClient.Saying("the assertion has expired")
	case a.Earliest != nil && a.Earliest.time().After(now.Add(assertionSkew)):
		return errInvalidClient.Saying("nbf of the assertion is in the future")
	case a.IssuedAt != nil && a.IssuedAt.time().After(now.Add(assertionSkew)):
		return errInvalidClient.Saying("iat of the assertion is in the future")
	case len(a.ID) > maxJTI:
		return errInvalidClient.Saying("jti of the assertion is too long")
	case a.ResponseType != nil || a.RedirectURI != nil:
		return errInvalidClient.Saying("a request object is no assertion")
	}
	return nil
}

// proveFederated holds the rules of a token of an issuer elsewhere: issuer, subject and
// audience are those of one of the client's credentials.
func (p *Provider) proveFederated(ctx context.Context, c *Client, a *assertion, now time.Time) error {
	var to audience
	if err := json.Unmarshal(a.claims.Audience, &to); err != nil {
		return errInvalidClient.Saying("the assertion has no aud that can be read")
	}
	known := slices.ContainsFunc(c.Federated, func(f Federated) bool { return f.Issuer == a.claims.Issuer })
	if !known {
		return errInvalidClient.Saying("iss of the assertion is neither the client nor an issuer that vouches for it")
	}
	i := slices.IndexFunc(c.Federated, func(f Federated) bool {
		return f.Issuer == a.claims.Issuer && cmp.Or(f.Subject, c.ID) == a.claims.Subject &&
			slices.Contains(to, cmp.Or(f.Audience, p.issuer))
	})
	if i < 0 {
		return errInvalidClient.Saying("sub and aud of the assertion are not those of a credential of the client")
	}
	f := c.Federated[i]
	if err := a.claims.check(now); err != nil {
		return err
	}
	if f.ReplayProtection && a.claims.ID == "" {
		return errInvalidClient.Saying("the assertion has no jti")
	}
	if f.ReplayProtection && a.claims.Expires.time().After(now.Add(replayFor+assertionSkew)) {
		return errInvalidClient.Saying("exp of the assertion is more than a day from now")
	}
	if !slices.Contains(federatedTyps, a.header.Typ) {
		return errInvalidClient.Saying("typ of the assertion is not JWT")
	}
	keys, err := p.keysAt(ctx, f.keys(), a.header.KeyID, a.header.Alg)
	if err == nil {
		_, _, err = jose.Verify(a.token, jose.Want{Algs: jose.Algs, Typs: federatedTyps, Unnamed: true, Keys: keys.Find})
	}
	if err := refusedKey(err); err != nil {
		return err
	}
	a.proven = &proof{federated: f, expires: a.claims.Expires.time()}
	if !f.ReplayProtection {
		return nil
	}
	return p.useUp(ctx, "federated", &a.claims)
}

// keys is where the keys of the issuer are.
func (f Federated) keys() string {
	return cmp.Or(f.JWKS, strings.TrimSuffix(f.Issuer, "/")+"/.well-known/jwks.json")
}

// refusedKey is what a client is told when its signature was not verified. Where its
// keys were looked for, and what was found there, is for the log.
func refusedKey(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoKeys):
		return errInvalidClient.Saying("the keys for the assertion cannot be had").Because("%w", err)
	case errors.Is(err, jose.ErrUnknownKey):
		return errInvalidClient.Saying("there is no key for the kid and alg of the assertion").Because("%w", err)
	}
	return errInvalidClient.Saying("the signature of the assertion does not verify").Because("%w", err)
}

// useUp uses up the jti of an assertion: of many at once, one statement lets one through
// (RFC 7523 §3, threats 4, 10). It is a transaction of its own, so that an assertion
// stays used when the request that it came with is refused.
func (p *Provider) useUp(ctx context.Context, kind string, a *assertionClaims) error {
	hash := secret.Hash(kind + "\n" + a.Issuer + "\n" + a.ID)
	until := a.Expires.time().Add(2 * assertionSkew)
	return p.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`INSERT INTO used_assertions (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`, hash, db.Time(&until))
		if err == nil && n == 0 {
			return errInvalidClient.Saying("the assertion was used before")
		}
		return err
	})
}

func forgetAssertions(tx *db.Tx, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM used_assertions WHERE hash IN (
		SELECT hash FROM used_assertions WHERE expires_at < $1 ORDER BY expires_at NULLS LAST LIMIT $2)`, tx.Now().UnixMicro(), limit)
}

// asserted says whether the assertion by which q was proven still counts for c.
func (c *Client) asserted(q credentials, now time.Time) error {
	if err := c.takesAssertions(); err != nil {
		return err
	}
	by := q.assertion.proven
	switch {
	case by == nil:
		return errInvalidClient.Because("the assertion was not verified")
	case !now.Before(by.expires.Add(assertionSkew)):
		return errInvalidClient.Saying("the assertion has expired")
	case by.federated == Federated{} && (c.AuthMethod != AuthPrivateKey || by.own != c.ownKeys()),
		by.federated != Federated{} && !slices.Contains(c.Federated, by.federated):
		return errInvalidClient.Because("the client was changed while it authenticated")
	}
	return nil
}
