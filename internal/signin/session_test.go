package signin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// A session dies when it has not been seen for the idle time, and after thirty
// days however busy it is.
func TestSessionLifetimes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		time.Sleep(time.Hour - time.Millisecond)
		must(t, ada.visit())
		time.Sleep(time.Hour - time.Millisecond)
		must(t, ada.visit())
		time.Sleep(time.Hour)
		wants(t, "an idle hour", ada.visit(), ErrNoSession)

		h.settings(func(s *settings.Settings) { s.SessionDuration = 20 * 24 * 60 })
		must(t, ada.signIn(k))
		began := time.Now()
		for ada.visit() == nil {
			time.Sleep(36 * time.Hour)
		}
		if d := time.Since(began); d != 30*24*time.Hour {
			t.Errorf("a busy session lived for %s", d)
		}

		h.settings(func(s *settings.Settings) { s.SessionDuration = 1 })
		must(t, ada.signIn(k))
		for range 10 {
			time.Sleep(40 * time.Second)
			must(t, ada.visit())
		}
		time.Sleep(time.Minute)
		wants(t, "an idle minute where a minute is the limit", ada.visit(), ErrNoSession)
	})
}

// A visit is two statements; that the session was seen is written at most once
// a minute, with the address of that visit.
func TestVisitIsCheap(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada := h.person("ada", newKey())
		visit := func() int64 {
			before := h.db.Statements()
			must(t, ada.visit())
			return h.db.Statements() - before
		}
		time.Sleep(59 * time.Second)
		if n := visit(); n != 2 {
			t.Errorf("a visit takes %d statements, want 2", n)
		}
		time.Sleep(time.Second)
		ada.seen = Seen{"192.0.2.99", strings.Repeat("é", 400)}
		if n := visit(); n != 4 {
			t.Errorf("a visit after a minute takes %d statements, want 4", n)
		}
		if n := visit(); n != 2 {
			t.Errorf("the visit after that takes %d statements, want 2", n)
		}
		if s := ada.visitor.Session; s.Address != "192.0.2.99" || len(s.UserAgent) > maxUserAgent || s.UserAgent == "" || !s.LastSeenAt.Equal(time.Now()) {
			t.Errorf("the session is %+v", s)
		}
	})
}

// threats 33: a handle lives until the next change of privilege. The session
// goes on under the new one; what was fixed before is dead.
func TestHandleChanges(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		dead := func(what, handle string) {
			t.Helper()
			_, err := h.Visit(t.Context(), handle, ada.seen)
			wants(t, what, err, ErrNoSession)
		}
		session, first := ada.visitor.Session.ID, ada.handle
		must(t, ada.signIn(k))
		dead("the handle before signing in again", first)
		if ada.visitor.Session.ID != session {
			t.Error("signing in again as the same user began another session")
		}
		second := ada.handle
		must(t, ada.stepUp(k, PurposePasskeys))
		dead("the handle before the step-up", second)
		must(t, ada.visit())
		if ada.visitor.Session.ID != session || ada.handle == second {
			t.Error("the step-up began another session")
		}

		// A handle that somebody planted is not taken over.
		planted := h.browser()
		planted.handle = strings.Repeat("A", handleLength)
		must(t, planted.signIn(k))
		dead("a planted handle", strings.Repeat("A", handleLength))

		// Another user in the same browser ends the session that was there.
		l := newKey()
		h.person("bob", l)
		third := ada.handle
		must(t, ada.signIn(l))
		dead("the handle of the user before", third)
		if ada.visitor.User.Username != "bob" || ada.visitor.Session.ID == session {
			t.Errorf("the visitor is %s in session %s", ada.visitor.User.Username, ada.visitor.Session.ID)
		}
		if n := h.count(`SELECT count(*) FROM sessions WHERE id = $1 AND end_reason = 'replaced'`, session); n != 1 {
			t.Error("the session of the user before was not ended")
		}
		if n := h.count(`SELECT count(*) FROM jobs WHERE body = $1`, "session.ended "+session); n != 1 {
			t.Errorf("the end was published %d times", n)
		}
	})
}

