package signin

import (
	"testing"
	"time"
)

// The main road: set-up, a second passkey, sign-in with both, sign out.
//
// threats 47: a verified user is phr and never phrh, because managers say that
// they have verified when they have not.
func TestMainRoad(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.openSetup()
		ada := h.browser()
		must(t, ada.setUp("ada"))
		must(t, ada.visit())
		if u := ada.visitor.User; !u.Admin || u.Username != "ada" || u.LastSignInAt.IsZero() {
			t.Errorf("the first user is %+v", u)
		}
		wants(t, "adding without a step-up", func() error { _, err := ada.add(newKey()); return err }(), ErrStepUp)
		must(t, ada.stepUp(ada.keys[0], PurposePasskeys))
		second := deviceBound()
		_, err := ada.add(second)
		must(t, err)

		other := h.browser()
		must(t, other.signIn(second))
		must(t, other.visit())
		if s := other.visitor.Session; s.ACR != "phr" || s.ByCode() || s.AuthTime.IsZero() {
			t.Errorf("the session is %+v", s)
		}
		list, err := h.Passkeys(t.Context(), other.visitor)
		if err != nil || len(list) != 2 || list[0].Name != "Passkey" || list[1].Name != "Passkey 2" {
			t.Errorf("the passkeys are %+v, %v", list, err)
		}
		must(t, h.SignOut(t.Context(), other.visitor))
		wants(t, "the session after signing out", other.visit(), ErrNoSession)
		must(t, ada.visit())
		time.Sleep(time.Minute)
		for name, n := range map[string]int{"SIGN_IN": 2, "ACCOUNT_CREATED": 1, "PASSKEY_ADDED": 2, "session.ended": 1} {
			if got := h.events(name); got != n {
				t.Errorf("%s is recorded %d times, want %d", name, got, n)
			}
		}
	})
}
