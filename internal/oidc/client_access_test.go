package oidc

import (
	"errors"
	"slices"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// threats 62, 65
func TestGroupsOpenClients(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		wants := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", what, err, want)
			}
		}
		ada, bob := h.user("ada"), h.user("bob")
		group := func(name string, members ...string) string {
			g, err := h.dir.AddGroup(ctx, admin, directory.GroupEdit{Name: name, FriendlyName: name})
			must(t, err)
			must(t, h.dir.SetMembers(ctx, admin, g.ID, members))
			return g.ID
		}
		staff, near := group("staff", ada.ID), group("staff-2", bob.ID)
		client := func(name string, restricted bool, groups ...string) string {
			edit := NewClientEdit()
			edit.Name, edit.GroupRestricted, edit.AllowedGroups = name, restricted, groups
			c, _, err := h.p.AddClient(ctx, admin, edit)
			must(t, err)
			return c.ID
		}
		wiki, shop, open := client("Wiki", true, staff), client("Shop", true, staff, near), client("Open", false)
		groupsOf := func(id string) []string {
			c, err := h.p.Client(ctx, admin, id)
			must(t, err)
			return c.AllowedGroups
		}
		both := slices.Sorted(slices.Values([]string{staff, near}))

		all, err := h.p.ClientsOfGroup(ctx, admin, near)
		must(t, err)
		if !slices.Equal(all.Restricted, []GroupClient{{shop, "Shop", true, 2}, {wiki, "Wiki", false, 1}}) || !slices.Equal(all.Open, []string{"Open"}) || all.More || all.MoreOpen {
			t.Errorf("the clients are %+v", all)
		}
		counts, err := h.p.CountGroupClients(ctx, admin, []string{staff, near, "x"})
		must(t, err)
		if counts[staff] != 2 || counts[near] != 1 || counts["x"] != 0 {
			t.Errorf("the counts are %v", counts)
		}
		must(t, h.p.EditGroupClients(ctx, admin, near, []string{wiki, open}, []string{shop}))
		if got := groupsOf(wiki); !slices.Equal(got, both) {
			t.Errorf("the wiki is for %q", got)
		}
		if got := groupsOf(shop); !slices.Equal(got, []string{staff}) {
			t.Errorf("the shop is for %q", got)
		}
		if c, err := h.p.Client(ctx, admin, open); err != nil || c.GroupRestricted || len(c.AllowedGroups) != 0 {
			t.Errorf("a client for everybody is %+v, %v", c, err)
		}
		if a, err := h.p.Audience(ctx, admin, both); err != nil || a.Members != 2 || a.Everybody != 2 {
			t.Errorf("the audience is %+v, %v", a, err)
		}

		nobody := audit.Actor{UserID: ada.ID, Name: "ada", Via: "page"}
		_, listErr := h.p.ClientsOfGroup(ctx, nobody, staff)
		_, countErr := h.p.CountGroupClients(ctx, nobody, []string{staff})
		_, deleteErr := h.p.DeleteGroup(ctx, nobody, staff)
		_, audienceErr := h.p.Audience(ctx, nobody, both)
		for what, err := range map[string]error{"list": listErr, "count": countErr, "delete": deleteErr, "audience": audienceErr,
			"edit": h.p.EditGroupClients(ctx, nobody, staff, nil, []string{wiki})} {
			wants(what, err, audit.ErrNotAdmin)
		}
		wants("a client that is not there", h.p.EditGroupClients(ctx, admin, staff, []string{"nothing"}, []string{wiki}), ErrNoClient)
		wants("a group that is not there", h.p.EditGroupClients(ctx, admin, "nothing", nil, []string{wiki}), directory.ErrNoGroup)
		if got := groupsOf(wiki); !slices.Equal(got, both) {
			t.Errorf("after refusals the wiki is for %q", got)
		}

		// A client whose only group goes is for nobody, and never for everybody.
		g, err := h.p.DeleteGroup(ctx, admin, staff)
		must(t, err)
		if g.Name != "staff" {
			t.Errorf("deleted is %+v", g)
		}
		if c, err := h.p.Client(ctx, admin, shop); err != nil || !c.GroupRestricted || len(c.AllowedGroups) != 0 {
			t.Errorf("the shop is %+v, %v", c, err)
		}
		must(t, h.d.Read(ctx, func(tx *db.Tx) error {
			c, err := clientByID(tx, shop)
			must(t, err)
			for _, u := range []directory.User{ada, bob} {
				if _, err := mayUse(tx, u, c); err == nil {
					t.Errorf("%s may use a client without groups", u.Username)
				}
			}
			var n int
			if err := tx.One([]any{&n}, `SELECT count(*) FROM audit WHERE event = 'client.edited' AND client_id = $1`, shop); err != nil || n != 2 {
				t.Errorf("%d records of the shop, %v", n, err)
			}
			return nil
		}))
		_, err = h.p.DeleteGroup(ctx, admin, staff)
		wants("deleting again", err, directory.ErrNoGroup)
	})
}
