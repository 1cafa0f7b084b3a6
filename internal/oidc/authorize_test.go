package oidc

import (
	"testing"
)

func TestCodeFlowWithSessionAndConsent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.signIn(ada)
		id := wantStep(t, b.authorize(c), "/consent")
		next, err := h.p.Allow(t.Context(), b.visitor(), b.hash(), id)
		must(t, err)
		params := wantAnswer(t, b.get(next), c)
		if params.Get("code") == "" || params.Get("state") != "a state" {
			t.Errorf("got %v, want a code and the state", params)
		}
		before := h.d.Statements()
		wantCode(t, b.authorize(c), c)
		if n := h.d.Statements() - before; n > 2+7 {
			t.Errorf("%d statements, want 9 at most with the look at the session", n)
		}
	})
}
