package oidc

import (
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// as is somebody who acts on their own account.
func as(u directory.User) audit.Actor {
	return audit.Actor{UserID: u.ID, Name: u.Username, Via: "page"}
}

// threats 3: what was allowed is taken back with everything that came of it, and a new
// yes revives nothing.
func TestConsentIsTakenBack(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shop, wiki := h.relyingParty(ClientEdit{Name: "shop"}), h.relyingParty(ClientEdit{Name: "Wiki", LaunchURL: "https://wiki.example/"})
		trusted := h.relyingParty(ClientEdit{Name: "Trusted", SkipConsent: true})
		scopes := []string{"openid", "profile", "offline_access"}
		l := shop.login("ada", scopes...)
		bob := shop.login("bob", scopes...)
		ofBob := shop.redeem(shop.code(bob, scopes...))
		tokens := shop.redeem(shop.code(l, scopes...))
		waiting := shop.code(l, scopes...)
		atWiki := wiki.loginAs(l, "openid", "email")
		wiki.redeem(wiki.code(atWiki, "openid", "email"))
		atTrusted := trusted.loginAs(l)
		h.write(func(tx *db.Tx) { tx.Do(`DELETE FROM consents WHERE client_id = $1`, trusted.ID) })
		trusted.redeem(trusted.code(atTrusted, "openid", "groups"))
		trusted.redeem(trusted.code(atTrusted, "openid", "email"))
		forgotten := h.relyingParty(ClientEdit{Name: "Gone"})
		forgotten.loginAs(l, "openid")
		must(t, h.p.DeleteClient(t.Context(), admin, forgotten.ID))

		list, err := h.p.Allowed(t.Context(), as(l.user))
		must(t, err)
		got := map[string]Allowed{}
		var names []string
		for _, a := range list {
			got[a.Name], names = a, append(names, a.Name)
		}
		if len(list) != 3 || names[0] != "shop" || names[1] != "Trusted" || names[2] != "Wiki" {
			t.Fatalf("the list has %v", names)
		}
		if a := got["shop"]; !a.Asked || len(a.Scopes) != 3 || a.AllowedAt.IsZero() {
			t.Errorf("shop: %+v", a)
		}
		if a := got["Trusted"]; a.Asked || len(a.Scopes) != 3 || a.LastUsedAt.IsZero() {
			t.Errorf("a client that need not ask: %+v", a)
		}
		if a := got["Wiki"]; a.LaunchURL != "https://wiki.example/" {
			t.Errorf("Wiki: %+v", a)
		}

		time.Sleep(time.Second)
		must(t, h.p.RevokeConsent(t.Context(), as(l.user), shop.ID))
		dead := func(when string) {
			t.Helper()
			t.Log(when)
			shop.redeem(waiting).fails(t, 400, "invalid_grant")
			shop.refresh(tokens.Refresh).fails(t, 400, "invalid_grant")
			if status, _ := h.userinfo(tokens.Access); status != 401 {
				t.Errorf("an access token: %d", status)
			}
		}
		dead("after it was taken back")
		time.Sleep(time.Second)
		shop.loginAs(testLogin{user: l.user, browser: h.browser()}, scopes...)
		dead("after it was allowed again")
		if status, _ := h.userinfo(ofBob.Access); status != 200 {
			t.Errorf("somebody else's access token: %d", status)
		}
		must(t, h.p.RevokeConsent(t.Context(), as(l.user), trusted.ID))
		list, err = h.p.Allowed(t.Context(), as(l.user))
		must(t, err)
		if len(list) != 2 {
			t.Errorf("the list has %+v", list)
		}

		wantFault(t, h.p.RevokeConsent(t.Context(), as(l.user), trusted.ID), ErrNoConsent, "")
		wantFault(t, h.p.RevokeConsent(t.Context(), as(l.user), forgotten.ID), ErrNoConsent, "")
		wantFault(t, h.p.RevokeConsent(t.Context(), as(l.user), "nowhere"), ErrNoConsent, "")
		wantFault(t, h.p.RevokeConsent(t.Context(), audit.Actor{}, shop.ID), directory.ErrNotYours, "")
		_, err = h.p.Allowed(t.Context(), audit.System("cli"))
		wantFault(t, err, directory.ErrNotYours, "")
		if n := h.count(`SELECT count(*) FROM audit WHERE event = 'consent.revoked' AND user_id = $1`, l.user.ID); n != 2 {
			t.Errorf("%d records, want 2", n)
		}
	})
}

// A yes that was given and not yet answered is taken back with the rest.
func TestAYesThatWaitsIsTakenBack(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid")
		b := l.browser
		id := wantStep(t, b.authorize(c.Client, "scope", "openid profile email"), "/consent")
		_, err := h.p.Allow(t.Context(), b.visitor(), b.hash(), id)
		must(t, err)
		must(t, h.p.RevokeConsent(t.Context(), as(l.user), c.ID))
		wantStep(t, b.get("/authorize/next?id="+id), "/consent")
	})
}
