package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// ErrPushedUnknown is for a request_uri that is not there any more, or is another client's.
// Where the answer would go is not known then, so a page says it.
var ErrPushedUnknown = fault.New(fault.Invalid, "pushed_request_unknown")

const (
	// pushedPrefix is what our request_uri begin with (RFC 9126 §2.2).
	pushedPrefix = "urn:ietf:params:oauth:request_uri:"
	// pushedFor is how long a browser has to bring a pushed request. What was stored for it
	// meanwhile goes on for as long as a person may take.
	pushedFor = 90 * time.Second
)

// A pushedAnswer tells a client where its request is (RFC 9126 §2.2).
type pushedAnswer struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"`
}

// Push is POST /api/oidc/par (RFC 9126): a client leaves its request here, and the browser
// brings no more than its name. All that the authorization endpoint would refuse whoever
// comes is refused here.
func (p *Provider) Push(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	if err := edge.Single(form, "resource"); err != nil {
		return err
	}
	shown, err := parseCredentials(r.Header, form)
	if err != nil {
		return err
	}
	ctx := r.Context()
	by := audit.From(ctx)
	by.Via = "api"
	edge.Note(ctx, "client", shown.clientID)
	if err := p.meetClient(ctx, shown.clientID); err != nil {
		return toldOfDocument(err)
	}
	if shown, err = p.prove(ctx, shown); err != nil {
		return err
	}
	var c *Client
	err = p.tryLegacy(ctx, func() error {
		return p.db.Write(ctx, func(tx *db.Tx) (err error) {
			c, err = p.authenticate(tx, shown, by)
			return err
		})
	})
	if err != nil {
		return err
	}
	if form.Has("request_uri") {
		return errInvalidRequest.Saying("request_uri cannot be pushed")
	}
	form.Set("client_id", c.ID)
	q, refusal, err := p.read(ctx, form)
	if err == nil {
		err = refusal
	}
	if err == nil {
		_, err = p.target(c, &q)
	}
	if err == nil {
		err = p.judge(c, &q)
	}
	if err != nil {
		return toldAtEndpoint(err)
	}
	uri := secret.Token()
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		tx.Do(`INSERT INTO pushed_requests (hash, client_id, params, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			secret.Hash(uri), c.ID, db.JSON(&q), tx.Now().UnixMicro(), tx.Now().Add(pushedFor).UnixMicro())
		return nil
	})
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusCreated, pushedAnswer{pushedPrefix + uri, int64(pushedFor / time.Second)})
}

// toldOfDocument makes of what is wrong with the document of a client what the client is
// told; an outage stays one.
func toldOfDocument(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Unavailable && f.Kind != fault.Internal {
		return errInvalidClient.Saying("the document of the client cannot be used").Because("%w", err)
	}
	return err
}

// toldAtEndpoint makes of what a person would be told on a page what a client is told at
// an endpoint.
func toldAtEndpoint(err error) error {
	for told, text := range map[*fault.Error]string{
		ErrUnregistered:    "redirect_uri is not registered for this client",
		ErrRefused:         "redirect_uri is registered but not allowed",
		ErrRedirectMissing: "redirect_uri is missing",
		ErrRepeated:        "client_id or redirect_uri is repeated",
		ErrClientUnknown:   "client_id is malformed",
		ErrClientMissing:   "client_id is missing",
	} {
		if errors.Is(err, told) {
			return errInvalidRequest.Saying(text).Because("%w", err)
		}
	}
	return err
}

// pushedHash is the hash under which a pushed request is found, or nil when form brings none.
func pushedHash(form url.Values) []byte {
	id, ours := strings.CutPrefix(form.Get("request_uri"), pushedPrefix)
	if !ours {
		return nil
	}
	return secret.Hash(id)
}

// pushed is the request that q brings the name of. It may be opened again until it was
// answered (RFC 9126 §7.3), and nothing counts that stands beside its name (RFC 9101 §6.3).
func (p *Provider) pushed(tx *db.Tx, q *authRequest, c *Client) error {
	var stored authRequest
	var used time.Time
	hash := q.pushed
	err := tx.One([]any{db.JSON(&stored), db.Time(&used)},
		`SELECT params, used_at FROM pushed_requests WHERE hash = $1 AND client_id = $2 AND expires_at > $3`, hash, q.ClientID, tx.Now().UnixMicro())
	switch {
	case errors.Is(err, db.ErrNotFound):
		return ErrPushedUnknown.With("client", c.Name).With("launch", c.LaunchURL)
	case err != nil:
		return err
	case !used.IsZero():
		return ErrAuthorizationDone.With("client", c.Name).With("launch", c.LaunchURL)
	}
	*q = stored
	q.pushed = hash
	return nil
}

// usePushed uses a pushed request up, when it is answered. Of many who come to that point
// at once, with whatever they opened it in, one statement lets one through (threats 4).
func usePushed(tx *db.Tx, hash []byte, c *Client) error {
	if hash == nil {
		return nil
	}
	var used []byte
	err := tx.One([]any{&used}, `UPDATE pushed_requests SET used_at = $2 WHERE hash = $1 AND used_at IS NULL RETURNING hash`, hash, tx.Now().UnixMicro())
	if errors.Is(err, db.ErrNotFound) {
		return ErrAuthorizationDone.With("client", c.Name).With("launch", c.LaunchURL)
	}
	return err
}

// purgePushed deletes pushed requests that nothing which was stored for them can wait for.
func purgePushed(tx *db.Tx, limit int) (int64, error) {
	before := tx.Now().Add(-keepEnded)
	return tx.Exec(`DELETE FROM pushed_requests WHERE hash IN (
		SELECT hash FROM pushed_requests WHERE expires_at < $1 ORDER BY expires_at NULLS LAST LIMIT $2)`, db.Time(&before), limit)
}
