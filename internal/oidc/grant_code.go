package oidc

import (
	"slices"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// A codeRequest is what a code stands for.
type codeRequest struct {
	Client  *Client
	UserID  string
	Session signin.Session
	// Sid is the name of the session at the client.
	Sid    string
	Scopes []string
	// RedirectURI is as the client sent it; "" when it did not.
	RedirectURI string
	Challenge   string
	Nonce       string
	MaxAgeAsked bool
	// Browser is the hash of the browser cookie.
	Browser []byte
}

// codeFor is how long a client has to redeem a code (RFC 9700 §2.1.1 via RFC 6749
// §4.1.2).
const codeFor = time.Minute

// newCode makes a grant and the code for it, and returns the code: 256 bits, of which
// the hash is stored.
func newCode(tx *db.Tx, r codeRequest) string {
	code, grant := secret.Token(), secret.ID()
	now := tx.Now()
	expires := now.Add(codeFor)
	offline := slices.Contains(r.Scopes, "offline_access")
	tx.Do(`
		INSERT INTO grants (id, kind, user_id, client_id, session_id, sid, offline, scopes, auth_time, amr, acr, created_at)
		VALUES ($1, 'code', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		grant, r.UserID, r.Client.ID, r.Session.ID, r.Sid, offline, db.JSON(&r.Scopes),
		db.Time(&r.Session.AuthTime), db.JSON(&r.Session.AMR), r.Session.ACR, db.Time(&now))
	tx.Do(`
		INSERT INTO codes (hash, grant_id, client_id, redirect_uri, challenge, nonce, max_age_asked, browser, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		secret.Hash(code), grant, r.Client.ID, r.RedirectURI, r.Challenge, r.Nonce, r.MaxAgeAsked, r.Browser, db.Time(&now), db.Time(&expires))
	return code
}
