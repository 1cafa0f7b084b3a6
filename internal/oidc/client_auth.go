package oidc

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// How many wrong secrets pass. They count for secrets that somebody chose; one that
// was generated has 256 bits and needs no such protection, so it is compared before
// anything is counted, and nobody can lock out the client that has it by guessing.
//
// Within a network the time runs from the first wrong secret and is not extended, so
// the lock ends by itself. Past the bound of all networks together a network is
// locked by its first wrong secret; one that never sent any stays open. See
// docs/decisions/0061-wrong-client-secrets.md.
var (
	guessesPerNetwork = signin.Limit{Count: 10, Within: 10 * time.Minute}
	guessesInAll      = signin.Limit{Count: 200, Within: time.Hour}
)

// credentials are what a client shows of itself (RFC 6749 §2.3). Without a secret it
// only says who it is, which is the way of public clients.
type credentials struct {
	clientID string
	secret   secret.Text
	// way is how they were shown: AuthBasic, AuthPost, AuthNone or wayAssertion.
	way string
	// assertion is nil but for wayAssertion.
	assertion *assertion
	// legacy says whether old hashes were looked at. prove makes room for it.
	legacy *legacyTry
}

// How a client proves itself, by the names of OpenID Connect Core §9.
const (
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthPrivateKey = "private_key_jwt" // by an assertion that it signs
	AuthNone       = "none"            // the way of public clients
	// wayAssertion is an assertion, whoever signed it.
	wayAssertion = "client_assertion"
)

// authMethods are the ways that a client may be registered with.
var authMethods = []string{AuthBasic, AuthPost, AuthPrivateKey, AuthNone}

// errWay answers a client that proves itself in another way than it is registered with.
var errWay = errInvalidClient.Saying("the client is registered to authenticate in another way")

// parseCredentials reads the one way in which a client says who it is: HTTP Basic,
// client_id with or without client_secret in the body, or an assertion. Two ways at once are
// refused (RFC 6749 §2.3, threats 20). It is pure.
func parseCredentials(h http.Header, form url.Values) (credentials, error) {
	var c credentials
	headers := h.Values("Authorization")
	if len(headers) > 1 {
		return c, errInvalidRequest.Saying("there are two Authorization headers")
	}
	assertion := form.Get("client_assertion") != "" || form.Get("client_assertion_type") != ""
	ways := len(headers)
	for _, way := range []bool{form.Get("client_secret") != "", assertion} {
		if way {
			ways++
		}
	}
	switch {
	case ways > 1:
		return c, errInvalidRequest.Saying("the client authenticates in more than one way")
	case assertion:
		var err error
		if c, err = parseAssertion(form); err != nil {
			return c, err
		}
	case len(headers) == 1:
		var err error
		if c, err = parseBasic(headers[0]); err != nil {
			return c, err
		}
		if id := form.Get("client_id"); id != "" && id != c.clientID {
			return c, errInvalidClient.Saying("client_id is not the client of the Authorization header")
		}
	default:
		c = credentials{clientID: form.Get("client_id"), secret: secret.Text(form.Get("client_secret")), way: AuthPost}
		if c.secret == "" {
			c.way = AuthNone
		}
	}
	if c.clientID == "" {
		return c, errInvalidClient.Saying("there is no client_id")
	}
	if !isClientID(c.clientID) {
		return credentials{}, errInvalidClient.Saying("client_id is malformed")
	}
	return c, nil
}

// parseBasic reads HTTP Basic. Id and secret are form-urlencoded inside of it
// (RFC 6749 §2.3.1), so a colon, a plus or a letter beyond ASCII arrives whole
// (threats 17).
func parseBasic(header string) (credentials, error) {
	bad := errInvalidClient.Saying("the Authorization header is not HTTP Basic with a form-urlencoded id and secret")
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{}, bad
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return credentials{}, bad
	}
	id, password, ok := strings.Cut(string(plain), ":")
	if !ok {
		return credentials{}, bad
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return credentials{}, bad
	}
	if password, err = url.QueryUnescape(password); err != nil {
		return credentials{}, bad
	}
	return credentials{clientID: id, secret: secret.Text(password), way: AuthBasic}, nil
}

