package signin

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
)

// redeem tries a code in b.
func (b *browser) redeem(code string) error {
	return b.holds(b.h.RedeemLogin(ctxOf(b), b.cookie, b.seen, code, b.handle))
}

func (h *house) code(name string, ttl time.Duration) string {
	h.t.Helper()
	code, _, err := h.MakeLoginLink(h.t.Context(), root, name, ttl)
	must(h.t, err)
	return code
}

// threats 52, 55: a code opens the door once, and not after its time.
func TestCodeWorksOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		code := h.code("ADA@example.org", 0)
		if len(code) != 12 || code != secret.NormalCode(code) {
			t.Errorf("the code is %q", code)
		}
		if got := h.CodeURL(code); got != publicURL+"/lc/"+code {
			t.Errorf("the link is %q", got)
		}
		b := h.browser()
		must(t, b.redeem(" "+strings.ToLower(code[:4])+"-"+code[4:8]+" "+code[8:]))
		must(t, b.visit())
		if s := b.visitor.Session; !s.ByCode() || s.ACR != "0" || len(s.AMR) != 1 || s.AMR[0] != "otp" {
			t.Errorf("the session is %+v", s)
		}
		if h.events("TOKEN_SIGN_IN") != 1 || b.visitor.User.LastSignInAt.IsZero() {
			t.Error("the sign-in is not recorded")
		}
		wants(t, "the same code again", h.browser().redeem(code), ErrCode)

		code = h.code("ada", 0)
		time.Sleep(time.Hour - time.Millisecond)
		must(t, h.browser().redeem(code))
		code = h.code("ada", 0)
		time.Sleep(time.Hour)
		wants(t, "a code after an hour", h.browser().redeem(code), ErrCode)
		code = h.code("ada", 30*24*time.Hour)
		time.Sleep(29 * 24 * time.Hour)
		must(t, h.browser().redeem(code))
		first := h.code("ada", 0)
		h.code("ada", 0)
		wants(t, "a code that was replaced", h.browser().redeem(first), ErrCode)
	})
}

// threats 4, 52: of many who redeem one code at once, one comes in.
func TestCodeIsRedeemedOnceByMany(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		code := h.code("ada", 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 20 {
			b := h.browser()
			b.seen.Address = "2001:db8:0:" + string(rune('a'+i%6)) + "::1"
			all.Go(func() {
				_, err := h.RedeemLogin(ctx, b.cookie, b.seen, code, "")
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ErrCode):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d came in", won.Load())
		}
	})
}

func TestMakingACode(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada := h.user("ada")
		ttl := func(name string, by audit.Actor, d time.Duration) error {
			_, _, err := h.MakeLoginLink(t.Context(), by, name, d)
			return err
		}
		wants(t, "for nobody", ttl("bob", root, 0), directory.ErrNoUser)
		wants(t, "by nobody", ttl("ada", audit.Actor{}, 0), audit.ErrNotAdmin)
		wants(t, "by no administrator", ttl("ada", audit.Actor{UserID: ada.ID}, 0), audit.ErrNotAdmin)
		wants(t, "for less than a second", ttl("ada", root, time.Millisecond), ErrCodeLife)
		wants(t, "for more than 31 days", ttl("ada", root, 31*24*time.Hour+1), ErrCodeLife)
		wants(t, "for the past", ttl("ada", root, -time.Hour), ErrCodeLife)
		must(t, ttl("ada", root, 31*24*time.Hour))
		must(t, h.directory.Disable(t.Context(), root, ada.ID))
		wants(t, "for a disabled user", ttl("ada", root, 0), directory.ErrDisabled)
		must(t, h.directory.Delete(t.Context(), root, ada.ID))
		wants(t, "for a deleted user", ttl("ada", root, 0), directory.ErrNoUser)
	})
}

