package signin

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
)

// threats 42: a ceremony works once, for five minutes, in the browser that
// began it, and as what it was begun.
func TestCeremonyIsBound(t *testing.T) {
	tests := []struct {
		name   string
		finish func(h *house, b *browser, id string, answer []byte) error
		want   error
	}{
		{"takes the answer", func(h *house, b *browser, id string, answer []byte) error {
			return b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, id, answer, ""))
		}, nil},
		{"refuses the same answer twice", func(h *house, b *browser, id string, answer []byte) error {
			must(h.t, b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, id, answer, "")))
			return b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, id, answer, ""))
		}, ErrCeremony},
		{"takes an answer at the last moment", func(h *house, b *browser, id string, answer []byte) error {
			time.Sleep(5*time.Minute - time.Millisecond)
			return b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, id, answer, ""))
		}, nil},
		{"refuses an answer after five minutes", func(h *house, b *browser, id string, answer []byte) error {
			time.Sleep(5 * time.Minute)
			return b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, id, answer, ""))
		}, ErrCeremony},
		{"refuses another browser", func(h *house, b *browser, id string, answer []byte) error {
			return b.holds(h.FinishSignIn(ctxOf(b), h.browser().cookie, b.seen, id, answer, ""))
		}, ErrCeremony},
		{"refuses a browser without a cookie", func(h *house, b *browser, id string, answer []byte) error {
			return b.holds(h.FinishSignIn(ctxOf(b), nil, b.seen, id, answer, ""))
		}, ErrCeremony},
		{"is gone after another browser tried it", func(h *house, b *browser, id string, answer []byte) error {
			h.FinishSignIn(ctxOf(b), h.browser().cookie, b.seen, id, answer, "")
			return b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, id, answer, ""))
		}, ErrCeremony},
		{"refuses to be finished as a step-up", func(h *house, b *browser, id string, answer []byte) error {
			_, err := h.FinishStepUp(ctxOf(b), b.visitor, b.cookie, id, answer)
			return err
		}, ErrCeremony},
		{"refuses an id that was never given", func(h *house, b *browser, id string, answer []byte) error {
			return b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, secret.Token(), answer, ""))
		}, ErrCeremony},
		{"refuses the answer to another ceremony", func(h *house, b *browser, id string, answer []byte) error {
			c, err := h.BeginSignIn(ctxOf(b), b.cookie, "")
			must(h.t, err)
			return b.holds(h.FinishSignIn(ctxOf(b), b.cookie, b.seen, c.ID, answer, ""))
		}, ErrProof},
	}
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		b := h.person("ada", k)
		for _, tt := range tests {
			c, err := h.BeginSignIn(ctxOf(b), b.cookie, "")
			must(t, err)
			wants(t, tt.name, tt.finish(h, b, c.ID, k.get(t, c.Options)), tt.want)
			must(t, b.signIn(k))
		}
	})
}

// threats 42: what was begun in one session cannot be finished in another,
// and what was begun for one account not by another.
func TestCeremonyBelongsToItsSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, l := newKey(), newKey()
		ada, again, bob := h.person("ada", k), h.browser(), h.person("bob", l)
		must(t, again.signIn(k))
		begin := func() (Ceremony, []byte) {
			c, err := h.BeginStepUp(t.Context(), ada.visitor, ada.cookie, PurposePasskeys, "")
			must(t, err)
			return c, k.get(t, c.Options)
		}
		c, answer := begin()
		_, err := h.FinishStepUp(t.Context(), again.visitor, ada.cookie, c.ID, answer)
		wants(t, "a step-up finished by another session of the same user", err, ErrCeremony)
		c, answer = begin()
		_, err = h.FinishStepUp(t.Context(), bob.visitor, ada.cookie, c.ID, answer)
		wants(t, "a step-up finished by another user", err, ErrCeremony)

		must(t, ada.stepUp(k, PurposePasskeys))
		add, err := h.BeginAdd(t.Context(), ada.visitor, ada.cookie, "")
		must(t, err)
		_, err = h.FinishAdd(t.Context(), bob.visitor, ada.cookie, add.ID, newKey().create(t, add.Options), bob.seen)
		wants(t, "a passkey added in another's session", err, ErrCeremony)
		add, err = h.BeginAdd(t.Context(), ada.visitor, ada.cookie, "")
		must(t, err)
		_, err = h.FinishSetup(t.Context(), ada.cookie, ada.seen, add.ID, newKey().create(t, add.Options))
		wants(t, "an added passkey finished as a set-up", err, ErrCeremony)
	})
}

