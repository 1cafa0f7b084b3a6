package oidc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/signin"
)

var offline = []string{"openid", "offline_access"}

// threats 2
func TestRefreshTokenIsForOneClient(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, other := h.relyingParty(ClientEdit{}), h.relyingParty(ClientEdit{})
		public := h.relyingParty(ClientEdit{Public: true})
		l := c.login("ada", offline...)
		got := c.redeem(c.code(l, offline...)).ok(t)
		other.refresh(got.Refresh).fails(t, 400, "invalid_grant")
		public.refresh(got.Refresh).fails(t, 400, "invalid_grant")
		// Nobody is the client without its secret.
		h.send(h.postForm("/api/oidc/token", form("grant_type", "refresh_token", "refresh_token", got.Refresh))).fails(t, 401, "invalid_client")
		h.send(h.postForm("/api/oidc/token", form("grant_type", "refresh_token", "refresh_token", got.Refresh, "client_id", c.ID))).fails(t, 401, "invalid_client")
		c.refresh(got.Refresh+"x").fails(t, 400, "invalid_grant")
		c.refresh("").fails(t, 400, "invalid_request")
		c.refresh(got.Refresh).ok(t) // none of that did it any harm
	})
}

func TestRefreshTokenOfAConfidentialClientStays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", offline...)
		got := c.redeem(c.code(l, offline...)).ok(t)
		for range 3 {
			time.Sleep(2 * time.Hour)
			again := c.refresh(got.Refresh).ok(t)
			if again.Refresh != got.Refresh {
				t.Error("the refresh token changed")
			}
			if again.Access == got.Access {
				t.Error("the access token did not change")
			}
		}
	})
}

func TestRefreshTokenOfAPublicClientWorksOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, other := h.relyingParty(ClientEdit{Public: true}), h.relyingParty(ClientEdit{Public: true})
		l := c.login("ada", offline...)
		first := c.redeem(c.code(l, offline...)).ok(t)
		second := c.refresh(first.Refresh).ok(t)
		other.refresh(first.Refresh).fails(t, 400, "invalid_grant") // and no replay: another client revokes nothing (threats 16)
		third := c.refresh(second.Refresh).ok(t)
		if first.Refresh == second.Refresh || second.Refresh == third.Refresh || first.Refresh == third.Refresh {
			t.Fatal("a refresh token came twice")
		}
		c.refresh(first.Refresh).fails(t, 400, "invalid_grant")
		c.refresh(third.Refresh).fails(t, 400, "invalid_grant") // the family has ended
		if status, _ := h.userinfo(third.Access); status != 401 {
			t.Errorf("userinfo after the replay: %d, want 401", status)
		}
	})
}

// threats 4
func TestOfAHundredRefreshesOfAPublicClientOneWins(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		c := h.relyingParty(ClientEdit{Public: true})
		l := c.login("ada", offline...)
		token := c.redeem(c.code(l, offline...)).ok(t).Refresh
		got := together(100, func() tokens { return c.refresh(token) })
		won := slices.DeleteFunc(slices.Clone(got), func(a tokens) bool { return a.Status != 200 })
		if len(won) != 1 {
			t.Fatalf("%d got tokens, want 1", len(won))
		}
		c.refresh(won[0].Refresh).fails(t, 400, "invalid_grant") // the others replayed the token
	})
}

// TestTheLoserOfARefreshBeginsAgain holds that who read the token before another used it
// up hears of a replay, and not of a collision of rows.
func TestTheLoserOfARefreshBeginsAgain(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		c := h.relyingParty(ClientEdit{Public: true})
		l := c.login("ada", offline...)
		q := &tokenRequest{refreshToken: c.redeem(c.code(l, offline...)).ok(t).Refresh}
		ready, done, lost := make(chan struct{}), make(chan struct{}), make(chan error)
		looked := sync.OnceFunc(func() { close(ready); <-done })
		if !d.Postgres { // nobody else writes meanwhile, so the loser begins when the other has done
			close(ready)
			looked = func() {}
		}
		go func() {
			if !d.Postgres {
				<-done
			}
			lost <- d.Write(t.Context(), func(tx *db.Tx) error {
				var n int
				if err := tx.One([]any{&n}, `SELECT count(*) FROM grants`); err != nil { // from here on it sees what is there now
					return err
				}
				looked()
				_, err := h.p.redeemRefresh(tx, &c.Client, q)
				return err
			})
		}()
		<-ready
		c.refresh(q.refreshToken).ok(t)
		close(done)
		if err := <-lost; !errors.Is(err, errInvalidGrant) {
			t.Errorf("the loser hears %v, want invalid_grant", err)
		}
	})
}

