package signin

import (
	"context"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
)

// ErrSessionGone says that there is no such session, or that it is not the
// visitor's, or has ended.
var ErrSessionGone = fault.New(fault.NotFound, "session_not_found")

// maxSessions is how many sessions a page lists.
const maxSessions = 200

// Sessions lists the visitor's living sessions, the last seen first.
func (s *SignIn) Sessions(ctx context.Context, v Visitor) ([]Session, error) {
	var list []Session
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = sessionsOf(tx, &v.User)
		return err
	})
	return list, err
}

// sessionsOf are the living sessions of u, the last seen first.
func sessionsOf(tx *db.Tx, u *directory.User) ([]Session, error) {
	return db.All(tx, (*Session).fields, `SELECT `+sessionColumns+` FROM sessions
		WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND created_at > $3
		ORDER BY last_seen_at DESC NULLS LAST, id LIMIT $4`,
		u.ID, tx.Now().UnixMicro(), max(u.ValidFrom.UnixMicro(), 0), maxSessions)
}

// EndSession ends one of the visitor's sessions, which may be this one.
func (s *SignIn) EndSession(ctx context.Context, v Visitor, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := end(tx, v.actor(ctx), "revoked", `id = $3 AND user_id = $4`, id, v.User.ID)
		if err == nil && n == 0 {
			return ErrSessionGone
		}
		return err
	})
}

// EndOthers ends all of the visitor's sessions but this one.
func (s *SignIn) EndOthers(ctx context.Context, v Visitor) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := end(tx, v.actor(ctx), "revoked", `user_id = $3 AND id <> $4`, v.User.ID, v.Session.ID)
		return err
	})
}

// SignOut ends the visitor's session. Ending one that has ended is no error.
func (s *SignIn) SignOut(ctx context.Context, v Visitor) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := end(tx, v.actor(ctx), "signed_out", `id = $3`, v.Session.ID)
		return err
	})
}

// End ends a session as a part of what its caller does. Ending one that has ended
// is no error.
func End(tx *db.Tx, by audit.Actor, id, reason string) error {
	_, err := end(tx, by, reason, `id = $3`, id)
	return err
}

// SignOutEverywhere ends everything that the visitor has open, here and at
// applications: all sessions, this one too, and all grants up to now.
func (s *SignIn) SignOutEverywhere(ctx context.Context, v Visitor) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return EndAll(tx, v.actor(ctx), v.User.ID, "signed_out_everywhere")
	})
}

// EndAll ends all sessions of a user, and all grants up to now, as a part of what its
// caller does.
func EndAll(tx *db.Tx, by audit.Actor, userID, reason string) error {
	directory.Invalidate(tx, userID)
	_, err := end(tx, by, reason, `user_id = $3`, userID)
	return err
}

// DeleteAccount deletes the visitor's own account as a part of what its caller does: after
// a fresh proof for just that, and with everything that lets anybody in as them.
func DeleteAccount(tx *db.Tx, by audit.Actor, v Visitor) error {
	now, err := v.again(tx)
	if err != nil {
		return err
	}
	if now.Session.ByCode() {
		return ErrCodeSession
	}
	if err := SteppedUp(tx, now.Session.ID, PurposeDelete); err != nil {
		return err
	}
	if err := directory.DeleteOwn(tx, by); err != nil {
		return err
	}
	tx.Do(`DELETE FROM login_codes WHERE user_id = $1`, now.User.ID)
	_, err = end(tx, by, "account_deleted", `user_id = $3`, now.User.ID)
	return err
}

// keptFor is how long an ended session stays as a row, so that applications
// can still be told about its end.
const keptFor = 7 * 24 * time.Hour

// purges are what runs out by itself. Whether something has run out is asked
// wherever it is used; here it is only swept away, at most $2 rows at a time.
var purges = []purge{
	{"signin.ceremonies", 0, `DELETE FROM ceremonies WHERE id IN (SELECT id FROM ceremonies WHERE expires_at <= $1 LIMIT $2)`},
	{"signin.codes", 0, `DELETE FROM login_codes WHERE hash IN (SELECT hash FROM login_codes WHERE expires_at <= $1 LIMIT $2)`},
	{"signin.replies", 0, `DELETE FROM replies WHERE key_hash IN (SELECT key_hash FROM replies WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{"signin.attempts", 0, `DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE expires_at <= $1 LIMIT $2)`},
	{"signin.sessions", keptFor, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)`},
}

// expire ends at most limit of the sessions that have run out, for whoever listens:
// grants that hang on them end, and applications are told. Nobody did it, so the log
// says nothing.
func expire(tx *db.Tx, limit int) (int64, error) {
	list, err := db.All(tx, func(id *string) []any { return []any{id} }, `UPDATE sessions SET ended_at = $1, end_reason = 'expired'
		WHERE id IN (SELECT id FROM sessions WHERE ended_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING id`,
		tx.Now().UnixMicro(), limit)
	for _, id := range list {
		jobs.Publish(tx, "session.ended", id)
	}
	return int64(len(list)), err
}

type purge struct {
	name  string
	grace time.Duration
	query string
}

func (p purge) sweep(tx *db.Tx, limit int) (int64, error) {
	return tx.Exec(p.query, tx.Now().Add(-p.grace).UnixMicro(), limit)
}
