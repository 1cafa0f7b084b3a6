package signin

import (
	"context"
	"errors"
	"slices"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/jobs"
	"pocketid/internal/secret"
)

const (
	// sessionLife is how long a session lives at most, however busy.
	sessionLife = 30 * 24 * time.Hour
	// touchEvery is how often "last seen" is written at most.
	touchEvery = time.Minute
)

// How a session says that its user was recognised (RFC 8176, and for phr the
// ACR values of OpenID EAP).
var (
	amrPasskey = []string{"phr", "user", "mfa"}
	amrCode    = []string{"otp"}
)

const (
	acrPasskey = "phr"
	acrCode    = "0"
)

// A Session is one browser that somebody has signed in with.
type Session struct {
	// ID is stable and no secret. What the browser holds is a handle, which
	// changes with every change of privilege and is stored only as its hash.
	ID     string
	UserID string
	// AuthTime is when the user last proved who they are to an application's
	// satisfaction: at sign-in, or by a step-up for PurposeAuthorize.
	AuthTime time.Time
	AMR      []string
	ACR      string
	// PasskeyID is the passkey that was used last; empty for a one-time code.
	PasskeyID  string
	UserAgent  string
	Address    string
	CreatedAt  time.Time
	LastSeenAt time.Time
	// ExpiresAt is when the session dies if nothing more is heard of it.
	ExpiresAt time.Time
	EndedAt   time.Time
	EndReason string
}

// ByCode reports whether the session was opened by a one-time code. Such a
// session proves less and may do less.
func (s *Session) ByCode() bool { return !slices.Contains(s.AMR, "phr") }

func (s *Session) alive(now time.Time) bool { return s.EndedAt.IsZero() && now.Before(s.ExpiresAt) }

const sessionColumns = `id, user_id, auth_time, amr, acr, passkey_id, user_agent, address, created_at, last_seen_at,
	expires_at, ended_at, end_reason`

const sessionColumnCount = 13

func (s *Session) fields() []any {
	return []any{&s.ID, &s.UserID, db.Time(&s.AuthTime), db.JSON(&s.AMR), &s.ACR, db.Text(&s.PasskeyID), &s.UserAgent,
		&s.Address, db.Time(&s.CreatedAt), db.Time(&s.LastSeenAt), db.Time(&s.ExpiresAt), db.Time(&s.EndedAt),
		db.Text(&s.EndReason)}
}

// Cookie is the name of the cookie that carries the handle of a session.
const Cookie = "session"

// A Visitor is a session and whose it is.
type Visitor struct {
	Session Session
	User    directory.User
}

type visitorKey struct{}

// With returns a context that carries v.
func With(ctx context.Context, v Visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, v)
}

// From is the visitor that ctx carries, if it carries one.
func From(ctx context.Context) (Visitor, bool) {
	v, ok := ctx.Value(visitorKey{}).(Visitor)
	return v, ok
}

// actor is who v acts as in the request of ctx.
func (v Visitor) actor(ctx context.Context) audit.Actor {
	return actor(ctx, &v.User, v.Session.ID, Seen{v.Session.Address, v.Session.UserAgent})
}

// handleLength is that of every handle; anything else is not looked up.
var handleLength = len(secret.Token())

// Visit finds out who holds handle. It reads the session and the user, one
// statement each; at most once a minute it writes that the session was seen,
// which also moves the end of its idle time on.
func (s *SignIn) Visit(ctx context.Context, handle string, seen Seen) (Visitor, error) {
	if len(handle) != handleLength {
		return Visitor{}, ErrNoSession
	}
	var v Visitor
	stale := false
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if v, err = visitor(tx, `handle = $1`, secret.Hash(handle)); err != nil {
			return err
		}
		stale = v.Session.stale(tx.Now())
		return nil
	})
	if err != nil || !stale {
		return v, err
	}
	seen = seen.clipped()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		idle, err := idleLife(tx)
		if err != nil {
			return err
		}
		expires := sessionEnd(v.Session.CreatedAt, tx.Now(), idle)
		tx.Do(`UPDATE sessions SET last_seen_at = $2, expires_at = $3, address = $4, user_agent = $5
			WHERE id = $1 AND ended_at IS NULL AND last_seen_at < $2`,
			v.Session.ID, tx.Now().UnixMicro(), expires.UnixMicro(), seen.Address, seen.UserAgent)
		v.Session.LastSeenAt, v.Session.ExpiresAt, v.Session.Address, v.Session.UserAgent = tx.Now(), expires, seen.Address, seen.UserAgent
		return nil
	})
	return v, err
}

// stale reports whether it is time to write that the session was seen. Where
// the idle time is about as short as touchEvery, half of it has to do, or a
// busy session would die between two writes.
func (s *Session) stale(now time.Time) bool {
	return now.Sub(s.LastSeenAt) >= min(touchEvery, s.ExpiresAt.Sub(s.LastSeenAt)/2)
}

// visitor reads the session that where and arg name and its user, and refuses
// what is dead: ended, idle or too old, older than the user's ValidFrom, or of
// a user who may not come in.
func visitor(tx *db.Tx, where string, arg any) (Visitor, error) {
	var v Visitor
	err := tx.One(v.Session.fields(), `SELECT `+sessionColumns+` FROM sessions WHERE `+where, arg)
	if errors.Is(err, db.ErrNotFound) {
		return Visitor{}, ErrNoSession
	}
	if err != nil {
		return Visitor{}, err
	}
	if !v.Session.alive(tx.Now()) {
		return Visitor{}, ErrNoSession
	}
	v.User, err = directory.UserByID(tx, v.Session.UserID)
	if errors.Is(err, directory.ErrNoUser) {
		return Visitor{}, ErrNoSession
	}
	if err != nil {
		return Visitor{}, err
	}
	if v.User.Service() || v.User.Active(tx.Now()) != nil || v.User.Outlived(v.Session.CreatedAt) {
		return Visitor{}, ErrNoSession
	}
	return v, nil
}