func TestRotationOfAConfidentialClientHasAnOverlap(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, other := h.relyingParty(ClientEdit{RefreshRotation: RotationAlways}), h.relyingParty(ClientEdit{RefreshRotation: RotationAlways})
		l := c.login("ada", offline...)
		first := c.redeem(c.code(l, offline...)).ok(t)
		second := c.refresh(first.Refresh).ok(t)
		time.Sleep(30 * time.Second)
		if again := c.refresh(first.Refresh).ok(t); again.Refresh != second.Refresh || second.Refresh == first.Refresh {
			t.Error("coming back within the overlap does not give the same refresh token again")
		}
		other.refresh(first.Refresh).fails(t, 400, "invalid_grant")
		third := c.refresh(second.Refresh).ok(t)
		if again := c.refresh(first.Refresh).ok(t); again.Refresh != second.Refresh {
			t.Error("the one before the last does not lead to the last within its overlap")
		}
		time.Sleep(30 * time.Second)
		c.refresh(second.Refresh).ok(t)
		c.refresh(third.Refresh).ok(t)
		c.refresh(first.Refresh).fails(t, 400, "invalid_grant") // 60 s are over: a copy
		c.refresh(third.Refresh).fails(t, 400, "invalid_grant")
	})
}

// threats 13
func TestRefreshNarrowsAndNeverWidens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid", "email", "groups", "offline_access") // the consent holds more than the grant
		got := c.redeem(c.code(l, "openid", "email", "offline_access")).ok(t)
		if got.Scope != "openid email offline_access" {
			t.Errorf("scope is %q", got.Scope)
		}
		for _, wide := range []string{"openid groups", "profile", "openid email offline_access groups", "nonsense"} {
			c.refresh(got.Refresh, "scope", wide).fails(t, 400, "invalid_scope")
		}
		narrow := c.refresh(got.Refresh, "scope", "openid").ok(t)
		if narrow.Scope != "openid" {
			t.Errorf("scope is %q, want openid", narrow.Scope)
		}
		if _, claims := h.userinfo(narrow.Access); claims["email"] != nil {
			t.Error("a narrow token tells the address")
		}
		if _, claims := claimsOf(t, narrow.ID); claims["email"] != nil {
			t.Error("a narrow ID token tells the address")
		}
		if mail := c.refresh(got.Refresh, "scope", "email").ok(t); mail.ID != "" {
			t.Error("there is an ID token without the scope openid")
		} else if status, _ := h.userinfo(mail.Access); status != 403 {
			t.Errorf("userinfo without openid: %d, want 403", status)
		}
		if whole := c.refresh(got.Refresh).ok(t); whole.Scope != got.Scope {
			t.Errorf("scope is %q afterwards, want all of it", whole.Scope)
		}
	})
}

func TestRefreshTokensRunOut(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{RefreshTokenFor: 24 * time.Hour})
		l := c.login("ada", offline...)
		got := c.redeem(c.code(l, offline...)).ok(t)
		for range 5 { // each use starts the time anew, but for what refreshStale rounds off
			time.Sleep(22 * time.Hour)
			c.refresh(got.Refresh).ok(t)
		}
		time.Sleep(24 * time.Hour)
		c.refresh(got.Refresh).fails(t, 400, "invalid_grant")

		h.write(func(tx *db.Tx) { tx.Do(`UPDATE clients SET refresh_max_seconds = $2 WHERE id = $1`, c.ID, 3*24*3600) })
		got = c.redeem(c.code(c.loginAs(l, offline...), offline...)).ok(t)
		for range 3 {
			time.Sleep(23 * time.Hour)
			c.refresh(got.Refresh).ok(t)
		}
		time.Sleep(3 * time.Hour)
		c.refresh(got.Refresh).fails(t, 400, "invalid_grant")
	})
}

