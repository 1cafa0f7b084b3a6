package audit

import (
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// What the list calls internal is what an entry says.
func TestPlacesAgreeWithTheFilter(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		for _, address := range []string{"127.0.0.1", "::1", "10.1.2.3", "172.15.0.1", "172.16.0.1", "172.31.9.9", "172.32.0.1", "192.168.0.1", "192.169.0.1", "169.254.1.1",
			"100.63.0.1", "100.64.0.1", "100.127.0.1", "100.128.0.1", "1.1.1.1", "101.2.3.4", "fc00::1", "fd12::3", "fe80::1", "febf::1", "fec0::1", "2001:db8::1", ""} {
			var internal bool
			err := d.Read(t.Context(), func(tx *db.Tx) error {
				return tx.One([]any{&internal}, `SELECT CASE WHEN `+ownNetworks+` THEN TRUE ELSE FALSE END FROM (SELECT CAST($1 AS TEXT) AS address) AS a`, address)
			})
			if want := Place(address) != ""; err != nil || internal != want {
				t.Errorf("%q is internal: %t, want %t (%v)", address, internal, want, err)
			}
		}
	})
}
