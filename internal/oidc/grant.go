package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
	"pocketid/internal/signin"
)

// A Grant is what one person allowed one client, once: the code that brought it,
// the refresh tokens and access tokens that come of it, and their end. Tokens name
// the grant, so whatever ends it ends them, wherever they are.
type Grant struct {
	ID string
	// Kind is how it came about: grantByCode and its like.
	Kind     string
	UserID   string
	ClientID string
	// SessionID is the session in which it was allowed, and Sid what the client
	// knows that session by (OpenID Connect Back-Channel Logout §2.1).
	SessionID string
	Sid       string
	// Offline grants outlive their session. The others end with it.
	Offline bool
	// Imported grants come from another house and keep its lifetimes.
	Imported bool
	Scopes   []string
	// Resources are the APIs that its tokens are for (RFC 8707), with what was granted there;
	// none is the house itself.
	Resources []Target
	// Claims are single claims that were asked for beside the scopes (OpenID Connect Core §5.5).
	Claims claimsRequest
	// ParentID is the grant that it was exchanged for, with which it ends, and Actor the
	// client that acts for the user (RFC 8693 §4.1); "" is none.
	ParentID string
	Actor    string
	// cnf is the key that its tokens are bound to; "" is none.
	cnf      string
	AuthTime time.Time
	AMR      []string
	ACR      string
	// refreshHash is SHA-256 of the refresh token that is good now. The token
	// itself is never stored or logged.
	refreshHash []byte
	// RefreshAt is when the refresh token was last used, as exactly as refreshStale asks.
	RefreshAt time.Time
	CreatedAt time.Time
	// ExpiresAt is when nothing of it can be alive any more, for the sweep.
	ExpiresAt     time.Time
	RevokedAt     time.Time
	RevokedReason string
}

// grantColumns and fields are the mapping of a grant. Their names are unlike those
// of a client, so that one statement can read both: see grantRows.
const grantColumns = `grant_id, grant_kind, grant_user, grant_client, grant_session, sid, offline, imported, scopes, resources, claims,
	parent_id, actor, cnf, auth_time, amr, acr, refresh_hash, refresh_at, granted_at, grant_ends, revoked_at, revoked_reason`

// grantRows is the table of grants under the names of grantColumns.
const grantRows = `(SELECT id AS grant_id, kind AS grant_kind, user_id AS grant_user, client_id AS grant_client, session_id AS grant_session,
	sid, offline, imported, scopes, resources, claims, parent_id, actor, cnf, auth_time, amr, acr, refresh_hash, refresh_at, created_at AS granted_at,
	expires_at AS grant_ends, revoked_at, revoked_reason FROM grants) g`

// grantColumnsPlain are the columns of the table, in the order of fields.
const grantColumnsPlain = `id, kind, user_id, client_id, session_id, sid, offline, imported, scopes, resources, claims, parent_id, actor,
	cnf, auth_time, amr, acr, refresh_hash, refresh_at, created_at, expires_at, revoked_at, revoked_reason`

func (g *Grant) fields() []any {
	return []any{&g.ID, &g.Kind, db.Text(&g.UserID), &g.ClientID, db.Text(&g.SessionID), &g.Sid, &g.Offline, &g.Imported,
		db.JSON(&g.Scopes), db.JSON(&g.Resources), db.JSON(&g.Claims), db.Text(&g.ParentID), &g.Actor, &g.cnf, db.Time(&g.AuthTime), db.JSON(&g.AMR), &g.ACR, &g.refreshHash, db.Time(&g.RefreshAt),
		db.Time(&g.CreatedAt), db.Time(&g.ExpiresAt), db.Time(&g.RevokedAt), db.Text(&g.RevokedReason)}
}

// How grants come about.
const (
	grantByCode     = "code"
	grantByDevice   = "device"
	grantByClient   = "client"   // the client's own: it has no user
	grantByExchange = "exchange" // for a token of another grant
)