// threats 6: what is stored is a MAC under a key of its own: neither the
// code nor its plain hash is in the table, and the hash of something else is
// no code.
func TestCodeIsStoredAsItsMAC(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		code := h.code("ada", 0)
		h.write(func(tx *db.Tx) error {
			var hash []byte
			err := tx.One([]any{&hash}, `SELECT hash FROM login_codes`)
			if string(hash) == code || string(hash) == string(secret.Hash(code)) || len(hash) != 32 {
				t.Errorf("stored is %x", hash)
			}
			return err
		})
		if n := h.count(`SELECT count(*) FROM audit WHERE COALESCE(data, '') LIKE $1 OR COALESCE(after, '') LIKE $1`, "%"+code+"%"); n != 0 {
			t.Error("the log has the code")
		}
		// threats 6: other things that work once are no login codes
		h.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE login_codes SET purpose = 'e-mail'`)
			return nil
		})
		wants(t, "a code for another purpose", h.browser().redeem(code), ErrCode)
		c, err := h.BeginSignIn(t.Context(), h.browser().cookie, "")
		must(t, err)
		wants(t, "the id of a ceremony", h.browser().redeem(c.ID), ErrCode)
		ada := h.person("eve", newKey())
		wants(t, "the handle of a session", h.browser().redeem(ada.handle), ErrCode)
		_, err = h.Visit(t.Context(), h.code("eve", 0), ada.seen)
		wants(t, "a code as the handle of a session", err, ErrNoSession)
	})
}

// threats 48: wrong, used, run out, for another browser: one answer.
func TestOneAnswerForEveryWrongCode(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		b := h.browser()
		used, late, bound := h.code("ada", 0), "", ""
		must(t, b.redeem(used))
		late = h.code("ada", time.Minute)
		time.Sleep(time.Minute)
		answers := map[string]error{"used": b.redeem(used), "late": b.redeem(late), "never made": b.redeem("AAAABBBBCCCC"), "empty": b.redeem(""), "long": b.redeem(strings.Repeat("A", 5000))}
		bound = h.code("ada", 0)
		h.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE login_codes SET browser = $1`, secret.Hash("another browser"))
			return nil
		})
		answers["for another browser"] = b.redeem(bound) // threats 53
		for name, err := range answers {
			if !errors.Is(err, ErrCode) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := h.events("login_code.refused"); got != len(answers) {
			t.Errorf("%d refusals are recorded, want %d", got, len(answers))
		}
	})
}

// threats 53: a code that was made for a browser works there.
func TestCodeBoundToABrowser(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		b := h.browser()
		code := h.code("ada", 0)
		h.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE login_codes SET browser = $1`, b.cookie)
			return nil
		})
		must(t, b.redeem(code))
	})
}

// threats 54: a code of somebody who was disabled since opens nothing.
func TestCodeOfADisabledUser(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada := h.user("ada")
		code := h.code("ada", 0)
		must(t, h.directory.Disable(t.Context(), root, ada.ID))
		b := h.browser()
		wants(t, "the code", b.redeem(code), directory.ErrDisabled)
		must(t, h.directory.Enable(t.Context(), root, ada.ID))
		wants(t, "the code after they were enabled", b.redeem(code), ErrCode)
		if h.count(`SELECT count(*) FROM sessions`) != 0 {
			t.Error("a session was opened")
		}
		h.code("ada", 0)
		must(t, h.directory.Disable(t.Context(), root, ada.ID))
		must(t, h.userChanged(t.Context(), ada.ID))
		if h.count(`SELECT count(*) FROM login_codes`) != 0 {
			t.Error("the code of a disabled user is kept")
		}
	})
}

// threats 50: guesses count against the network, against the account, and in
// all. When there were too many, the right code is refused too.
func TestGuessesOfCodes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		b := h.browser()
		b.seen.Address = "2001:db8:1:2::1"
		for range networkCodeLimit.Count {
			wants(t, "a guess", b.redeem("AAAABBBBCCCC"), ErrCode)
		}
		neighbour := h.browser()
		neighbour.seen.Address = "2001:db8:1:2:ffff::9"
		wants(t, "the right code from the same network", neighbour.redeem(h.code("ada", 0)), ErrTooManyAttempts)
		elsewhere := h.browser()
		elsewhere.seen.Address = "2001:db8:1:3::1"
		must(t, elsewhere.redeem(h.code("ada", 0)))
		time.Sleep(networkCodeLimit.Within)
		must(t, b.redeem(h.code("ada", 0)))

		// Success does not use the limit up.
		for range networkCodeLimit.Count + 5 {
			must(t, b.redeem(h.code("ada", 0)))
		}

		// The account: its codes were right and yet refused.
		u, err := h.directory.AddUserAs(t.Context(), root, directory.NewUser{Username: "bob", Email: "bob@example.org"})
		must(t, err)
		for range accountCodeLimit.Count {
			code := h.code("bob", 0)
			must(t, h.directory.Disable(t.Context(), root, u.ID))
			wants(t, "a disabled user's code", h.browser().redeem(code), directory.ErrDisabled)
			must(t, h.directory.Enable(t.Context(), root, u.ID))
		}
		wants(t, "the right code after too many for the account", elsewhere.redeem(h.code("bob", 0)), ErrTooManyAttempts)
		must(t, elsewhere.redeem(h.code("ada", 0)))

		// In all.
		h.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE attempts SET count = $2, expires_at = $3 WHERE key = $1`, allGuesses, allCodeLimit.Count, tx.Now().Add(time.Minute).UnixMicro())
			return nil
		})
		wants(t, "the right code after too many in all", elsewhere.redeem(h.code("ada", 0)), ErrTooManyAttempts)
		time.Sleep(time.Minute)
		must(t, elsewhere.redeem(h.code("ada", 0)))
	})
}

