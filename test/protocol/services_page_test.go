package protocol

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

// The list of service accounts costs as many statements for many as for few, and goes on by
// keyset. What was known as a user leads to the page of the service account, and the list of
// people has none of them.
func TestServiceAccountPages(t *testing.T) { // threats 63, 75
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		const list = "/settings/admin/service-accounts"
		var id string
		add := func(from, to int) {
			t.Helper()
			for i := from; i < to; i++ {
				h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
					u, err := d.AddService(ctx, by, "", directory.ServiceEdit{Username: fmt.Sprintf("robot-%02d", i), Owner: admin.ID})
					id = u.ID
					return err
				})
				h.SQL(`INSERT INTO api_keys (id, user_id, name, name_key, hash, created_at, expires_at) VALUES ($1, $1, 'Backup', 'backup', $2, 1, 1)`, id, []byte(id))
			}
		}
		cost := func() int64 { // without what the house does by itself meanwhile
			t.Helper()
			least := int64(1000)
			for range 3 {
				h.Settle()
				before := h.App.DB.Statements()
				if page := admin.Open(list); page.Status != http.StatusOK {
					t.Fatal(page)
				}
				least = min(least, h.App.DB.Statements()-before)
			}
			return least
		}
		add(0, 1)
		few := cost()
		if few > 11 { // who (2), settings, count, list, owners, keys, and the menu
			t.Errorf("the list takes %d statements", few)
		}
		add(1, 30)
		if many := cost(); many != few {
			t.Errorf("the list takes %d statements with many rows, %d with few", many, few)
		}
		first := admin.Open(list)
		if !strings.Contains(first.Body, "robot-24") || strings.Contains(first.Body, "robot-25") || !strings.Contains(first.Body, "30 service accounts") {
			t.Errorf("the first page is %s", first)
		}
		_, link, _ := strings.Cut(first.Body, `<nav aria-label="Pages"><a href="`)
		link, _, _ = strings.Cut(link, `"`)
		if next := admin.Open(html.UnescapeString(link)); strings.Contains(next.Body, ">robot-24<") || !strings.Contains(next.Body, "robot-29") {
			t.Errorf("the next page is %s", next)
		}
		if own := admin.Open(list + "?sort=-username&owner=" + admin.ID); !strings.Contains(own.Body, ">robot-29<") || strings.Contains(own.Body, ">robot-04<") {
			t.Errorf("those of an owner from the end are %s", own)
		}
		if none := admin.Open(list + "?owner=nobody"); none.Status != http.StatusOK || strings.Contains(none.Body, ">robot-") {
			t.Errorf("those of nobody are %s", none)
		}
		if none := admin.Open(list + "?state=disabled"); strings.Contains(none.Body, ">robot-") {
			t.Errorf("those that are disabled are %s", none)
		}
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			u, err := d.AddUserAs(ctx, by, directory.NewUser{Username: "gone", Email: "gone@example.com", DisplayName: "Robin Gone"})
			if err != nil {
				return err
			}
			if _, err := d.AddUserAs(ctx, by, directory.NewUser{Username: "here", Email: "here@example.com", DisplayName: "Here Robin"}); err != nil {
				return err
			}
			return d.Disable(ctx, by, u.ID)
		})
		if able := admin.Open("/settings/admin/owners?who=able&q=rob"); !strings.Contains(able.Body, `"username":"here"`) || strings.Contains(able.Body, "gone") || strings.Contains(able.Body, "robot") {
			t.Errorf("owners are offered as %s", able)
		}
		if all := admin.Open("/settings/admin/owners?who=all&q=rob"); !strings.Contains(all.Body, `"username":"gone"`) {
			t.Errorf("of everybody are offered %s", all)
		}
		if none := admin.Open("/settings/admin/owners?who=all&q=+"); none.Status != http.StatusOK || !strings.Contains(none.Body, `{"names":[]}`) {
			t.Errorf("for nothing typed are offered %s", none)
		}
		if page := admin.Open("/settings/admin/users/" + id); page.URL.Path != list+"/"+id || page.Status != http.StatusOK {
			t.Errorf("as a user it leads to %s", page)
		}
		if people := admin.Open("/settings/admin/users"); strings.Contains(people.Body, "robot-") {
			t.Error("it is among people")
		}
		if keys := admin.Open("/settings/admin/api-keys?owner=" + id); !strings.Contains(keys.Body, `href="`+list+"/"+id+`"`) {
			t.Error("the list of keys does not lead to it")
		}
	})
}