// threats 33: signing in by a code in the same browser loses what the session
// had proved before.
func TestCodeLosesWhatThePasskeyProved(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		must(t, ada.stepUp(k, PurposeAuthorize))
		ada.byCode("ada")
		if !ada.visitor.Session.ByCode() || ada.visitor.Session.ACR != "0" || ada.visitor.Session.PasskeyID != "" {
			t.Errorf("the session is %+v", ada.visitor.Session)
		}
		h.write(func(tx *db.Tx) error {
			wants(t, "the step-up of before", SteppedUp(tx, ada.visitor.Session.ID, PurposeAuthorize), ErrStepUp)
			return nil
		})
	})
}

// Only the hash of a handle is stored.
func TestHandleIsStoredAsItsHash(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada := h.person("ada", newKey())
		if len(ada.handle) != 43 {
			t.Errorf("the handle %q has not 256 bits", ada.handle)
		}
		h.write(func(tx *db.Tx) error {
			all, err := db.All(tx, func(b *[]byte) []any { return []any{b} }, `SELECT handle FROM sessions ORDER BY id NULLS LAST LIMIT 10`)
			if !slices.ContainsFunc(all, func(b []byte) bool { return string(b) == string(secret.Hash(ada.handle)) }) {
				t.Error("the hash is not there")
			}
			return err
		})
		for _, handle := range []string{"", "x", string(secret.Hash(ada.handle)), ada.handle + "A", strings.ToUpper(ada.handle)} {
			_, err := h.Visit(t.Context(), handle, ada.seen)
			wants(t, "the handle "+handle, err, ErrNoSession)
		}
	})
}

// threats 3: whoever is disabled or deleted is out at once, and what was open
// stays dead when they come back.
func TestSessionsDieWithTheirUser(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		id := ada.visitor.User.ID
		must(t, h.directory.Disable(t.Context(), root, id))
		wants(t, "a session of a disabled user", ada.visit(), ErrNoSession)
		must(t, h.directory.Enable(t.Context(), root, id))
		wants(t, "the same session after they were enabled", ada.visit(), ErrNoSession)
		must(t, ada.signIn(k))
		must(t, ada.visit())

		ended := h.events("session.ended")
		must(t, h.userChanged(t.Context(), id))
		if h.events("session.ended") != ended {
			t.Error("the job ended a session that lives")
		}
		must(t, h.directory.Delete(t.Context(), root, id))
		wants(t, "a session of a deleted user", ada.visit(), ErrNoSession)
		must(t, h.userChanged(t.Context(), id))
		if n := h.count(`SELECT count(*) FROM sessions WHERE ended_at IS NULL`); n != 0 {
			t.Errorf("%d sessions of a deleted user were not ended", n)
		}
		must(t, h.userPurged(t.Context(), id))
		if n := h.count(`SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM passkeys)`); n != 0 {
			t.Errorf("%d rows of a purged user are left", n)
		}
	})
}

// A user is purged here only when their account is gone.
func TestPurgeSparesTheLiving(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada := h.person("ada", newKey())
		must(t, h.userPurged(t.Context(), ada.visitor.User.ID))
		must(t, ada.visit())
	})
}

