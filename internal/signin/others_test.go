package signin

import (
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// as is who a browser acts as.
func (b *browser) as() audit.Actor { return b.visitor.actor(b.h.t.Context()) }

// boss is an administrator, signed in with a passkey.
func (h *house) boss() *browser {
	h.t.Helper()
	h.openSetup()
	b := h.browser()
	must(h.t, b.setUp("boss"))
	return b
}

// threats 54: what is somebody else's is not found under this person's id.
func TestAdministratorRemovesAPasskey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := newKey(), newKey()
		boss, ada, bob := h.boss(), h.person("ada", first), h.person("bob", newKey())
		must(t, ada.stepUp(first, PurposePasskeys))
		_, err := ada.add(second)
		must(t, err)
		there := h.browser()
		must(t, there.signIn(second))
		id := ada.visitor.User.ID
		list, err := h.PasskeysOf(t.Context(), boss.as(), id)
		must(t, err)
		if len(list) != 2 {
			t.Fatalf("ada has %d passkeys", len(list))
		}
		remove := func(by audit.Actor, of, passkey string) error {
			_, err := h.RemovePasskeyOf(t.Context(), by, of, passkey)
			return err
		}
		_, err = h.PasskeysOf(t.Context(), ada.as(), id)
		wants(t, "looking as nobody special", err, audit.ErrNotAdmin)
		wants(t, "removing as nobody special", remove(bob.as(), id, list[1].ID), audit.ErrNotAdmin)
		wants(t, "removing without a step-up", remove(boss.as(), id, list[1].ID), ErrStepUp)
		must(t, boss.stepUp(boss.keys[0], PurposePasskeys))
		wants(t, "removing it as another's", remove(boss.as(), bob.visitor.User.ID, list[1].ID), ErrNoPasskey)
		wants(t, "removing of nobody", remove(boss.as(), "x", list[1].ID), directory.ErrNoUser)
		if n := h.count(`SELECT count(*) FROM passkeys WHERE user_id = $1`, id); n != 2 {
			t.Errorf("%d passkeys are left", n)
		}

		must(t, remove(boss.as(), id, list[1].ID))
		must(t, ada.visit())
		wants(t, "a session of a removed passkey", there.visit(), ErrNoSession)
		wants(t, "signing in with a removed passkey", there.signIn(second), ErrPasskeyUnknown)
		wants(t, "removing it again", remove(boss.as(), id, list[1].ID), ErrNoPasskey)
		must(t, remove(boss.as(), id, list[0].ID)) // also the last one
		wants(t, "a session of the last passkey", ada.visit(), ErrNoSession)
		wants(t, "signing in with it", ada.signIn(first), ErrPasskeyUnknown)
		var names []string
		h.write(func(tx *db.Tx) (err error) {
			names, err = db.All(tx, func(s *string) []any { return []any{s} }, `SELECT object_name FROM audit
				WHERE event = 'PASSKEY_REMOVED' AND user_id = $1 AND actor_id = $2 ORDER BY object_name LIMIT 10`, id, boss.visitor.User.ID)
			return err
		})
		if len(names) != 2 || names[0] != list[0].Name || names[1] != list[1].Name {
			t.Errorf("the log has %q", names)
		}

		own, err := h.PasskeysOf(t.Context(), boss.as(), boss.visitor.User.ID)
		must(t, err)
		wants(t, "removing one's own last one", remove(boss.as(), boss.visitor.User.ID, own[0].ID), ErrLastPasskey)
		must(t, boss.visit())
		// A command has no session to step up.
		must(t, remove(audit.System("cli"), boss.visitor.User.ID, own[0].ID))
	})
}

// What was begun before a removal does not go on after it.
func TestRemovalEndsWhatIsUnderWay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := newKey()
		boss, ada := h.boss(), h.person("ada", first)
		must(t, boss.stepUp(boss.keys[0], PurposePasskeys))
		list, err := h.PasskeysOf(t.Context(), boss.as(), ada.visitor.User.ID)
		must(t, err)
		there := h.browser()
		login, err := h.BeginSignIn(t.Context(), there.cookie, "")
		must(t, err)
		step, err := h.BeginStepUp(t.Context(), ada.visitor, ada.cookie, PurposePasskeys, "")
		must(t, err)
		_, err = h.RemovePasskeyOf(t.Context(), boss.as(), ada.visitor.User.ID, list[0].ID)
		must(t, err)
		_, err = h.FinishSignIn(t.Context(), there.cookie, there.seen, login.ID, first.get(t, login.Options), "")
		wants(t, "a sign-in that was under way", err, ErrPasskeyUnknown)
		_, err = h.FinishStepUp(t.Context(), ada.visitor, ada.cookie, step.ID, first.get(t, step.Options))
		wants(t, "a step-up that was under way", err, ErrNoSession)
	})
}

// threats 54
func TestAdministratorEndsSessions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		boss, ada, bob := h.boss(), h.person("ada", k), h.person("bob", newKey())
		there := h.browser()
		time.Sleep(time.Second)
		must(t, there.signIn(k))
		id := ada.visitor.User.ID
		list, err := h.SessionsOf(t.Context(), boss.as(), id)
		must(t, err)
		if len(list) != 2 || list[0].ID != there.visitor.Session.ID {
			t.Fatalf("the sessions are %v", list)
		}
		end := func(by audit.Actor, of, session string) error { return h.EndSessionOf(t.Context(), by, of, session) }
		_, err = h.SessionsOf(t.Context(), bob.as(), id)
		wants(t, "looking as nobody special", err, audit.ErrNotAdmin)
		wants(t, "ending as nobody special", end(bob.as(), id, list[0].ID), audit.ErrNotAdmin)
		wants(t, "signing out as nobody special", h.SignOutEverywhereOf(t.Context(), bob.as(), id), audit.ErrNotAdmin)
		wants(t, "ending it as another's", end(boss.as(), bob.visitor.User.ID, list[0].ID), ErrSessionGone)
		must(t, there.visit())
		must(t, end(boss.as(), id, list[0].ID))
		wants(t, "the ended session", there.visit(), ErrNoSession)
		wants(t, "ending it again", end(boss.as(), id, list[0].ID), ErrSessionGone)
		must(t, ada.visit())

		must(t, there.signIn(k))
		code, _, err := h.MakeLoginLink(t.Context(), boss.as(), "ada", 0)
		must(t, err)
		must(t, h.SignOutEverywhereOf(t.Context(), boss.as(), id))
		wants(t, "a session after signing out everywhere", ada.visit(), ErrNoSession)
		wants(t, "the other one", there.visit(), ErrNoSession)
		_, err = h.RedeemLogin(t.Context(), there.cookie, there.seen, code, "")
		wants(t, "a link from before", err, ErrCode)
		if u, err := h.directory.User(t.Context(), id); err != nil || !u.Outlived(time.Now()) {
			t.Errorf("what applications hold is still good: %+v, %v", u, err)
		}
		if h.events("user.signed_out_everywhere") != 1 {
			t.Error("it is not recorded")
		}
		must(t, bob.visit())
		must(t, boss.visit())
		must(t, ada.signIn(k))
		must(t, ada.visit())
		wants(t, "signing out nobody", h.SignOutEverywhereOf(t.Context(), boss.as(), "x"), directory.ErrNoUser)
	})
}
