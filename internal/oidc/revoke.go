package oidc

import (
	"errors"
	"net/http"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// errUnsupportedTokenType answers who gives back what cannot be taken back (RFC 7009 §2.2.1).
var errUnsupportedTokenType = fault.New(fault.Invalid, "unsupported_token_type")

// Revoke is POST /api/oidc/revoke (RFC 7009): a client gives a token back. An access token
// is dead from then on, a refresh token takes its grant along. A token that is another
// client's, or nobody's, is answered like any other and nothing happens (threats 16); when
// the database cannot say, the answer is no success (threats 15).
func (p *Provider) Revoke(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	ctx := r.Context()
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	if err := edge.Single(form); err != nil {
		return err
	}
	shown, err := parseCredentials(r.Header, form)
	if err != nil {
		return err
	}
	edge.Note(ctx, "client", shown.clientID)
	token, err := p.shownToken(ctx, form)
	if err != nil {
		return err
	}
	if shown, err = p.prove(ctx, shown); err != nil {
		return err
	}
	by := audit.From(ctx)
	by.Via = "api"
	err = p.tryLegacy(ctx, func() error {
		return p.db.Write(ctx, func(tx *db.Tx) error {
			c, err := p.authenticate(tx, shown, by)
			if err != nil {
				return err
			}
			if token.access == nil {
				return p.revokeRefresh(tx, by, c, token.text)
			}
			if token.access.ClientID == c.ID && tx.Now().Unix() < token.access.Expires {
				tx.Do(`INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING`,
					token.access.ID, token.access.Expires*1_000_000)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if token.access == nil && strings.Count(token.text, ".") == 2 {
		switch _, err := p.readHint(ctx, token.text); {
		case err == nil:
			return errUnsupportedTokenType.Saying("an ID token cannot be revoked")
		case !errors.Is(err, errHint):
			return err
		}
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// revokeRefresh ends the grant of a refresh token of c, with all of its tokens. One that
// was spent ends it as well: who gives it back wants that.
func (p *Provider) revokeRefresh(tx *db.Tx, by audit.Actor, c *Client, text string) error {
	var id, owner string
	hash := secret.Hash(text)
	err := tx.One([]any{&id, &owner}, `SELECT id, client_id FROM grants WHERE refresh_hash = $1`, hash)
	if errors.Is(err, db.ErrNotFound) {
		err = tx.One([]any{&id, &owner}, `SELECT g.id, g.client_id FROM spent_refresh_tokens s JOIN grants g ON g.id = s.grant_id WHERE s.hash = $1`, hash)
	}
	if errors.Is(err, db.ErrNotFound) || err == nil && owner != c.ID {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = revokeGrant(tx, by, id, revokedClient)
	return err
}