// threats 4, 42: of many who finish one ceremony at once, one signs in.
func TestCeremonyIsFinishedOnceByMany(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		b := h.person("ada", k)
		c, err := h.BeginSignIn(t.Context(), b.cookie, "")
		must(t, err)
		answer := k.get(t, c.Options)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var won atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := h.FinishSignIn(ctx, b.cookie, b.seen, c.ID, answer, "")
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ErrCeremony):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d signed in", won.Load())
		}
	})
}

// threats 40: what counts is the rule that was in force at the beginning and
// is in the row, not what the settings or the request say at the end.
func TestTermsAreThoseOfTheBeginning(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		b := h.person("ada", k)
		lazy := *k
		lazy.Options.UserNotVerified = true
		c, err := h.BeginSignIn(t.Context(), b.cookie, "")
		must(t, err)
		h.settings(func(s *settings.Settings) { s.WebauthnUserVerification = "preferred" })
		_, err = h.FinishSignIn(t.Context(), b.cookie, b.seen, c.ID, lazy.get(t, c.Options), "")
		wants(t, "an unverified answer to a ceremony that required it", err, ErrUserVerification)
		must(t, b.signIn(&lazy))
	})
}

func TestOptionsOfSignIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.browser()
		c, err := h.BeginSignIn(t.Context(), b.cookie, "hybrid")
		must(t, err)
		var o map[string]any
		must(t, json.Unmarshal(c.Options, &o))
		challenge, _ := o["challenge"].(string)
		if len(challenge) != 43 || o["rpId"] != "id.example.org" || o["userVerification"] != "required" || o["timeout"] != 300000.0 {
			t.Errorf("the options are %s", c.Options)
		}
		if _, ok := o["allowCredentials"]; ok { // threats 48: it tells nobody who has a passkey
			t.Errorf("the options name credentials: %s", c.Options)
		}
		if hints, _ := json.Marshal(o["hints"]); string(hints) != `["hybrid","security-key"]` {
			t.Errorf("the hints are %s", hints)
		}
		if c.ExpiresIn != 300 {
			t.Errorf("it expires in %d seconds", c.ExpiresIn)
		}
		_, err = h.BeginSignIn(t.Context(), nil, "")
		wants(t, "a browser without a cookie", err, ErrNoBrowser)
	})
}

// The challenge is 256 random bits and no two are alike (WebAuthn §13.4.3).
func TestChallengesDiffer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		seen := map[string]bool{}
		for range 20 {
			c, err := h.BeginSignIn(t.Context(), h.browser().cookie, "")
			must(t, err)
			var o struct{ Challenge string }
			must(t, json.Unmarshal(c.Options, &o))
			if seen[o.Challenge] || seen[c.ID] || o.Challenge == c.ID {
				t.Fatal("a challenge or an id came twice")
			}
			seen[o.Challenge], seen[c.ID] = true, true
		}
		// The row is found by the hash of the id: who reads the table cannot finish.
		h.write(func(tx *db.Tx) error {
			rows, err := db.All(tx, func(b *[]byte) []any { return []any{b} }, `SELECT id FROM ceremonies ORDER BY id NULLS LAST LIMIT 100`)
			for _, id := range rows {
				if seen[string(id)] {
					t.Error("the id of a ceremony is stored")
				}
			}
			return err
		})
	})
}