func TestListAndEndSessions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, l := newKey(), newKey()
		here := h.person("ada", k)
		bob := h.person("bob", l)
		there, elsewhere := h.browser(), h.browser()
		time.Sleep(time.Second)
		must(t, there.signIn(k))
		time.Sleep(time.Second)
		must(t, elsewhere.signIn(k))
		list := func() (ids []string) {
			sessions, err := h.Sessions(t.Context(), here.visitor)
			must(t, err)
			for _, s := range sessions {
				ids = append(ids, s.ID)
			}
			return ids
		}
		if got, want := list(), []string{elsewhere.visitor.Session.ID, there.visitor.Session.ID, here.visitor.Session.ID}; !slices.Equal(got, want) {
			t.Errorf("the sessions are %v, want %v", got, want)
		}
		// threats 54: an id of somebody else does nothing
		wants(t, "ending another's session", h.EndSession(t.Context(), here.visitor, bob.visitor.Session.ID), ErrSessionGone)
		must(t, bob.visit())
		must(t, h.EndSession(t.Context(), here.visitor, there.visitor.Session.ID))
		wants(t, "the ended session", there.visit(), ErrNoSession)
		wants(t, "ending it again", h.EndSession(t.Context(), here.visitor, there.visitor.Session.ID), ErrSessionGone)
		must(t, elsewhere.visit())
		must(t, h.EndOthers(t.Context(), here.visitor))
		wants(t, "another session after ending the others", elsewhere.visit(), ErrNoSession)
		must(t, here.visit())
		must(t, bob.visit())

		must(t, there.signIn(k))
		must(t, h.SignOutEverywhere(t.Context(), here.visitor))
		wants(t, "this session after signing out everywhere", here.visit(), ErrNoSession)
		wants(t, "the other one", there.visit(), ErrNoSession)
		if u, err := h.directory.User(t.Context(), here.visitor.User.ID); err != nil || !u.Outlived(time.Now()) {
			t.Errorf("what applications hold is still good: %+v, %v", u, err)
		}
		must(t, here.signIn(k)) // at the very same instant
		must(t, here.visit())
		must(t, bob.visit())
		if got := list(); !slices.Equal(got, []string{here.visitor.Session.ID}) {
			t.Errorf("the sessions are %v", got)
		}
	})
}

func TestSessionAlive(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada := h.person("ada", newKey())
		alive := func() error {
			return h.db.Read(t.Context(), func(tx *db.Tx) error {
				s, err := SessionAlive(tx, ada.visitor.Session.ID)
				if err == nil && s.UserID != ada.visitor.User.ID {
					t.Errorf("the session is %+v", s)
				}
				return err
			})
		}
		must(t, alive())
		must(t, h.SignOut(t.Context(), ada.visitor))
		wants(t, "a session that was signed out", alive(), ErrNoSession)
	})
}

// What the budget of a passkey sign-in is made of.
func TestSignInTakesFewStatements(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		h.person("ada", k)
		time.Sleep(2 * time.Hour)
		b := h.browser()
		before := h.db.Statements()
		must(t, b.signIn(k))
		if n := h.db.Statements() - before; n != 8 {
			t.Errorf("a passkey sign-in takes %d statements, want 8", n)
		}
	})
}

// What ran out is swept away, and only that.
func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		_, err := h.BeginSignIn(t.Context(), ada.cookie, "")
		must(t, err)
		_, _, err = h.MakeLoginLink(t.Context(), root, "ada", 0)
		must(t, err)
		sweep := func() map[string]int64 {
			done := map[string]int64{}
			for _, p := range purges {
				h.write(func(tx *db.Tx) (err error) {
					done[p.name], err = p.sweep(tx, 100)
					return err
				})
			}
			return done
		}
		if done := sweep(); done["signin.ceremonies"]+done["signin.codes"]+done["signin.attempts"]+done["signin.sessions"] != 0 {
			t.Errorf("what lives was swept away: %v", done)
		}
		must(t, ada.visit())
		time.Sleep(2 * time.Hour)
		if done := sweep(); done["signin.ceremonies"] != 1 || done["signin.codes"] != 1 || done["signin.attempts"] == 0 || done["signin.sessions"] != 0 {
			t.Errorf("the sweep took %v", done)
		}
		time.Sleep(keptFor)
		if done := sweep(); done["signin.sessions"] != 1 {
			t.Errorf("the sweep took %v, want the session", done)
		}
	})
}
