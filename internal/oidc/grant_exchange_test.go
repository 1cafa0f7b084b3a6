package oidc

import (
	"encoding/json"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// own is an access token that c got for itself, changed if need be and signed anew.
func (c *testClient) own(change func(*accessClaims)) string {
	c.h.t.Helper()
	token := c.token(form("grant_type", grantTypeClient)).ok(c.h.t).Access
	if change == nil {
		return token
	}
	said, err := c.h.p.readToken(c.h.t.Context(), token)
	must(c.h.t, err)
	change(&said)
	token, err = c.h.p.keys.Sign(c.h.t.Context(), c.AccessTokenAlg, typAccess, said)
	must(c.h.t, err)
	return token
}

func (c *testClient) exchange(subject string, change ...string) tokens {
	c.h.t.Helper()
	return c.token(form(append([]string{"grant_type", grantTypeExchange, "subject_token", subject, "subject_token_type", tokenTypeAccess}, change...)...))
}

func (c *testClient) delegated(subject, actor string) tokens {
	c.h.t.Helper()
	return c.exchange(subject, "actor_token", actor, "actor_token_type", tokenTypeAccess)
}

// RFC 8693 §4.1: whoever acts for a person is named, and for whom they acted before.
func TestWhoActsIsNamed(t *testing.T) { // threats 7, 21
	each(t, func(t *testing.T, h *house) {
		web, api, back := h.relyingParty(ClientEdit{Name: "web"}), h.relyingParty(ClientEdit{Name: "api"}), h.relyingParty(ClientEdit{Name: "back"})
		for _, pair := range [][2]*testClient{{api, web}, {back, api}} {
			must(t, h.p.AllowExchange(t.Context(), admin, pair[0].ID, pair[1].ID))
		}
		l := web.login("ada", "openid", "email")
		subject := web.redeem(web.code(l, "openid", "email")).ok(t).Access
		actsAs := func(token string) string {
			_, claims := claimsOf(t, token)
			if claims["sub"] != l.user.ID {
				t.Errorf("the subject is %v", claims["sub"])
			}
			b, err := json.Marshal(claims["act"])
			must(t, err)
			return string(b)
		}
		apiToken := api.own(nil)
		first := api.delegated(subject, apiToken).ok(t).Access
		if got := actsAs(first); got != `{"sub":"client-`+api.ID+`"}` {
			t.Errorf("api acts as %s", got)
		}
		backToken := back.own(nil)
		if got := actsAs(back.delegated(first, backToken).ok(t).Access); got != `{"act":{"sub":"client-`+api.ID+`"},"sub":"client-`+back.ID+`"}` {
			t.Errorf("back acts as %s", got)
		}
		// Who acted before does not vanish when the next one does not say who it is.
		if got := actsAs(back.exchange(first).ok(t).Access); got != `{"sub":"client-`+api.ID+`"}` {
			t.Errorf("after an exchange without an actor it is %s", got)
		}

		// Nobody acts by the token of somebody else, by one of a person, or by one that has ended.
		back.delegated(first, apiToken).fails(t, 400, "invalid_request")
		back.delegated(first, first).fails(t, 400, "invalid_request")
		back.delegated(first, subject).fails(t, 400, "invalid_request")
		for name, change := range map[string]func(*accessClaims){
			"it has expired":          func(c *accessClaims) { c.Expires = time.Now().Unix() },
			"it is of another issuer": func(c *accessClaims) { c.Issuer = "https://other.example" },
			"it is of another client": func(c *accessClaims) { c.ClientID = api.ID },
			"its grant is another's": func(c *accessClaims) {
				said, err := h.p.readToken(t.Context(), api.own(nil))
				must(t, err)
				c.ID = said.ID
			},
			"its grant is not there":    func(c *accessClaims) { c.ID = secret.ID() + ".x" },
			"it has nothing of a grant": func(c *accessClaims) { c.ID = "" },
		} {
			inRow(t, "refuses an actor: "+name, func() {
				back.delegated(first, back.own(change)).fails(t, 400, "invalid_request")
			})
		}
		h.write(func(tx *db.Tx) {
			tx.Do(`UPDATE grants SET revoked_at = $1 WHERE kind = 'client' AND client_id = $2`, tx.Now().UnixMicro(), back.ID)
		})
		back.delegated(first, backToken).fails(t, 400, "invalid_request")
		// A client is nobody's subject.
		must(t, h.p.AllowExchange(t.Context(), admin, back.ID, back.ID))
		back.exchange(back.own(nil)).fails(t, 400, "invalid_request")
	})
}
