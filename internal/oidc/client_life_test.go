package oidc

import (
	"encoding/json"
	"errors"
	"testing"

	"pocketid/internal/audit"
)

// active asks about a token as c.
func (c *testClient) active(token string) bool {
	c.h.t.Helper()
	resp := c.h.do(c.h.postForm("/api/oidc/introspect", form("token", token, "client_id", c.ID, "client_secret", c.secret)))
	var said struct{ Active bool }
	if text := body(resp); resp.StatusCode == 200 {
		must(c.h.t, json.Unmarshal([]byte(text), &said))
	}
	return said.Active
}

// A client that is switched off gets nothing, and nothing comes back when it is switched on.
func TestSwitchingAClientOffEndsWhatItHas(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, other := h.relyingParty(ClientEdit{}), h.relyingParty(ClientEdit{Name: "Other"})
		l := c.login("ada", "openid", "offline_access")
		theirs := other.loginAs(testLogin{user: l.user, browser: h.browser()}, "openid", "offline_access")
		got := c.redeem(c.code(l, "openid", "offline_access")).ok(t)
		kept := other.redeem(other.code(theirs, "openid", "offline_access")).ok(t)
		machine, waiting := c.own(nil), c.code(l, "openid")
		if status, _ := h.userinfo(got.Access); status != 200 || !c.active(got.Access) || !c.active(got.Refresh) || !c.active(machine) {
			t.Fatalf("it does not begin well: %d", status)
		}

		off, err := h.p.DisableClient(t.Context(), admin, c.ID)
		must(t, err)
		if off.DisabledAt.IsZero() {
			t.Error("what is returned is not disabled")
		}
		dead := func(when string) {
			inRow(t, when, func() {
				for name, token := range map[string]string{"access token": got.Access, "refresh token": got.Refresh, "token of the machine": machine} {
					if c.active(token) {
						t.Errorf("the %s is active", name)
					}
				}
				if status, _ := h.userinfo(got.Access); status != 401 {
					t.Errorf("userinfo answers %d", status)
				}
				if a := c.refresh(got.Refresh); a.Status < 400 || a.Access != "" {
					t.Errorf("it is refreshed: %d %s", a.Status, a.Error)
				}
			})
		}
		dead("is off")
		if a := c.token(form("grant_type", grantTypeClient)); a.Status < 400 || a.Access != "" {
			t.Errorf("it has a token of its own: %d %s", a.Status, a.Error)
		}
		wantError(t, l.browser.authorize(c.Client), c.Client, "access_denied")

		// Off is off: once more changes nothing and says nothing.
		_, err = h.p.DisableClient(t.Context(), admin, c.ID)
		must(t, err)
		on, err := h.p.EnableClient(t.Context(), admin, c.ID)
		must(t, err)
		_, err = h.p.EnableClient(t.Context(), admin, c.ID)
		must(t, err)
		if !on.DisabledAt.IsZero() {
			t.Error("what is returned is disabled")
		}
		dead("is on again")
		if a := c.redeem(waiting); a.Status < 400 || a.Access != "" {
			t.Errorf("a code of before is redeemed: %d %s", a.Status, a.Error)
		}
		wantCode(t, l.browser.authorize(c.Client, "scope", "openid"), c.Client)
		c.redeem(c.code(l, "openid")).ok(t)
		if !c.active(c.own(nil)) {
			t.Error("the machine has no token again")
		}

		// Another client of the same person hears nothing of it.
		if status, _ := h.userinfo(kept.Access); status != 200 || !other.active(kept.Refresh) {
			t.Errorf("another client lost its tokens: %d", status)
		}
		for _, event := range []audit.Name{audit.ClientDisabled, audit.ClientEnabled} {
			if n := h.count(`SELECT count(*) FROM audit WHERE event = $1 AND client_id = $2 AND object_id = $2 AND actor_id = $3`, event.String(), c.ID, admin.UserID); n != 1 {
				t.Errorf("%s stands %d times in the log", event.String(), n)
			}
		}
	})
}

func TestOnlyAdministratorsSwitchClients(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.client(ClientEdit{})
		by := audit.Actor{UserID: h.user("ada").ID, Name: "ada", Via: "page"}
		for range 2 {
			before, err := h.p.Client(t.Context(), admin, c.ID)
			must(t, err)
			if _, err := h.p.DisableClient(t.Context(), by, c.ID); !errors.Is(err, audit.ErrNotAdmin) {
				t.Errorf("somebody switches it off: %v", err)
			}
			if _, err := h.p.EnableClient(t.Context(), by, c.ID); !errors.Is(err, audit.ErrNotAdmin) {
				t.Errorf("somebody switches it on: %v", err)
			}
			after, err := h.p.Client(t.Context(), admin, c.ID)
			must(t, err)
			if !after.DisabledAt.Equal(before.DisabledAt) {
				t.Errorf("it was %v and is %v", before.DisabledAt, after.DisabledAt)
			}
			_, err = h.p.DisableClient(t.Context(), admin, c.ID)
			must(t, err)
		}
		if n := h.count(`SELECT count(*) FROM audit WHERE event = $1 OR event = $2`, audit.ClientDisabled.String(), audit.ClientEnabled.String()); n != 1 {
			t.Errorf("the log has %d lines", n)
		}
		if _, err := h.p.DisableClient(t.Context(), admin, "nothing"); !errors.Is(err, ErrNoClient) {
			t.Errorf("no client is switched off: %v", err)
		}
	})
}
