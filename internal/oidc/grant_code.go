package oidc

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// A codeRequest is what a code stands for.
type codeRequest struct {
	pass
	Session signin.Session
	// Sid is the name of the session at the client.
	Sid string
	// ACR is what the client is told of how the person signed in; "" is what the session says.
	ACR    string
	Scopes []string
	Claims claimsRequest
	// Targets are the APIs, with what is granted there.
	Targets []Target
	// RedirectURI is as the client sent it; "" when it did not.
	RedirectURI string
	Challenge   string
	Nonce       string
	MaxAgeAsked bool
	// Browser is the hash of the browser cookie.
	Browser []byte
}

// codeFor is how long a client has to redeem a code (OAuth 2.1 §4.1.2 wants minutes at
// most; a client needs seconds).
const codeFor = time.Minute

// A code is the row of an authorization code.
type code struct {
	grantID     string
	clientID    string
	redirectURI string
	challenge   string
	nonce       string
	expiresAt   time.Time
}

const codeColumns = `grant_id, client_id, redirect_uri, challenge, nonce, expires_at`

func (k *code) fields() []any {
	return []any{&k.grantID, &k.clientID, &k.redirectURI, &k.challenge, &k.nonce, db.Time(&k.expiresAt)}
}

// newCode makes a grant and the code for it, and returns the code: 256 bits, of which
// the hash is stored.
func newCode(tx *db.Tx, r codeRequest) string {
	text, expires := secret.Token(), tx.Now().Add(codeFor)
	g := Grant{ID: secret.ID(), Kind: grantByCode, UserID: r.user.ID, ClientID: r.client.ID, SessionID: r.Session.ID, Sid: r.Sid,
		Offline: slices.Contains(r.Scopes, scopeOffline), Scopes: r.Scopes, Resources: r.Targets, Claims: r.Claims,
		AuthTime: r.Session.AuthTime, AMR: r.Session.AMR, ACR: cmp.Or(r.ACR, r.Session.ACR), CreatedAt: tx.Now(), ExpiresAt: expires}
	insertGrant(tx, &g)
	tx.Do(`
		INSERT INTO codes (hash, grant_id, client_id, redirect_uri, challenge, nonce, max_age_asked, browser, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		secret.Hash(text), g.ID, r.client.ID, r.RedirectURI, r.Challenge, r.Nonce, r.MaxAgeAsked, r.Browser,
		tx.Now().UnixMicro(), db.Time(&expires))
	return text
}

func parseCodeGrant(q *tokenRequest, form url.Values) error {
	q.code, q.redirectURI, q.verifier = form.Get("code"), form.Get("redirect_uri"), form.Get("code_verifier")
	if q.code == "" {
		return errInvalidRequest.Saying("code is missing")
	}
	return nil
}

// redeemCode gives the tokens of a code, once. The first who presents it uses it up,
// whoever that is and whether or not the rest of the request is right (RFC 6749
// §4.1.2, threats 1, 4): of many at once, one statement lets one through.
func (p *Provider) redeemCode(tx *db.Tx, c *Client, q *tokenRequest) (issue, error) {
	var k code
	hash := secret.Hash(q.code)
	err := tx.One(k.fields(), `UPDATE codes SET used_at = $2 WHERE hash = $1 AND used_at IS NULL RETURNING `+codeColumns,
		hash, tx.Now().UnixMicro())
	if errors.Is(err, db.ErrNotFound) {
		return issue{}, codeAgain(tx, q.by, hash)
	}
	if err != nil {
		return issue{}, err
	}
	if why := k.refuses(c, q, tx.Now()); why != "" {
		return issue{}, db.Keep(errInvalidGrant.Because("%s", why))
	}
	h, err := p.holdCode(tx, c, k.grantID)
	if errors.Is(err, errEnded) {
		return issue{}, db.Keep(errInvalidGrant.Because("%w", err))
	}
	if err != nil {
		return issue{}, err
	}
	i, err := first(tx, h, q, k.nonce)
	if err != nil {
		return issue{}, db.Keep(err)
	}
	return i, nil
}

// refuses says why q cannot redeem k, or "".
func (k *code) refuses(c *Client, q *tokenRequest, now time.Time) string {
	registered := func(u URI) bool { return u.URI == q.redirectURI }
	switch {
	case k.clientID != c.ID:
		return "the code is another client's"
	case !now.Before(k.expiresAt):
		return "the code has expired"
	case q.redirectURI == "" && k.redirectURI != "" && k.challenge == "":
		return "redirect_uri is missing" // with PKCE it adds nothing (OAuth 2.1 §10.2)
	case q.redirectURI != "" && k.redirectURI != "" && q.redirectURI != k.redirectURI:
		return "redirect_uri is another than at the authorization endpoint"
	case q.redirectURI != "" && k.redirectURI == "" && !slices.ContainsFunc(c.RedirectURIs, registered):
		return "redirect_uri is not registered"
	case k.challenge == "" && q.verifier != "":
		return "there is a code_verifier, but there was no code_challenge" // RFC 9700 §4.8.2
	case k.challenge == "" && (c.Public || c.PKCERequired):
		return "there was no code_challenge"
	case k.challenge != "" && !verifies(q.verifier, k.challenge):
		return "code_verifier does not fit"
	}
	return ""
}

// verifies says whether challenge was made of verifier by S256 (RFC 7636 §4.6).
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, notUnreserved) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return secret.Equal([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge))
}

// notUnreserved holds the syntax of a verifier (RFC 7636 §4.1).
func notUnreserved(r rune) bool { return notBase64URL(r) && r != '.' && r != '~' }

// codeAgain answers a code that is not there to be used. One that was used before has
// leaked, so what it gave ends now (RFC 9700 §4.5, threats 5).
func codeAgain(tx *db.Tx, by audit.Actor, hash []byte) error {
	var grantID string
	err := tx.One([]any{&grantID}, `SELECT grant_id FROM codes WHERE hash = $1`, hash)
	if errors.Is(err, db.ErrNotFound) {
		return errInvalidGrant.Because("there is no such code")
	}
	if err != nil {
		return err
	}
	if _, err := revokeGrant(tx, by, grantID, revokedReuse); err != nil {
		return err
	}
	return db.Keep(errInvalidGrant.Because("the code of grant %s was used before", grantID))
}

// holdCode is the grant of a code as it is now.
func (p *Provider) holdCode(tx *db.Tx, c *Client, id string) (holding, error) {
	g, given := &Grant{}, allowance{}
	err := tx.One(append(g.fields(), db.JSON(&given)),
		`SELECT `+grantColumns+`, `+consentOfGrant+` FROM `+grantRows+` WHERE grant_id = $1`, id)
	if err != nil {
		return holding{}, err
	}
	return p.hold(tx, c, g, given)
}
