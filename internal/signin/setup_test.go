package signin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/settings"
)

// threats 56: however many set up at once, there is one administrator.
func TestFiftySetupsMakeOneAdministrator(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.openSetup()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		type try struct {
			b      *browser
			id     string
			answer []byte
		}
		var tries []try
		for i := range 50 {
			b := h.browser()
			name := fmt.Sprintf("admin%d", i)
			c, err := h.BeginSetup(ctx, b.cookie, "", Profile{Username: name, Email: name + "@example.org"})
			must(t, err)
			tries = append(tries, try{b, c.ID, newKey().create(t, c.Options)})
		}
		var won atomic.Int32
		var all sync.WaitGroup
		for _, x := range tries {
			all.Go(func() {
				_, err := h.FinishSetup(ctx, x.b.cookie, x.b.seen, x.id, x.answer)
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ErrSetupDone):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d were set up", won.Load())
		}
		for _, table := range []string{"users", "passkeys", "sessions"} {
			if n := h.count(`SELECT count(*) FROM ` + table); n != 1 {
				t.Errorf("there are %d %s", n, table)
			}
		}
		if n := h.count(`SELECT count(*) FROM users WHERE admin`); n != 1 {
			t.Errorf("there are %d administrators", n)
		}
	})
}

// threats 56: set-up is closed for good, also when its administrator is gone.
func TestSetupIsClosedForGood(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.openSetup()
		ada := h.browser()
		must(t, ada.setUp("ada"))
		closed := func(when string) {
			t.Helper()
			wants(t, "another set-up "+when, h.browser().setUp("eve"), ErrSetupDone)
			_, err := h.OpenSetup(t.Context(), root)
			wants(t, "opening it "+when, err, ErrSetupDone)
			st, err := h.SetupOpen(t.Context())
			if err != nil || st.Open || !st.Done {
				t.Errorf("%s it is %+v, %v", when, st, err)
			}
		}
		closed("afterwards")
		id := ada.visitor.User.ID
		wants(t, "disabling the last administrator", h.directory.Disable(t.Context(), root, id), directory.ErrLastAdmin)
		wants(t, "deleting the last administrator", h.directory.Delete(t.Context(), root, id), directory.ErrLastAdmin)
		h.write(func(tx *db.Tx) error {
			tx.Do(`DELETE FROM users`)
			return nil
		})
		closed("without any user")
	})
}

// A house with users, which was imported, has nothing to set up.
func TestNoSetupWhereThereAreUsers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.openSetup()
		b := h.browser()
		c, err := h.BeginSetup(t.Context(), b.cookie, "", Profile{Username: "eve", Email: "eve@example.org"})
		must(t, err)
		h.user("ada")
		_, err = h.FinishSetup(t.Context(), b.cookie, b.seen, c.ID, newKey().create(t, c.Options))
		wants(t, "finishing", err, ErrSetupDone)
		wants(t, "beginning", h.browser().setUp("eve"), ErrSetupDone)
	})
}

func TestSetupIsOpenForAWhile(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		wants(t, "a house that was never started", h.browser().setUp("ada"), ErrSetupClosed)
		_, err := h.OpenSetup(t.Context(), audit.Actor{})
		wants(t, "opening it as nobody", err, audit.ErrNotAdmin)
		st, err := h.OpenSetup(t.Context(), root)
		if err != nil || !st.Open || !st.Until.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("it is %+v, %v", st, err)
		}
		time.Sleep(time.Hour - time.Millisecond)
		b := h.browser()
		c, err := h.BeginSetup(t.Context(), b.cookie, "", Profile{Username: "ada", Email: "ada@example.org"})
		must(t, err)
		time.Sleep(time.Minute)
		wants(t, "an hour later", h.browser().setUp("eve"), ErrSetupClosed)
		if st, _ := h.SetupOpen(t.Context()); st.Open || st.Done || st.Until.IsZero() {
			t.Errorf("an hour later it is %+v", st)
		}
		h.openSetup()
		// Who began in time may finish.
		_, err = h.FinishSetup(t.Context(), b.cookie, b.seen, c.ID, newKey().create(t, c.Options))
		must(t, err)
	})
}

