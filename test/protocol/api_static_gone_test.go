package protocol

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"pocketid/internal/app"
	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// When the key of the environment goes, so does its account at the next start, and what
// it made stays, and the log says that it went.
func TestTheAccountOfTheStaticKeyGoesWithIt(t *testing.T) { // threats 58
	const key = "a key of 23 characters!"
	inBubble(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		for _, settings := range [][]string{{"STATIC_API_KEY=" + key}, {"STATIC_API_KEY=" + key + " and another"}} {
			a, err := app.New(ctx, apptest.Config(t, dsn, settings...), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			u, err := a.Directory.Static(ctx)
			if err != nil || u.ID != directory.StaticID {
				t.Fatalf("%q, %v", u.ID, err)
			}
			by := audit.System("api")
			by.UserID = u.ID
			name := strings.ToLower(settings[0][len(settings[0])-4:])
			name = strings.NewReplacer("!", "x").Replace(name)
			_, err = a.Directory.AddGroup(ctx, by, directory.GroupEdit{Name: "crew-" + name, FriendlyName: "Crew"})
			if err == nil {
				_, _, err = a.OIDC.AddClient(ctx, by, oidc.ClientEdit{Name: "Shop", ID: "shop-" + name, RedirectURIs: []oidc.URI{{URI: "https://shop.example/cb"}}})
			}
			if err == nil {
				err = a.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		h := apptest.Open(t, dsn)
		for _, table := range []string{"users", "user_words"} {
			if rows := strings.Join(h.Rows()[table], "\n"); strings.Contains(rows, directory.StaticID) {
				t.Errorf("%s still has the account", table)
			}
		}
		if n := len(h.Rows()["user_groups"]) + len(h.Rows()["clients"]); n != 4 {
			t.Errorf("of what it made %d of 4 are left", n)
		}
		if got := h.Program().Get("/api/users", "X-API-Key", key); got.Status != http.StatusUnauthorized {
			t.Errorf("the key answers %d", got.Status)
		}
		list, err := h.App.Audit.List(ctx, audit.System("cli"), audit.Filter{Events: []audit.Name{audit.UserDeleted}})
		if err != nil || len(list.Entries) != 1 || list.Entries[0].Object.ID != directory.StaticID {
			t.Errorf("the log says %+v, %v", list.Entries, err)
		}
	})
}