// Why a grant was revoked, as its row keeps it.
const (
	revokedReuse   = "reuse"   // a code or a refresh token came twice
	revokedSession = "session" // the session that it hung on ended
	revokedConsent = "consent" // the person took back what they allowed
	revokedClient  = "client"  // the client gave its refresh token back (RFC 7009)
)

// needs are the scopes that the person has to allow for g: its own, and those of the
// claims that were asked for by their names.
func (g *Grant) needs() []string { return union(g.Scopes, g.Claims.scopes()) }

func insertGrant(tx *db.Tx, g *Grant) {
	fields := g.fields()
	tx.Do(`INSERT INTO grants (`+grantColumnsPlain+`) VALUES (`+db.Marks(len(fields))+`)`, fields...)
}

// A holding is a grant with everybody it hangs on, as they are now.
type holding struct {
	pass
	grant *Grant
	// groups are read when the scopes need them.
	groups []directory.Group
	// reached are the APIs that the grant is for, in its order, with what was granted there.
	reached []reach
}

// errEnded says that a grant gives nothing any more. Each endpoint has its own code
// for it; why is for the log.
var errEnded = errors.New("the grant has ended")

// consentOfGrant selects the [allowance] of the person to the client by now, beside a row
// of grantRows. It is NULL when the consent was taken back.
const consentOfGrant = `(SELECT '{"scopes":' || k.scopes || ',"resources":' || k.resources || '}' FROM consents k
	WHERE k.user_id = grant_user AND k.client_id = grant_client)`

// hold asks again for everything that a grant depends on: it is not revoked, its
// session goes on, its user may come in and has not ended it, the consent is still
// there, the gate lets them pass, and the client still has what was granted to it at APIs;
// given is consentOfGrant. Each path that gives something for a grant asks here: code,
// refresh, userinfo and introspection (threats 3, 21). The answer is errEnded when the
// grant is dead, and any other error is an outage.
func (p *Provider) hold(tx *db.Tx, c *Client, g *Grant, given allowance) (holding, error) {
	h := holding{grant: g}
	if !g.RevokedAt.IsZero() {
		return h, fmt.Errorf("%w: it was revoked: %s", errEnded, g.RevokedReason)
	}
	if g.Kind == grantByClient {
		var err error
		if h.pass, err = mayAct(c); err != nil {
			return h, refusal(err)
		}
		return h, h.reach(tx)
	}
	if !g.Offline {
		if _, err := signin.SessionAlive(tx, g.SessionID); err != nil {
			return h, refusal(err)
		}
	}
	user, err := directory.UserByID(tx, g.UserID)
	if err != nil {
		return h, refusal(err)
	}
	if user.Outlived(g.CreatedAt) {
		return h, fmt.Errorf("%w: its user ended everything that is older", errEnded)
	}
	if g.Kind == grantByExchange { // an administrator allowed it, and the person the grant before
		if err := p.holdParent(tx, g); err != nil {
			return h, err
		}
	} else if !c.SkipConsent && !given.covers(allowance{g.needs(), g.Resources}) {
		return h, fmt.Errorf("%w: the consent was taken back", errEnded)
	}
	if h.pass, err = mayUse(tx, user, c); err != nil {
		return h, refusal(err)
	}
	if needs := g.needs(); slices.Contains(needs, scopeProfile) || slices.Contains(needs, scopeGroups) {
		if h.groups, err = directory.GroupsOf(tx, h.user.ID); err != nil {
			return h, err
		}
	}
	return h, h.reach(tx)
}

