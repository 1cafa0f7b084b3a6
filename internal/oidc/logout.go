package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/jobs"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// Each client knows a session by a name of its own, its sid, so that clients cannot put
// together who visits them. A row of session_clients is that name. When the session
// ends, or what the client had of it, the row is marked as ended, once and for all: who
// marks it tells the client. A later sign-in at the client has another sid.

// What became of telling a client, as its row keeps it.
const (
	toldNothing = ""          // it has no address for that, or nothing ended
	toldSoon    = "soon"      // it is about to be told
	toldAgain   = "again"     // it did not answer well, and is asked again
	toldWell    = "delivered" // it said that it has ended its session
	toldFailed  = "failed"    // it was given up
)

// newSid names a session to a client (OpenID Connect Back-Channel Logout §2.1).
func newSid(tx *db.Tx, s signin.Session, clientID string) string {
	sid, now := secret.ID(), tx.Now()
	tx.One([]any{&sid}, `
		INSERT INTO session_clients (session_id, client_id, sid, user_id, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (session_id, client_id) DO UPDATE SET
			sid = CASE WHEN session_clients.ended_at IS NULL THEN session_clients.sid ELSE excluded.sid END,
			user_id = excluded.user_id, ended_at = NULL, told = ''
		RETURNING sid`,
		s.ID, clientID, sid, s.UserID, db.Time(&now))
	return sid
}

// A farewell is the end of a session at one client, as the job carries it that tells the
// client: nothing in it is lost when the session is purged.
type farewell struct {
	Session string `json:"session"`
	Client  string `json:"client"`
	User    string `json:"user,omitempty"`
	Sid     string `json:"sid"`

	told string
}

// tellClient is the kind of a job that tells one client of one end. Its body is a farewell.
const tellClient = "oidc.tell_client"

// endSids marks the rows of session_clients that where names, whose first mark is $3, and
// adds a job for each client that wants to hear of it. It returns what ended.
func endSids(tx *db.Tx, where string, args ...any) ([]farewell, error) {
	list, err := db.All(tx, func(f *farewell) []any { return []any{&f.Session, &f.Client, &f.User, &f.Sid, &f.told} }, `
		UPDATE session_clients SET ended_at = $1,
			told = CASE WHEN (SELECT backchannel_logout FROM clients WHERE id = session_clients.client_id) <> '' THEN $2 ELSE '' END
		WHERE ended_at IS NULL AND `+where+` RETURNING session_id, client_id, user_id, sid, told`,
		append([]any{tx.Now().UnixMicro(), toldSoon}, args...)...)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if f.told != toldSoon {
			continue
		}
		body, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("write a farewell: %w", err)
		}
		jobs.Add(tx, tellClient, string(body))
	}
	return list, nil
}

// atOnce is how many ends are marked in one transaction where there may be any number.
const atOnce = 200

// logoutWork tells r what is to be done when sessions end.
func (p *Provider) logoutWork(r *jobs.Runner) {
	for kind, h := range map[string]struct {
		topic string
		do    func(context.Context, string) error
	}{
		"oidc.session_ended":  {"session.ended", p.sessionEnded},
		"oidc.user_out":       {"user.changed", p.userOut},
		"oidc.client_out":     {"client.changed", p.clientOut},
		"oidc.client_deleted": {"client.deleted", p.clientOut},
	} {
		r.Handle(kind, h.do)
		r.Subscribe(h.topic, kind)
	}
	r.HandleApart(tellClient, jobs.Lane{AtOnce: tellAtOnce, Waits: tellWaits}, p.tellClient)
}

// sessionEnded ends what hangs on a session. Clients hear of it when somebody ended it;
// one that ran out was left alone, and is no reason to sign anybody out elsewhere.
func (p *Provider) sessionEnded(ctx context.Context, id string) error {
	return p.db.Write(ctx, func(tx *db.Tx) error {
		revokeSessionGrants(tx, id)
		s, err := signin.EndedSession(tx, id)
		if errors.Is(err, signin.ErrNoSession) || err == nil && s.RanOut() {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = endSids(tx, `session_id = $3`, id)
		return err
	})
}

// userOut tells clients of a user who may not use them any more, or ended everything: also
// those whose session here has run out long ago, while theirs goes on.
func (p *Provider) userOut(ctx context.Context, id string) error {
	return p.db.Write(ctx, func(tx *db.Tx) error {
		u, err := directory.UserByID(tx, id)
		if errors.Is(err, directory.ErrNoUser) {
			return nil
		}
		if err != nil {
			return err
		}
		if u.Active(tx.Now()) != nil {
			_, err := endSids(tx, `user_id = $3`, id)
			return err
		}
		if !u.ValidFrom.IsZero() {
			if _, err := endSids(tx, `user_id = $3 AND created_at <= $4`, id, u.ValidFrom.UnixMicro()); err != nil {
				return err
			}
		}
		return endRefused(tx, u)
	})
}

// endRefused ends what u has open at clients that the gate closes to them by now.
func endRefused(tx *db.Tx, u directory.User) error {
	ids, err := db.All(tx, func(id *string) []any { return []any{id} }, `
		SELECT DISTINCT client_id FROM session_clients WHERE user_id = $1 AND ended_at IS NULL ORDER BY client_id NULLS LAST LIMIT $2`, u.ID, maxAllowed)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, err := clientByID(tx, id)
		if err == nil {
			_, err = mayUse(tx, u, c)
		}
		if err == nil {
			continue
		}
		if err := refusal(err); !errors.Is(err, errEnded) {
			return err
		}
		if _, err := endSids(tx, `user_id = $3 AND client_id = $4`, u.ID, id); err != nil {
			return err
		}
	}
	return nil
}

// clientOut tells a client of all that ends with it, when it was deleted or disabled.
func (p *Provider) clientOut(ctx context.Context, id string) error {
	for {
		more := false
		err := p.db.Write(ctx, func(tx *db.Tx) error {
			c, err := clientEvenDeleted(tx, id)
			if errors.Is(err, ErrNoClient) || err == nil && c.DeletedAt.IsZero() && c.DisabledAt.IsZero() {
				return nil
			}
			if err != nil {
				return err
			}
			ended, err := endSids(tx, `session_id IN (SELECT session_id FROM session_clients WHERE client_id = $3 AND ended_at IS NULL
				ORDER BY session_id NULLS LAST LIMIT $4) AND client_id = $3`, id, atOnce)
			more = len(ended) == atOnce
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

// clientEvenDeleted is clientByID for who has to deal with what a client leaves behind.
// Its addresses and groups are not loaded.
func clientEvenDeleted(tx *db.Tx, id string) (*Client, error) {
	c := &Client{}
	err := tx.One(c.fields(), `SELECT `+clientColumns+` FROM clients WHERE id = $1`, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, ErrNoClient
	}
	return c, err
}