// threats 49: the first passkey of an account is added once, by one session.
func TestFirstPasskeyIsAddedOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("ada")
		one, two := h.browser(), h.browser()
		one.byCode("ada")
		two.byCode("ada")
		c, err := h.BeginAdd(t.Context(), one.visitor, one.cookie, "")
		must(t, err)
		d, err := h.BeginAdd(t.Context(), two.visitor, two.cookie, "")
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		first, second := newKey().create(t, c.Options), newKey().create(t, d.Options)
		var errs [2]error
		var both sync.WaitGroup
		both.Go(func() { _, errs[0] = h.FinishAdd(ctx, one.visitor, one.cookie, c.ID, first, one.seen) })
		both.Go(func() { _, errs[1] = h.FinishAdd(ctx, two.visitor, two.cookie, d.ID, second, two.seen) })
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("they got %v and %v, want one refusal", errs[0], errs[1])
		}
		wants(t, "the refusal", errors.Join(errs[:]...), ErrCodeSession)
		if n := h.count(`SELECT count(*) FROM passkeys`); n != 1 {
			t.Errorf("there are %d passkeys", n)
		}
	})
}

// Recovery takes the lost passkeys away, so that a first one can be added.
func TestRecovery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		lost := newKey()
		ada := h.person("ada", lost)
		_, _, err := h.MakeRecoveryLink(t.Context(), audit.Actor{}, "ada", 0)
		wants(t, "recovery by nobody", err, audit.ErrNotAdmin)
		must(t, ada.visit())
		code, _, err := h.MakeRecoveryLink(t.Context(), root, "ada", 0)
		must(t, err)
		wants(t, "what was open", ada.visit(), ErrNoSession)
		if u, err := h.directory.User(t.Context(), ada.visitor.User.ID); err != nil || !u.Outlived(time.Now()) {
			t.Errorf("what applications hold is still good: %+v, %v", u, err)
		}
		wants(t, "the lost passkey", h.browser().signIn(lost), ErrPasskeyUnknown)
		b := h.browser()
		must(t, b.redeem(code))
		must(t, b.visit())
		found := newKey()
		_, err = b.add(found)
		must(t, err)
		must(t, b.signIn(found))
		must(t, b.stepUp(found, PurposePasskeys))
	})
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"::ffff:192.0.2.7":     "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
		"":                     "unknown",
		"a host":               "unknown",
	} {
		if got := Network(address); got != want {
			t.Errorf("%q is of %q, want %q", address, got, want)
		}
	}
}
