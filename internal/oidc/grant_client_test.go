package oidc

import (
	"sync"
	"testing"
)

// Machines that ask for the first token of their client at the same time share one grant.
func TestMachinesAtTheSameTimeShareOneGrant(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		c.own(nil) // the signing key is there
		_, err := h.p.DisableClient(t.Context(), admin, c.ID)
		must(t, err)
		_, err = h.p.EnableClient(t.Context(), admin, c.ID)
		must(t, err)
		const machines = 20
		answers := make([]tokens, machines)
		begin := make(chan struct{})
		var working sync.WaitGroup
		for i := range machines {
			working.Go(func() {
				<-begin
				f := form("grant_type", grantTypeClient)
				r := h.postForm("/api/oidc/token", f)
				r.SetBasicAuth(c.ID, c.secret)
				answers[i] = h.send(r)
			})
		}
		close(begin)
		working.Wait()
		for i, a := range answers {
			if a.Status != 200 || !c.active(a.Access) {
				t.Errorf("machine %d got %d %s (%s)", i, a.Status, a.Error, a.Description)
			}
		}
		if n := h.count(`SELECT count(*) FROM grants WHERE client_id = $1 AND kind = 'client' AND revoked_at IS NULL`, c.ID); n != 1 {
			t.Errorf("there are %d living grants", n)
		}
		if n := h.count(`SELECT count(*) FROM grants WHERE client_id = $1`, c.ID); n != 2 {
			t.Errorf("there are %d grants", n)
		}
	})
}