// TestAShortRefreshTokenKeepsItsGrant holds that a grant is not swept while an access
// token of it is good, however short the refresh token lives.
func TestAShortRefreshTokenKeepsItsGrant(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{RefreshTokenFor: 90 * time.Minute, AccessTokenFor: time.Hour})
		l := c.login("ada", offline...)
		got := c.redeem(c.code(l, offline...)).ok(t)
		time.Sleep(time.Minute)
		got = c.refresh(got.Refresh).ok(t)
		h.write(func(tx *db.Tx) { tx.Do(`UPDATE clients SET access_token_seconds = 7200 WHERE id = $1`, c.ID) })
		got = c.refresh(got.Refresh).ok(t)
		time.Sleep(119 * time.Minute)
		h.sweep()
		if status, _ := h.userinfo(got.Access); status != 200 {
			t.Errorf("userinfo: %d, want 200", status)
		}
	})
}

func TestWhoGetsARefreshToken(t *testing.T) {
	tests := []struct {
		name   string
		issue  string
		scopes []string
		want   bool
	}{
		{"everybody by default", RefreshAlways, []string{"openid"}, true},
		{"everybody by default, also without openid", RefreshAlways, []string{"email"}, true},
		{"nobody without the scope, where it is asked for", RefreshOfflineAccess, []string{"openid"}, false},
		{"who has the scope, where it is asked for", RefreshOfflineAccess, offline, true},
	}
	each(t, func(t *testing.T, h *house) {
		ada := h.user("ada")
		for _, test := range tests {
			t.Log(test.name)
			c := h.relyingParty(ClientEdit{RefreshIssue: test.issue})
			l := c.loginAs(testLogin{user: ada, browser: h.browser()}, test.scopes...)
			if got := c.redeem(c.code(l, test.scopes...)).ok(t); (got.Refresh != "") != test.want {
				t.Errorf("a refresh token: %t, want %t", got.Refresh != "", test.want)
			}
		}
	})
}

func TestRefreshedIDTokenIsAboutTheSameSignIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", offline...)
		got := c.redeem(c.codeWith(l, codeRequest{Scopes: offline, Nonce: "n-1"})).ok(t)
		time.Sleep(10 * time.Minute)
		_, before := claimsOf(t, got.ID)
		_, after := claimsOf(t, c.refresh(got.Refresh).ok(t).ID)
		for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "acr"} {
			if before[name] == nil || before[name] != after[name] {
				t.Errorf("%s was %v and is %v", name, before[name], after[name])
			}
		}
		if before["nonce"] != "n-1" || after["nonce"] != nil {
			t.Errorf("nonce was %v and is %v, want it in the first alone", before["nonce"], after["nonce"])
		}
		if before["iat"].(float64)+600 != after["iat"] || before["jti"] == after["jti"] {
			t.Errorf("iat is %v after %v", after["iat"], before["iat"])
		}
	})
}

