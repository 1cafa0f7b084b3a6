package signin

import (
	"testing"
	"time"

	"pocketid/internal/db"
)

// stepped asks whether the session of b has stepped up for a purpose.
func (b *browser) stepped(purpose string) error {
	return b.h.db.Read(ctxOf(b), func(tx *db.Tx) error { return SteppedUp(tx, b.visitor.Session.ID, purpose) })
}

// threats 38: a step-up is an assertion of its own, for one session, for one
// purpose, for three minutes.
func TestStepUp(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		here := h.person("ada", k)
		there := h.browser()
		must(t, there.signIn(k))
		wants(t, "a session that has just signed in", here.stepped(PurposePasskeys), ErrStepUp)
		needs, err := h.NeedsStepUp(t.Context(), here.visitor, PurposePasskeys)
		if !needs || err != nil {
			t.Errorf("it needs a step-up: %t, %v", needs, err)
		}
		must(t, here.stepUp(k, PurposePasskeys))
		must(t, here.stepped(PurposePasskeys))
		if needs, err = h.NeedsStepUp(t.Context(), here.visitor, PurposePasskeys); needs || err != nil {
			t.Errorf("it still needs a step-up: %t, %v", needs, err)
		}
		wants(t, "another purpose", here.stepped(PurposeAuthorize), ErrStepUp)
		wants(t, "another session", there.stepped(PurposePasskeys), ErrStepUp)
		time.Sleep(3*time.Minute - time.Millisecond)
		must(t, here.stepped(PurposePasskeys))
		time.Sleep(time.Millisecond)
		wants(t, "three minutes later", here.stepped(PurposePasskeys), ErrStepUp)

		began := here.visitor.Session.AuthTime
		must(t, here.stepUp(k, PurposePasskeys))
		if !here.visitor.Session.AuthTime.Equal(began) {
			t.Error("a step-up for passkeys counts as a sign-in")
		}
		must(t, here.stepUp(k, PurposeAuthorize))
		must(t, here.visit())
		if !here.visitor.Session.AuthTime.Equal(time.Now()) {
			t.Error("a step-up for an application does not count as a sign-in")
		}
		_, err = h.BeginStepUp(t.Context(), here.visitor, here.cookie, "anything", "")
		wants(t, "a purpose that there is not", err, ErrPurpose)
	})
}

// threats 38, 44: the passkey of a step-up is one of the visitor's own.
func TestStepUpByAnother(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, l := newKey(), newKey()
		ada := h.person("ada", k)
		h.person("bob", l)
		wants(t, "a passkey of another user", ada.stepUp(l, PurposePasskeys), ErrProof)
		disguised := *l
		disguised.Options.UserHandle = k.Options.UserHandle
		wants(t, "the same with this user's handle", ada.stepUp(&disguised, PurposePasskeys), ErrProof)
		wants(t, "afterwards", ada.stepped(PurposePasskeys), ErrStepUp)
		// An authenticator that was told which credential to use need not say whose it is.
		quiet := *k
		quiet.change = func(p *parts) { p.userHandle = nil }
		must(t, ada.stepUp(&quiet, PurposePasskeys))
		lazy := *k
		lazy.Options.UserNotVerified = true
		wants(t, "one without user verification", ada.stepUp(&lazy, PurposePasskeys), ErrUserVerification)
	})
}

// threats 38: whoever came by a one-time code cannot step up, not even with a
// passkey; they sign in with it.
func TestCodeCannotStepUp(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		b := h.browser()
		b.byCode("ada")
		wants(t, "a step-up", b.stepUp(k, PurposePasskeys), ErrCodeSession)
		wants(t, "a step-up for an application", b.stepUp(k, PurposeAuthorize), ErrCodeSession)
		_, err := h.BeginStepUp(t.Context(), b.visitor, b.cookie, PurposePasskeys, "")
		wants(t, "beginning a step-up", err, ErrCodeSession)
		_, err = b.add(newKey())
		wants(t, "adding a second passkey", err, ErrCodeSession)
		_, err = h.NeedsStepUp(t.Context(), b.visitor, PurposePasskeys)
		wants(t, "asking for it", err, ErrCodeSession)
		list, err := h.Passkeys(t.Context(), b.visitor)
		must(t, err)
		wants(t, "removing a passkey", h.RemovePasskey(t.Context(), b.visitor, list[0].ID), ErrCodeSession)

		// A ceremony that was begun before the code came does not help either.
		c, err := h.BeginStepUp(t.Context(), ada.visitor, ada.cookie, PurposePasskeys, "")
		must(t, err)
		ada.byCode("ada")
		_, err = h.FinishStepUp(t.Context(), ada.visitor, ada.cookie, c.ID, k.get(t, c.Options))
		wants(t, "a step-up begun before", err, ErrCodeSession)
		must(t, b.signIn(k))
		must(t, b.stepUp(k, PurposePasskeys))
	})
}

// A session that has ended cannot finish what it began.
func TestEndedSessionFinishesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		ada := h.person("ada", k)
		must(t, ada.stepUp(k, PurposePasskeys))
		up, err := h.BeginStepUp(t.Context(), ada.visitor, ada.cookie, PurposePasskeys, "")
		must(t, err)
		add, err := h.BeginAdd(t.Context(), ada.visitor, ada.cookie, "")
		must(t, err)
		must(t, h.directory.Disable(t.Context(), root, ada.visitor.User.ID))
		_, err = h.FinishStepUp(t.Context(), ada.visitor, ada.cookie, up.ID, k.get(t, up.Options))
		wants(t, "a step-up", err, ErrNoSession)
		_, err = h.FinishAdd(t.Context(), ada.visitor, ada.cookie, add.ID, newKey().create(t, add.Options), ada.seen)
		wants(t, "adding", err, ErrNoSession)
		_, err = h.BeginAdd(t.Context(), ada.visitor, ada.cookie, "")
		wants(t, "beginning to add", err, ErrNoSession)
		_, err = h.BeginStepUp(t.Context(), ada.visitor, ada.cookie, PurposePasskeys, "")
		wants(t, "beginning to step up", err, ErrNoSession)
	})
}
