package oidc

import (
	"testing"
	"time"
)

// However often it is used, a refresh token ends when the grant is too old.
func TestARefreshTokenDiesOfAge(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, rotation := range []string{RotationAlways, RotationDefault} {
			c := h.relyingParty(ClientEdit{AccessTokenFor: time.Minute, RefreshTokenFor: 2 * time.Hour, RefreshMaxFor: 5 * time.Hour, RefreshRotation: rotation})
			free := h.relyingParty(ClientEdit{Name: "Free", AccessTokenFor: time.Minute, RefreshTokenFor: 2 * time.Hour, RefreshRotation: rotation})
			l := c.login("ada"+rotation, "openid", "offline_access")
			theirs := free.loginAs(testLogin{user: l.user, browser: h.browser()}, "openid", "offline_access")
			token, other := c.redeem(c.code(l, "openid", "offline_access")).ok(t).Refresh, free.redeem(free.code(theirs, "openid", "offline_access")).ok(t).Refresh
			next := func(c *testClient, token string) string {
				if got := c.refresh(token).ok(t).Refresh; got != "" {
					return got
				}
				return token
			}
			for range 4 {
				time.Sleep(time.Hour)
				token, other = next(c, token), next(free, other)
			}
			time.Sleep(time.Hour - time.Second)
			token, other = next(c, token), next(free, other)
			if !c.active(token) {
				t.Errorf("%s: it is dead a second too soon", rotation)
			}
			time.Sleep(time.Second)
			if c.active(token) {
				t.Errorf("%s: it is said to be active when it is over", rotation)
			}
			c.refresh(token).fails(t, 400, "invalid_grant")
			next(free, other) // without a bound it goes on

			// A bound that is set later counts for what was given before.
			edit := free.Edit()
			edit.RefreshMaxFor = time.Hour
			_, err := h.p.EditClient(t.Context(), admin, free.ID, edit)
			must(t, err)
			free.refresh(other).fails(t, 400, "invalid_grant")
		}
	})
}

func TestTheAbsoluteLifetimeHasBounds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.client(ClientEdit{})
		for _, tt := range []struct {
			d  time.Duration
			ok bool
		}{{0, true}, {minLifetime, true}, {maxLifetime, true}, {minLifetime - 1, false}, {maxLifetime + 1, false}, {-time.Hour, false}} {
			edit := c.Edit()
			edit.RefreshMaxFor = tt.d
			got, err := h.p.EditClient(t.Context(), admin, c.ID, edit)
			if !tt.ok {
				wantFault(t, err, ErrLifetime, "refresh_max_lifetime")
			} else if err != nil || got.RefreshMaxFor != tt.d {
				t.Errorf("%v: %v, %v", tt.d, got.RefreshMaxFor, err)
			}
		}
	})
}