// threats 3, 21, 62
func TestWhatEndsAGrantEndsItEverywhere(t *testing.T) {
	sql := func(q string) func(*house, *testClient, testLogin) {
		return func(h *house, c *testClient, l testLogin) {
			args := []any{c.ID, l.user.ID, l.session.ID}
			h.write(func(tx *db.Tx) {
				n := strings.Count(q, "$")
				tx.Do(q, append([]any{tx.Now().UnixMicro()}, args...)[:n]...)
			})
		}
	}
	restrict := func(h *house, c *testClient, in bool, l testLogin) directory.Group {
		g, err := h.dir.AddGroup(h.t.Context(), admin, directory.GroupEdit{Name: "friends-" + c.ID, FriendlyName: "Friends"})
		must(h.t, err)
		if in {
			must(h.t, h.dir.SetMembers(h.t.Context(), admin, g.ID, []string{l.user.ID}))
		}
		edit := c.Edit()
		edit.GroupRestricted, edit.AllowedGroups = true, []string{g.ID}
		_, err = h.p.EditClient(h.t.Context(), admin, c.ID, edit)
		must(h.t, err)
		return g
	}
	tests := []struct {
		name string
		do   func(*house, *testClient, testLogin)
		// online says that only what hangs on the session ends, lives that nothing does,
		// and anonymous that the client itself is not known any more.
		online, lives, anonymous bool
	}{
		{name: "nothing", do: func(*house, *testClient, testLogin) {}, lives: true},
		{name: "another use of the client", do: func(h *house, c *testClient, l testLogin) { restrict(h, c, true, l) }, lives: true},
		{name: "disabling the user", do: func(h *house, c *testClient, l testLogin) {
			must(h.t, h.dir.Disable(h.t.Context(), admin, l.user.ID))
		}},
		{name: "disabling the user and enabling them again", do: func(h *house, c *testClient, l testLogin) {
			must(h.t, h.dir.Disable(h.t.Context(), admin, l.user.ID))
			must(h.t, h.dir.Enable(h.t.Context(), admin, l.user.ID))
		}},
		{name: "deleting the user", do: func(h *house, c *testClient, l testLogin) {
			must(h.t, h.dir.Delete(h.t.Context(), admin, l.user.ID))
		}},
		{name: "signing out everywhere", do: func(h *house, c *testClient, l testLogin) {
			must(h.t, h.in.SignOutEverywhere(h.t.Context(), signin.Visitor{Session: l.session, User: l.user}))
		}},
		{name: "signing out", online: true, do: func(h *house, c *testClient, l testLogin) {
			must(h.t, h.in.SignOut(h.t.Context(), signin.Visitor{Session: l.session, User: l.user}))
		}},
		{name: "the end of the session", online: true, do: func(h *house, c *testClient, l testLogin) {
			h.write(func(tx *db.Tx) {
				tx.Do(`UPDATE sessions SET expires_at = $1 WHERE id = $2`, tx.Now().UnixMicro(), l.session.ID)
			})
		}},
		{name: "taking back the consent", do: sql(`DELETE FROM consents WHERE created_at <= $1 AND client_id = $2 AND user_id = $3`)},
		{name: "taking back a part of the consent", do: sql(`UPDATE consents SET scopes = '["openid"]' WHERE created_at <= $1 AND client_id = $2 AND user_id = $3`)},
		{name: "a group for the client", do: func(h *house, c *testClient, l testLogin) { restrict(h, c, false, l) }},
		{name: "leaving the group", do: func(h *house, c *testClient, l testLogin) {
			g := restrict(h, c, true, l)
			must(h.t, h.dir.SetMembers(h.t.Context(), admin, g.ID, nil))
		}},
		{name: "a group of the same name", do: func(h *house, c *testClient, l testLogin) {
			g := restrict(h, c, false, l)
			h.write(func(tx *db.Tx) {
				tx.Do(`UPDATE user_groups SET name = 'other', name_key = $2 WHERE id = $1`, g.ID, "other"+g.ID)
			})
			again, err := h.dir.AddGroup(h.t.Context(), admin, directory.GroupEdit{Name: g.Name, FriendlyName: "Friends"})
			must(h.t, err)
			must(h.t, h.dir.SetMembers(h.t.Context(), admin, again.ID, []string{l.user.ID}))
		}},
		{name: "disabling the client", do: sql(`UPDATE clients SET disabled_at = $1 WHERE id = $2`)},
		{name: "deleting the client", anonymous: true, do: func(h *house, c *testClient, l testLogin) {
			must(h.t, h.p.DeleteClient(h.t.Context(), admin, c.ID))
		}},
		{name: "revoking the grant", do: func(h *house, c *testClient, l testLogin) {
			must(h.t, h.d.Write(h.t.Context(), func(tx *db.Tx) error {
				ids, err := db.All(tx, func(id *string) []any { return []any{id} }, `SELECT id FROM grants WHERE client_id = $1`, c.ID)
				for _, id := range ids {
					revokeGrant(tx, audit.System("job"), id, "test")
				}
				return err
			}))
		}},
	}
	all := []string{"openid", "email", "offline_access"}
	each(t, func(t *testing.T, h *house) {
		for _, test := range tests {
			for _, scopes := range [][]string{all, {"openid", "email"}} {
				t.Log(test.name, "with", scopes)
				c := h.relyingParty(ClientEdit{})
				l := testLogin{user: h.user("user-" + c.ID[:8]), browser: h.browser()}
				l = c.loginAs(l, scopes...)
				got := c.redeem(c.code(l, scopes...)).ok(t)
				code := c.code(l, scopes...)
				time.Sleep(time.Second)
				test.do(h, c, l)
				userinfo, _ := h.userinfo(got.Access)
				codeAnswer, refreshAnswer := c.redeem(code), c.refresh(got.Refresh)
				switch {
				case test.lives || test.online && len(scopes) == len(all):
					codeAnswer.ok(t)
					refreshAnswer.ok(t)
					if userinfo != 200 {
						t.Errorf("userinfo: %d, want 200", userinfo)
					}
					continue
				case test.anonymous:
					codeAnswer.fails(t, 401, "invalid_client")
					refreshAnswer.fails(t, 401, "invalid_client")
				default:
					codeAnswer.fails(t, 400, "invalid_grant")
					refreshAnswer.fails(t, 400, "invalid_grant")
				}
				if userinfo != 401 {
					t.Errorf("userinfo: %d, want 401", userinfo)
				}
			}
		}
	})
}