// again reads v anew in tx, because what Visit saw may have ended since.
func (v Visitor) again(tx *db.Tx) (Visitor, error) { return visitor(tx, `id = $1`, v.Session.ID) }

// SessionAlive reads the session with this id, or ErrNoSession when it has
// ended or run out. Whether its user may still come in is for the caller, who
// reads the user anyway.
func SessionAlive(tx *db.Tx, id string) (Session, error) {
	var s Session
	err := tx.One(s.fields(), `SELECT `+sessionColumns+` FROM sessions WHERE id = $1`, id)
	if errors.Is(err, db.ErrNotFound) || err == nil && !s.alive(tx.Now()) {
		return Session{}, ErrNoSession
	}
	return s, err
}

// EndedSession reads a session that has ended, for who deals with what is left of it, or
// ErrNoSession when it goes on or is no longer known.
func EndedSession(tx *db.Tx, id string) (Session, error) {
	var s Session
	err := tx.One(s.fields(), `SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND ended_at IS NOT NULL`, id)
	if errors.Is(err, db.ErrNotFound) {
		return Session{}, ErrNoSession
	}
	return s, err
}

// RanOut reports whether an ended session had run out when somebody noted its end: nobody
// wanted it to end then.
func (s *Session) RanOut() bool { return !s.EndedAt.Before(s.ExpiresAt) }

// sessionEnd is when a session that is seen now dies if it is not seen again.
func sessionEnd(created, now time.Time, idle time.Duration) time.Time {
	end := now.Add(idle)
	if last := created.Add(sessionLife); last.Before(end) {
		return last
	}
	return end
}

// A Login is a session that has a new handle, which goes to the browser once
// and is known nowhere else.
type Login struct {
	Handle  string
	Visitor Visitor
	// MaxAge is how long the browser may keep the handle.
	MaxAge time.Duration
	// CrossDevice says that the passkey came from another device, as the browser
	// tells it: a phone or a security key.
	CrossDevice bool
}

// proof is how somebody proved who they are.
type proof struct {
	amr       []string
	acr       string
	passkeyID string
	idle      time.Duration
	seen      Seen
	// old is the handle that the browser held before. It is dead afterwards:
	// when it was the same user's, that session goes on under the new handle.
	old string
}

// open signs u in.
func open(tx *db.Tx, by audit.Actor, u directory.User, p proof) (Login, error) {
	seen := p.seen.clipped()
	created := tx.Now()
	if u.Outlived(created) { // another replica's clock is ahead of ours
		created = u.ValidFrom.Add(time.Microsecond)
	}
	s := Session{ID: secret.ID(), UserID: u.ID, AuthTime: tx.Now(), AMR: p.amr, ACR: p.acr, PasskeyID: p.passkeyID,
		UserAgent: seen.UserAgent, Address: seen.Address, CreatedAt: created, LastSeenAt: tx.Now(),
		ExpiresAt: sessionEnd(created, tx.Now(), p.idle)}
	handle := secret.Token()
	if p.old != "" {
		err := tx.One([]any{&s.ID}, `UPDATE sessions SET handle = $3, auth_time = $4, amr = $5, acr = $6, passkey_id = $7,
			user_agent = $8, address = $9, created_at = $10, last_seen_at = $4, expires_at = $11
			WHERE handle = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $4 AND created_at > $12 RETURNING id`,
			secret.Hash(p.old), u.ID, secret.Hash(handle), db.Time(&s.AuthTime), db.JSON(&s.AMR), s.ACR, db.Text(&s.PasskeyID),
			s.UserAgent, s.Address, db.Time(&s.CreatedAt), db.Time(&s.ExpiresAt), max(u.ValidFrom.UnixMicro(), 0))
		if err == nil {
			// What the session had stepped up for, it did not as it is now.
			tx.Do(`DELETE FROM step_ups WHERE session_id = $1`, s.ID)
			return Login{Handle: handle, Visitor: Visitor{s, u}, MaxAge: sessionLife}, nil
		}
		if !errors.Is(err, db.ErrNotFound) {
			return Login{}, err
		}
		if _, err := end(tx, by, "replaced", `handle = $3`, secret.Hash(p.old)); err != nil {
			return Login{}, err
		}
	}
	tx.Do(`INSERT INTO sessions (`+sessionColumns+`, handle) VALUES (`+db.Marks(sessionColumnCount+1)+`)`,
		append(s.fields(), secret.Hash(handle))...)
	return Login{Handle: handle, Visitor: Visitor{s, u}, MaxAge: sessionLife}, nil
}

// end ends the open sessions that where names, whose first mark is $3, and
// tells who listens. It returns how many there were.
func end(tx *db.Tx, by audit.Actor, reason, where string, args ...any) (int, error) {
	type ended struct{ id, user string }
	list, err := db.All(tx, func(e *ended) []any { return []any{&e.id, &e.user} },
		`UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE ended_at IS NULL AND `+where+` RETURNING id, user_id`,
		append([]any{tx.Now().UnixMicro(), reason}, args...)...)
	for _, e := range list {
		audit.Record(tx, by, audit.Event{Name: audit.SessionEnded, Object: audit.Object{Kind: "session", ID: e.id},
			User: e.user, Data: map[string]any{"reason": reason}})
		jobs.Publish(tx, "session.ended", e.id)
	}
	return len(list), err
}
