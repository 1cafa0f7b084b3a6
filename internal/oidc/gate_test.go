package oidc

import (
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
)

// threats 3, 62: groups are compared by id, never by name.
func TestMayUse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		group := func(name string, members ...string) string {
			g, err := h.dir.AddGroup(t.Context(), admin, directory.GroupEdit{Name: name, FriendlyName: name})
			must(t, err)
			must(t, h.dir.SetMembers(t.Context(), admin, g.ID, members))
			return g.ID
		}
		ada, bob := h.user("ada"), h.user("bob")
		staff, other, empty := group("staff", ada.ID), group("staff-2", bob.ID), group("empty")
		past := time.Now().Add(-time.Hour)
		disabled, deleted, expired := ada, ada, ada
		disabled.DisabledAt, deleted.DeletedAt, expired.ExpiresAt = past, past, past
		for _, row := range []struct {
			name   string
			user   directory.User
			client Client
			want   *fault.Error
		}{
			{"lets anybody use a client without groups", ada, Client{}, nil},
			{"minds no groups where they do not restrict", bob, Client{ClientEdit: ClientEdit{AllowedGroups: []string{staff}}}, nil},
			{"lets a member in", ada, Client{ClientEdit: ClientEdit{GroupRestricted: true, AllowedGroups: []string{empty, staff}}}, nil},
			{"refuses who is in another group", bob, Client{ClientEdit: ClientEdit{GroupRestricted: true, AllowedGroups: []string{staff}}}, errNotInGroup},
			{"refuses everybody where there is no group", ada, Client{ClientEdit: ClientEdit{GroupRestricted: true}}, errNotInGroup},
			{"refuses everybody where the group is empty", ada, Client{ClientEdit: ClientEdit{GroupRestricted: true, AllowedGroups: []string{empty}}}, errNotInGroup},
			{"knows groups by id and not by name", ada, Client{ClientEdit: ClientEdit{GroupRestricted: true, AllowedGroups: []string{"staff"}}}, errNotInGroup},
			{"knows no group by the beginning of its id", ada, Client{ClientEdit: ClientEdit{GroupRestricted: true, AllowedGroups: []string{staff[:8]}}}, errNotInGroup},
			{"knows no group by the beginning of its name", bob, Client{ClientEdit: ClientEdit{GroupRestricted: true, AllowedGroups: []string{staff, other[:8]}}}, errNotInGroup},
			{"refuses a disabled user", disabled, Client{}, directory.ErrDisabled},
			{"refuses a disabled member", disabled, Client{ClientEdit: ClientEdit{GroupRestricted: true, AllowedGroups: []string{staff}}}, directory.ErrDisabled},
			{"refuses an expired user", expired, Client{}, directory.ErrExpired},
			{"refuses a deleted user", deleted, Client{}, directory.ErrNoUser},
			{"refuses nobody", directory.User{}, Client{}, directory.ErrNoUser},
			{"refuses a disabled client", ada, Client{DisabledAt: past}, errClientDisabled},
			{"refuses a deleted client", ada, Client{DeletedAt: past}, errClientDisabled},
		} {
			inRow(t, row.name, func() {
				must(t, h.d.Read(h.t.Context(), func(tx *db.Tx) error {
					got, err := mayUse(tx, row.user, &row.client)
					if (got.client == nil) != (err != nil) || err == nil && got.user.ID != row.user.ID {
						t.Errorf("got the pass %+v with %v", got, err)
					}
					if row.want == nil && err != nil || row.want != nil && fault.Of(err).Code != row.want.Code {
						t.Errorf("got %v, want %v", err, row.want)
					}
					return nil
				}))
			})
		}
	})
}