func TestTheEndOfASessionRevokesItsGrants(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", offline...)
		c.redeem(c.code(l, "openid")).ok(t)
		c.redeem(c.code(l, offline...)).ok(t)
		h.write(func(tx *db.Tx) { revokeSessionGrants(tx, l.session.ID) })
		if n := h.count(`SELECT count(*) FROM grants WHERE revoked_reason = 'session'`); n != 1 {
			t.Errorf("%d grants ended, want the one that is not offline", n)
		}
	})
}

func TestAPurgedUserLeavesNothing(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		c := h.relyingParty(ClientEdit{})
		ada, bob := c.login("ada", offline...), c.login("bob", offline...)
		c.redeem(c.code(ada, offline...)).ok(t)
		left := func(u directory.User) int {
			return h.count(`SELECT count(*) FROM grants WHERE user_id = $1`, u.ID) + h.count(`SELECT count(*) FROM consents WHERE user_id = $1`, u.ID)
		}
		must(t, h.p.userPurged(t.Context(), ada.user.ID)) // news that came too early
		if left(ada.user) != 2 {
			t.Errorf("%d rows of a user who is there, want a grant and a consent", left(ada.user))
		}
		must(t, h.dir.Delete(t.Context(), admin, ada.user.ID))
		must(t, h.p.userPurged(t.Context(), ada.user.ID))
		if left(ada.user) != 0 || left(bob.user) != 1 {
			t.Errorf("%d rows of the one who is gone and %d of another, want 0 and the consent", left(ada.user), left(bob.user))
		}
	})
}

// TestSixtyFourAtOnceAreServed holds that many people at once wait, and do not fail.
func TestSixtyFourAtOnceAreServed(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		c, app := h.relyingParty(ClientEdit{}), h.relyingParty(ClientEdit{Public: true})
		var codes []func() tokens
		for i := range 64 {
			by := c
			if i%2 == 0 {
				by = app
			}
			l := by.login(fmt.Sprintf("user-%d", i), offline...)
			code := by.code(l, offline...)
			codes = append(codes, func() tokens {
				got := by.redeem(code)
				if got.Status == 200 {
					got = by.refresh(got.Refresh)
				}
				return got
			})
		}
		var next atomic.Int64
		for _, got := range together(len(codes), func() tokens { return codes[next.Add(1)-1]() }) {
			if got.Status != 200 {
				t.Errorf("got %d %s (%s)", got.Status, got.Error, got.Description)
			}
		}
	})
}

// TestGrantsAreSwept holds that a grant goes when nothing of it can be alive any more,
// and not before.
func TestGrantsAreSwept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{RefreshTokenFor: 48 * time.Hour, RefreshIssue: RefreshOfflineAccess})
		l := c.login("ada", offline...)
		c.code(l, "openid")                                   // never redeemed
		c.redeem(c.code(l, "openid")).ok(t)                   // an access token for an hour
		long := c.redeem(c.code(l, offline...)).ok(t).Refresh // a refresh token for two days
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{59 * time.Second, 3}, {2 * time.Second, 2}, {58 * time.Minute, 2}, {2 * time.Minute, 1}, {40 * time.Hour, 1}} {
			time.Sleep(step.wait)
			h.sweep()
			if n := h.count(`SELECT count(*) FROM grants`); n != step.want {
				t.Errorf("%d grants after another %v, want %d", n, step.wait, step.want)
			}
		}
		c.refresh(long).ok(t)
		time.Sleep(40 * time.Hour)
		h.sweep()
		c.refresh(long).ok(t)
		time.Sleep(48 * time.Hour)
		h.sweep()
		if n := h.count(`SELECT count(*) FROM grants`) + h.count(`SELECT count(*) FROM codes`); n != 0 {
			t.Errorf("%d rows are left, want none", n)
		}
	})
}

// sweep deletes what is over.
func (h *house) sweep() {
	h.t.Helper()
	must(h.t, h.d.Write(h.t.Context(), func(tx *db.Tx) error {
		_, err := sweepGrants(tx, 100)
		return err
	}))
}