func TestSetupAsksForItsToken(t *testing.T) {
	eachWith(t, func(c *Config) { c.SetupToken, c.SetupOpenFor = "open sesame", 10*time.Minute }, func(t *testing.T, h *house) {
		h.openSetup()
		st, err := h.SetupOpen(t.Context())
		if err != nil || !st.NeedsToken || !st.Until.Equal(time.Now().Add(10*time.Minute)) {
			t.Errorf("it is %+v, %v", st, err)
		}
		begin := func(token string) error {
			ctx := audit.With(t.Context(), audit.Actor{Address: "192.0.2.1"})
			_, err := h.BeginSetup(ctx, h.browser().cookie, token, Profile{Username: "ada", Email: "ada@example.org"})
			return err
		}
		for _, token := range []string{"", "open", "open sesame ", "OPEN SESAME"} {
			wants(t, "the token "+token, begin(token), ErrSetupToken)
		}
		for range 20 {
			must(t, begin("open sesame"))
		}
		for range networkTokenLimit.Count - 4 {
			wants(t, "a guess", begin("guess"), ErrSetupToken)
		}
		wants(t, "the right token after too many", begin("open sesame"), ErrTooManyAttempts)
		if got := h.events("setup.refused"); got != networkTokenLimit.Count {
			t.Errorf("%d refusals are recorded", got)
		}
	})
}

// Nothing of the account exists before the end, and what is wrong with it is
// said before anybody touches an authenticator.
func TestSetupIsOneCommit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.openSetup()
		b := h.browser()
		for _, tt := range []struct {
			p    Profile
			want error
		}{
			{Profile{}, directory.ErrUsernameMalformed},
			{Profile{Username: "a b", Email: "a@example.org"}, directory.ErrUsernameMalformed},
			{Profile{Username: "ada"}, directory.ErrEmailRequired},
			{Profile{Username: "ada", Email: "ada"}, directory.ErrEmailMalformed},
		} {
			_, err := h.BeginSetup(t.Context(), b.cookie, "", tt.p)
			wants(t, fmt.Sprint(tt.p), err, tt.want)
		}
		c, err := h.BeginSetup(t.Context(), b.cookie, "", Profile{Username: "ada", Email: "ada@example.org", FirstName: "Ada", LastName: "Lovelace", Locale: "zh-CN"})
		must(t, err)
		bad := newKey()
		bad.Options.UserNotVerified = true
		_, err = h.FinishSetup(t.Context(), b.cookie, b.seen, c.ID, bad.create(t, c.Options))
		wants(t, "an unverified passkey", err, ErrUserVerification)
		if n := h.count(`SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM passkeys) + (SELECT count(*) FROM facts WHERE name = $1)`, settings.SetupClosed); n != 0 {
			t.Errorf("%d rows are left of a set-up that was refused", n)
		}
		_, err = h.FinishSetup(t.Context(), b.cookie, b.seen, c.ID, newKey().create(t, c.Options))
		wants(t, "the same ceremony again", err, ErrCeremony)

		c, err = h.BeginSetup(t.Context(), b.cookie, "", Profile{Username: "ada", Email: "ada@example.org", FirstName: "Ada", LastName: "Lovelace", Locale: "zh-CN"})
		must(t, err)
		k := newKey()
		must(t, b.holds(h.FinishSetup(t.Context(), b.cookie, b.seen, c.ID, k.create(t, c.Options))))
		must(t, b.visit())
		u := b.visitor.User
		if !u.Admin || u.DisplayName != "Ada Lovelace" || u.Locale != "zh-CN" || string(k.Options.UserHandle) != u.ID {
			t.Errorf("the administrator is %+v", u)
		}
		if b.visitor.Session.ByCode() || b.visitor.Session.PasskeyID == "" {
			t.Errorf("the session is %+v", b.visitor.Session)
		}
		must(t, b.stepUp(k, PurposePasskeys))
	})
}