// authenticate finds the client that q is the word of, or refuses it. A public
// client has no secret to send, a confidential one always has to prove itself, in the way
// that it is registered with if that is one (threats 2, 20). q has been through prove.
func (p *Provider) authenticate(tx *db.Tx, q credentials, by audit.Actor) (*Client, error) {
	c, secrets, err := clientAndSecrets(tx, q.clientID)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, errInvalidClient.Because("there is no such client")
	case c.Public && q.secret != "":
		return nil, errInvalidClient.Saying("a public client has no secret")
	case q.assertion != nil:
		if err := c.asserted(q, tx.Now()); err != nil {
			return nil, err
		}
		return c, nil
	case c.Public:
		return c, nil
	case c.AuthMethod != "" && c.AuthMethod != q.way && q.way != AuthNone:
		return nil, errWay
	case q.secret == "":
		return nil, errInvalidClient.Saying("the client has to authenticate")
	}
	if s := p.matching(secrets, q.secret, secretSHA256, tx.Now()); s != nil {
		s.touch(tx)
		return c, nil
	}
	// The answer to a locked network is the same whether it guessed right or not.
	chosen := p.matching(secrets, q.secret, secretHMAC, tx.Now())
	network := "client-secret " + c.ID + " " + signin.Network(by.Address)
	all := "client-secret " + c.ID
	limit := guessesPerNetwork
	if err := signin.Blocked(tx, all, guessesInAll); errors.Is(err, signin.ErrTooManyAttempts) {
		limit.Count = 1
	} else if err != nil {
		return nil, err
	}
	old := legacy(secrets, tx.Now())
	if chosen != nil || len(old) > 0 {
		if err := signin.Blocked(tx, network, limit); err != nil {
			return nil, err
		}
	}
	if chosen == nil && len(old) > 0 && q.legacy != nil && !q.legacy.done {
		return nil, &legacyNeed{old, q}
	}
	if chosen != nil {
		chosen.touch(tx)
		return c, nil
	}
	if err := signin.Guess(tx, network, limit); err != nil {
		return nil, db.Keep(err)
	}
	if err := signin.Guess(tx, all, guessesInAll); err != nil && !errors.Is(err, signin.ErrTooManyAttempts) {
		return nil, err
	}
	return nil, db.Keep(errInvalidClient.Because("wrong secret"))
}

// matching is the secret among secrets that is stored as alg and is text, if it has
// not expired. It looks at all of them, in the same time wherever they differ
// (threats 12).
func (p *Provider) matching(secrets []Secret, text secret.Text, alg string, now time.Time) *Secret {
	var hash []byte
	switch alg {
	case secretSHA256:
		hash = secret.Hash(string(text))
	case secretHMAC:
		hash = p.master.MAC(macSecret, string(text))
	}
	var found *Secret
	for i := range secrets {
		if s := &secrets[i]; s.alg == alg && secret.Equal(s.hash, hash) && !s.Expired(now) {
			found = s
		}
	}
	return found
}

// touch notes that a secret is in use.
func (s *Secret) touch(tx *db.Tx) {
	if tx.Now().Sub(s.LastUsedAt) >= lastUsedEvery {
		tx.Do(`UPDATE client_secrets SET last_used_at = $2 WHERE id = $1`, s.ID, tx.Now().UnixMicro())
	}
}

// selectClientAndSecrets has its bound written out: SQLite looks at a LIMIT that is a
// parameter when it plans, and so plans anew at each run. This one runs for every token.
var selectClientAndSecrets = `
	SELECT ` + clientColumns + `, ` + clientLists + `, secret_id, secret_alg, secret_hash, secret_ends, secret_used
	FROM clients LEFT JOIN (SELECT id AS secret_id, client_id AS secret_client, alg AS secret_alg, hash AS secret_hash,
		expires_at AS secret_ends, last_used_at AS secret_used FROM client_secrets) s ON secret_client = clients.id
	WHERE id = $1 AND deleted_at IS NULL ORDER BY secret_id NULLS LAST LIMIT ` + strconv.Itoa(maxSecrets)

// clientAndSecrets loads a client that was not deleted with its secrets in one
// statement; the client is nil when there is none.
func clientAndSecrets(tx *db.Tx, id string) (*Client, []Secret, error) {
	type row struct {
		client       Client
		uris, groups string
		secret       Secret
	}
	rows, err := db.All(tx, func(r *row) []any {
		return append(r.client.fields(), db.Text(&r.uris), db.Text(&r.groups), db.Text(&r.secret.ID), db.Text(&r.secret.alg),
			&r.secret.hash, db.Time(&r.secret.ExpiresAt), db.Time(&r.secret.LastUsedAt))
	}, selectClientAndSecrets, id)
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	c := &rows[0].client
	c.setLists(rows[0].uris, rows[0].groups)
	secrets := make([]Secret, 0, len(rows))
	for i := range rows {
		if rows[i].secret.ID != "" {
			secrets = append(secrets, rows[i].secret)
		}
	}
	return c, secrets, nil
}