// reach finds the APIs of the grant. It has ended when one of them is gone, or a permission
// that was granted there: what the client would be given instead, nobody allowed.
func (h *holding) reach(tx *db.Tx) error {
	g, subject := h.grant, forUsers
	if g.Kind == grantByClient {
		subject = forMachine
	}
	resources := make([]string, len(g.Resources))
	for i, t := range g.Resources {
		resources[i] = t.Resource
	}
	all, err := reachOf(tx, h.client, subject, resources)
	if err != nil {
		return err
	}
	h.reached = make([]reach, 0, len(g.Resources))
	for _, t := range g.Resources {
		i := slices.IndexFunc(all, func(r reach) bool { return r.API == t.API || t.API == "" && r.key == resourceKey(t.Resource) })
		if i < 0 || !covers(all[i].Permissions, t.Permissions) {
			return fmt.Errorf("%w: the client lost what it had at %s", errEnded, t.Resource)
		}
		r := all[i]
		r.Permissions = t.Permissions
		h.reached = append(h.reached, r)
	}
	return nil
}

// covers says whether every scope of want is among have.
func covers(have, want []string) bool {
	return !slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(have, s) })
}

// refusal makes of what a part refused the end of the grant, and leaves an outage
// what it is.
func refusal(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return err
	}
	return fmt.Errorf("%w: %w", errEnded, err)
}

// revokeGrant ends a grant with every token of it: its family (RFC 9700 §4.14.2).
// It says whether there was something to end.
func revokeGrant(tx *db.Tx, by audit.Actor, id, reason string) (bool, error) {
	var user, client string
	err := tx.One([]any{db.Text(&user), &client}, `UPDATE grants SET revoked_at = $2, revoked_reason = $3, refresh_hash = NULL
		WHERE id = $1 AND revoked_at IS NULL RETURNING user_id, client_id`, id, tx.Now().UnixMicro(), reason)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	audit.Record(tx, by, audit.Event{Name: audit.GrantRevoked, Object: audit.Object{Kind: "grant", ID: id},
		User: user, Client: client, Data: map[string]any{"reason": reason}})
	return true, nil
}

// revokeSessionGrants ends what hangs on a session. What the person allowed for
// times when they are away goes on (OpenID Connect Back-Channel Logout §2.7).
func revokeSessionGrants(tx *db.Tx, sessionID string) {
	tx.Do(`UPDATE grants SET revoked_at = $2, revoked_reason = $3, refresh_hash = NULL
		WHERE session_id = $1 AND NOT offline AND revoked_at IS NULL`, sessionID, tx.Now().UnixMicro(), revokedSession)
}

// grantWork tells r what is to be done about grants beside requests.
func (p *Provider) grantWork(r *jobs.Runner) {
	r.Handle("oidc.user_purged", p.userPurged)
	r.Subscribe("user.purged", "oidc.user_purged")
	r.Purge("oidc.grants", sweepGrants)
	r.Purge("oidc.revoked_tokens", func(tx *db.Tx, limit int) (int64, error) {
		return tx.Exec(`DELETE FROM revoked_tokens WHERE jti IN (
			SELECT jti FROM revoked_tokens WHERE expires_at <= $1 ORDER BY expires_at NULLS LAST LIMIT $2)`, tx.Now().UnixMicro(), limit)
	})
}

// userPurged forgets what a user allowed, once nothing but a name is left of them.
func (p *Provider) userPurged(ctx context.Context, id string) error {
	return p.db.Write(ctx, func(tx *db.Tx) error {
		u, err := directory.UserByID(tx, id)
		if err == nil && u.DeletedAt.IsZero() {
			return nil
		}
		if err != nil && !errors.Is(err, directory.ErrNoUser) {
			return err
		}
		tx.Do(`DELETE FROM grants WHERE user_id = $1`, id)
		tx.Do(`DELETE FROM consents WHERE user_id = $1`, id)
		return nil
	})
}

// sweepGrants deletes grants of which nothing can be alive any more. Their codes and
// spent refresh tokens go with them: as long as a grant lives, one that comes again is
// known.
func sweepGrants(tx *db.Tx, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM grants WHERE id IN (
		SELECT id FROM grants WHERE expires_at <= $1 ORDER BY expires_at NULLS LAST LIMIT $2)`, tx.Now().UnixMicro(), limit)
}
