package protocol

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/dbtest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// TestReplicasAreOneHouse goes through a flow in which every request is answered
// by another process than the one before.
func TestReplicasAreOneHouse(t *testing.T) { // threats 4, 83
	t.Run(dbtest.Postgres, func(t *testing.T) {
		dsn := dbtest.MigratedDSN(t, dbtest.Postgres)
		synctest.Test(t, func(t *testing.T) {
			one, two := apptest.Open(t, dsn), apptest.Open(t, dsn)
			one.KeepKeys()
			two.KeepKeys()
			admin := one.SetUp().At(two)
			if page := admin.Open("/settings/account"); page.Status != http.StatusOK || page.URL.Path != "/settings/account" {
				t.Errorf("the session of one at two: %s", page)
			}
			if page := two.Browser().Open("/setup"); page.Status != http.StatusNotFound {
				t.Errorf("set-up of one at two: %s", page)
			}
			ada := one.User("ada")
			shop := one.Client("shop")
			f, code := shop.At(two).Authorize(ada.At(two))
			tokens := f.At(one).Exchange(code)
			if got := f.At(two).Redeem(code); got.Error != "invalid_grant" {
				t.Errorf("a code that was used at one is used at two: %+v", got)
			}
			f, code = shop.Authorize(ada)
			tokens = f.At(two).Exchange(code)
			if status, claims := shop.Userinfo(tokens.AccessToken); status != http.StatusOK || claims["sub"] != ada.ID {
				t.Errorf("a token of two at one: %d %v", status, claims)
			}

			done, err := one.App.OIDC.Keys().RotateNow(t.Context(), audit.System("cli"), jose.ES256)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(oidc.KeysSpread + 3*oidc.ReloadKeys) // published, promoted by one, seen by two
			f, code = shop.At(two).Authorize(ada.At(two))
			fresh := f.Exchange(code)
			if header := decoded(t, before(fresh.AccessToken)); !strings.Contains(header, done.KeyID) {
				t.Errorf("after a rotation at one, two signs with %s", header)
			}
			if status, _ := shop.Userinfo(fresh.AccessToken); status != http.StatusOK {
				t.Errorf("a token of the new key at one: %d", status)
			}
			if status, _ := shop.At(two).Userinfo(tokens.AccessToken); status != http.StatusOK {
				t.Errorf("a token of the old key at two: %d", status)
			}

			one.Disable(ada)
			if status, _ := shop.At(two).Userinfo(fresh.AccessToken); status != http.StatusUnauthorized {
				t.Errorf("a token of somebody who was disabled at one, at two: %d", status)
			}
		})
	})
}

// before is the header of a token.
func before(token string) string {
	header, _, _ := strings.Cut(token, ".")
	return header
}
