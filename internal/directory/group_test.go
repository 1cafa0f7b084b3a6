package directory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// staffed makes a group with members.
func (b *book) staffed(name string, members ...string) Group {
	b.t.Helper()
	g, err := b.AddGroup(b.t.Context(), root, GroupEdit{Name: name, FriendlyName: strings.ToUpper(name[:1]) + name[1:]})
	must(b.t, err)
	must(b.t, b.AddMembers(b.t.Context(), root, g.ID, members))
	return g
}

// text is a part of a record as it is stored.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// size is how many members a group says that it has, which has to be true.
func (b *book) size(id string) int {
	b.t.Helper()
	g, err := b.Group(b.t.Context(), root, id)
	must(b.t, err)
	if n := b.count(`SELECT count(*) FROM user_group_members WHERE group_id = $1`, id); n != g.Members {
		b.t.Errorf("%s has %d members and says %d", g.Name, n, g.Members)
	}
	return g.Members
}

func TestGroupsAreForAdministrators(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		b.admin("root")
		ada := b.user("ada")
		g := b.staffed("staff", ada.ID)
		by := as(ada)
		ctx := t.Context()
		for name, deed := range map[string]func() error{
			"listing": func() error { _, err := b.ListGroups(ctx, by, GroupFilter{}); return err },
			"reading": func() error { _, err := b.Group(ctx, by, g.ID); return err },
			"making":  func() error { _, err := b.AddGroup(ctx, by, GroupEdit{Name: "mine", FriendlyName: "Mine"}); return err },
			"editing": func() error {
				_, err := b.EditGroup(ctx, by, g.ID, GroupEdit{Name: "mine", FriendlyName: "Mine"})
				return err
			},
			"malformed":      func() error { _, err := b.EditGroup(ctx, by, g.ID, GroupEdit{}); return err },
			"claims":         func() error { _, err := b.SetGroupClaims(ctx, by, g.ID, map[string]any{"a": "b"}); return err },
			"members":        func() error { _, err := b.Members(ctx, by, g.ID, MemberFilter{}); return err },
			"candidates":     func() error { _, _, err := b.Candidates(ctx, by, g.ID, "a", 1); return err },
			"adding members": func() error { return b.AddMembers(ctx, by, g.ID, []string{ada.ID}) },
			"taking members": func() error { return b.RemoveMembers(ctx, by, g.ID, []string{ada.ID}) },
			"setting":        func() error { return b.SetMembers(ctx, by, g.ID, nil) },
			"removing": func() error {
				return b.db.Write(ctx, func(tx *db.Tx) error { _, err := RemoveGroup(tx, by, g.ID); return err })
			},
		} {
			wants(t, name, deed(), audit.ErrNotAdmin)
		}
		if got, err := b.Group(ctx, root, g.ID); err != nil || got.Name != "staff" || len(got.Claims) != 0 || b.size(g.ID) != 1 {
			t.Errorf("the group is %+v, %v", got, err)
		}
	})
}

func TestEditGroup(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.user("ada")
		staff, other := b.staffed("staff", ada.ID), b.staffed("other")
		for _, tt := range []struct {
			name string
			e    GroupEdit
			want error
		}{
			{"takes a name in other letters of another group", GroupEdit{Name: "OTHER", FriendlyName: "Staff"}, ErrGroupNameTaken},
			{"takes a short name", GroupEdit{Name: "s", FriendlyName: "Staff"}, ErrGroupName},
			{"takes no name people see", GroupEdit{Name: "staff"}, ErrGroupFriendlyName},
			{"takes a name of control characters", GroupEdit{Name: "st\x00aff", FriendlyName: "Staff"}, ErrNameUnprintable},
		} {
			_, err := b.EditGroup(t.Context(), root, staff.ID, tt.e)
			wants(t, tt.name, err, tt.want)
		}
		_, err := b.SetGroupClaims(t.Context(), root, staff.ID, map[string]any{"floor": 2.0})
		must(t, err)
		time.Sleep(time.Second)
		g, err := b.EditGroup(t.Context(), root, staff.ID, GroupEdit{Name: "Crew", FriendlyName: " The crew ", Claims: map[string]any{"not": "looked at"}})
		must(t, err)
		if g.Name != "Crew" || g.FriendlyName != "The crew" || g.Claims["floor"] != 2.0 || len(g.Claims) != 1 || g.Members != 1 || !g.UpdatedAt.After(g.CreatedAt) {
			t.Errorf("the group is %+v", g)
		}
		_, err = b.EditGroup(t.Context(), root, staff.ID, GroupEdit{Name: "Crew", FriendlyName: "The crew"})
		must(t, err)
		if r := b.records("group.edited"); len(r) != 1 || !strings.Contains(text(r[0].before), `"staff"`) || !strings.Contains(text(r[0].after), `"Crew"`) || strings.Contains(text(r[0].after), "floor") {
			t.Errorf("the records are %+v", r)
		}
		if r := b.records("group.claims_edited"); len(r) != 1 || !strings.Contains(text(r[0].after), `"floor":2`) {
			t.Errorf("the records are %+v", r)
		}
		_, err = b.SetGroupClaims(t.Context(), root, other.ID, map[string]any{"SUB": "x"})
		wants(t, "a reserved claim", err, ErrReservedClaim)
		_, err = b.EditGroup(t.Context(), root, "nobody", GroupEdit{Name: "Crew", FriendlyName: "The crew"})
		wants(t, "a group that is not there", err, ErrNoGroup)
	})
}

// What another directory owns is changed there, but for its claims.
func TestManagedGroup(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.user("ada")
		g := b.staffed("staff", ada.ID)
		b.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE user_groups SET ldap_id = 'cn=staff' WHERE id = $1`, g.ID)
			return nil
		})
		_, err := b.EditGroup(t.Context(), root, g.ID, GroupEdit{Name: "crew", FriendlyName: "Crew"})
		wants(t, "its names", err, ErrGroupManaged)
		wants(t, "its members", b.RemoveMembers(t.Context(), root, g.ID, []string{ada.ID}), ErrGroupManaged)
		wants(t, "itself", b.db.Write(t.Context(), func(tx *db.Tx) error { _, err := RemoveGroup(tx, root, g.ID); return err }), ErrGroupManaged)
		_, err = b.SetGroupClaims(t.Context(), root, g.ID, map[string]any{"a": "b"})
		must(t, err)
	})
}

func TestMembersComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		b.admin("root")
		ada, bob, eve := b.user("ada"), b.user("bob"), b.user("eve")
		g := b.staffed("staff", ada.ID)
		time.Sleep(time.Second)
		must(t, b.AddMembers(t.Context(), root, g.ID, []string{ada.ID, bob.ID, bob.ID}))
		if n := b.size(g.ID); n != 2 {
			t.Errorf("%d members", n)
		}
		records := b.records("group.members_edited")
		if len(records) != 2 || strings.Contains(text(records[1].after), `"ada"`) || !strings.Contains(text(records[1].after), `"bob"`) {
			t.Errorf("the records are %+v", records)
		}
		must(t, b.RemoveMembers(t.Context(), root, g.ID, []string{eve.ID}))
		if n := len(b.records("group.members_edited")); n != 2 {
			t.Errorf("taking out who is not in it made a record")
		}
		time.Sleep(time.Second)
		must(t, b.RemoveMembers(t.Context(), root, g.ID, []string{ada.ID}))
		if r := b.records("group.members_edited"); len(r) != 3 || !strings.Contains(text(r[2].before), `"ada"`) || b.size(g.ID) != 1 {
			t.Errorf("the records are %+v", r)
		}
		wants(t, "somebody who is not there", b.AddMembers(t.Context(), root, g.ID, []string{eve.ID, "nobody"}), ErrNoUser)
		if n := b.size(g.ID); n != 1 {
			t.Errorf("a refusal left %d members", n)
		}
		must(t, b.SetGroups(t.Context(), root, eve.ID, []string{g.ID}))
		if n := b.size(g.ID); n != 2 {
			t.Errorf("by the groups of a user: %d members", n)
		}
		late := b.make(NewUser{Username: "late", Email: "late@example.org", Groups: []string{g.ID}})
		if n := b.size(g.ID); n != 3 {
			t.Errorf("with a new user: %d members", n)
		}
		must(t, b.Delete(t.Context(), root, late.ID))
		if n := b.size(g.ID); n != 2 {
			t.Errorf("without one who was deleted: %d members", n)
		}
		must(t, b.SetMembers(t.Context(), root, g.ID, []string{ada.ID}))
		if n := b.size(g.ID); n != 1 || b.published("user.changed", eve.ID) == 0 {
			t.Errorf("as set: %d members", n)
		}
	})
}

func TestRemoveGroup(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.user("ada")
		g := b.staffed("staff", ada.ID)
		b.write(func(tx *db.Tx) error { _, err := RemoveGroup(tx, root, g.ID); return err })
		if n := b.count(`SELECT (SELECT count(*) FROM user_groups) + (SELECT count(*) FROM user_group_members)`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		if r := b.records("group.deleted"); len(r) != 1 || !strings.Contains(text(r[0].before), `"ada"`) {
			t.Errorf("the records are %+v", r)
		}
		if b.published("group.changed", g.ID) < 2 {
			t.Error("nobody hears of it")
		}
	})
}

func TestGroupNameOf(t *testing.T) {
	for friendly, want := range map[string]string{
		"Grafana editors": "grafana_editors", "  On-call (EU) ": "on_call_eu", "Équipe": "équipe", "数据 团队": "数据_团队", "!!": "", "A  B": "a_b",
	} {
		if got := GroupNameOf(friendly); got != want {
			t.Errorf("%q: got %q, want %q", friendly, got, want)
		}
	}
}

// threats 75, 80
func TestListGroups(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada, bob := b.user("ada"), b.user("bob")
		add := func(name, friendly string, members ...string) {
			g, err := b.AddGroup(t.Context(), root, GroupEdit{Name: name, FriendlyName: friendly})
			must(t, err)
			must(t, b.AddMembers(t.Context(), root, g.ID, members))
			time.Sleep(time.Second)
		}
		add("zebra_keepers", "Keepers of zebras", ada.ID)
		add("100%_sure", "Äpfel")
		add("ops", "operations", ada.ID, bob.ID)
		add("data-team", "数据团队")
		names := func(f GroupFilter) (out []string) {
			t.Helper()
			for range 10 {
				page, err := b.ListGroups(t.Context(), root, f)
				must(t, err)
				if f.Limit > 0 && len(page.Rows) > f.Limit {
					t.Errorf("%d rows of %d", len(page.Rows), f.Limit)
				}
				for _, g := range page.Rows {
					out = append(out, g.Name)
				}
				if f.After = page.Next; f.After == "" {
					return out
				}
			}
			t.Fatal("the pages have no end")
			return nil
		}
		byName := []string{"zebra_keepers", "ops", "100%_sure", "data-team"}
		reversed := slices.Clone(byName)
		slices.Reverse(reversed)
		for _, tt := range []struct {
			name string
			f    GroupFilter
			want []string
		}{
			{"sorts by the names that people see", GroupFilter{}, byName},
			{"sorts so where the order is none", GroupFilter{Sort: "id; DROP TABLE users"}, byName},
			{"turns the order round", GroupFilter{Sort: "-friendly_name"}, reversed},
			{"sorts by the names that clients get", GroupFilter{Sort: GroupsByName}, []string{"100%_sure", "data-team", "ops", "zebra_keepers"}},
			{"sorts by members", GroupFilter{Sort: GroupsByMembers.Turned()}, []string{"ops", "zebra_keepers"}},
			{"sorts by age", GroupFilter{Sort: GroupsByCreation}, []string{"zebra_keepers", "100%_sure", "ops", "data-team"}},
			{"finds the beginning of a word", GroupFilter{Search: "ZEB"}, []string{"zebra_keepers"}},
			{"finds a word behind an underscore", GroupFilter{Search: "keep zebra"}, []string{"zebra_keepers"}},
			{"finds a word behind a hyphen", GroupFilter{Search: "team"}, []string{"data-team"}},
			{"finds what is in the middle of Chinese", GroupFilter{Search: "团队"}, []string{"data-team"}},
			{"folds what it looks for", GroupFilter{Search: "äPF"}, []string{"100%_sure"}},
			{"takes a sign of LIKE as it stands", GroupFilter{Search: "100%_"}, nil},
			{"does not find the middle of a word", GroupFilter{Search: "ebra"}, nil},
			{"finds nothing by a quote", GroupFilter{Search: "' OR 1=1 --"}, nil},
		} {
			for _, limit := range []int{0, 1, 2} {
				f := tt.f
				f.Limit = limit
				got := names(f)
				if tt.f.Sort == GroupsByMembers.Turned() {
					got = got[:2]
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("it %s, %d a page: got %q, want %q", tt.name, limit, got, tt.want)
				}
			}
		}
		for _, after := range []string{"x", " ", "\x00 y", "\xff", "nobody zzz"} {
			if _, err := b.ListGroups(t.Context(), root, GroupFilter{After: after, Sort: GroupsByMembers}); err != nil {
				t.Errorf("after %q: %v", after, err)
			}
		}
		page, err := b.ListGroups(t.Context(), root, GroupFilter{Limit: 1})
		if err != nil || page.Total != 4 {
			t.Errorf("there are %d, %v", page.Total, err)
		}
	})
}

// The same people are found, and in the same order, whether they are few or many.
// threats 75, 80
func TestMembersInPages(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		var ids, in []string
		for i := range 12 {
			u := b.make(NewUser{Username: fmt.Sprintf("user%02d", i), FirstName: string(rune('A' + i%5)), LastName: fmt.Sprintf("Name%02d", 11-i), Email: fmt.Sprintf("u%d@example.org", i)})
			ids = append(ids, u.ID)
			if i%2 == 0 {
				in = append(in, u.ID)
			}
		}
		g, other := b.staffed("staff", in...), b.staffed("other", ids...)
		all := func(g Group, f MemberFilter) (out []string, total int) {
			t.Helper()
			for range 20 {
				page, err := b.Members(t.Context(), root, g.ID, f)
				must(t, err)
				total = page.Total
				for _, m := range page.Rows {
					out = append(out, m.Name)
				}
				if f.After = page.Next; f.After == "" {
					return out, total
				}
			}
			t.Fatal("the pages have no end")
			return nil, 0
		}
		defer func(few, along int) { fewPeople, walkAlong = few, along }(fewPeople, walkAlong)
		for _, few := range []int{2000, 0, -1} {
			if fewPeople = max(few, 0); few < 0 {
				walkAlong = 3 // a walk that leaves off before the page is full
			}
			for _, limit := range []int{0, 1, 5} {
				for _, tt := range []struct {
					name   string
					g      Group
					search string
					want   []string
				}{
					{"lists them by name", g, "", []string{"A Name01", "A Name11", "B Name05", "C Name09", "D Name03", "E Name07"}},
					{"finds by last name", g, "name0", []string{"A Name01", "B Name05", "C Name09", "D Name03", "E Name07"}},
					{"finds by several words in any order", g, "name0 a", []string{"A Name01"}},
					{"finds by address", g, "U4@EXAMPLE", []string{"E Name07"}},
					{"finds nobody of another group", g, "user01", nil},
					{"takes signs of LIKE as they stand", g, "%", nil},
					{"lists a group of all", other, "b", []string{"B Name00", "B Name05", "B Name10"}},
				} {
					got, total := all(tt.g, MemberFilter{Search: tt.search, Limit: limit})
					if !slices.Equal(got, tt.want) || total != len(tt.want) {
						t.Errorf("it %s (%d are few, %d a page): got %d %q, want %q", tt.name, few, limit, total, got, tt.want)
					}
				}
			}
			found, more, err := b.Candidates(t.Context(), root, g.ID, "name0", 3)
			if err != nil || !more || len(found) != 3 || found[0].Name != "A Name01" || !found[0].In || found[1].Name != "A Name06" || found[1].In {
				t.Errorf("those who can be added: %+v %v %v", found, more, err)
			}
			if found, more, err = b.Candidates(t.Context(), root, g.ID, " ", 2); err != nil || more || len(found) != 0 {
				t.Errorf("without a search: %+v %v %v", found, more, err)
			}
		}
		_, err := b.Members(t.Context(), root, "x", MemberFilter{})
		wants(t, "a group that is not there", err, ErrNoGroup)
		must(t, b.db.Read(t.Context(), func(tx *db.Tx) error {
			everybody, err := CountActive(tx)
			must(t, err)
			both, err := CountActiveMembers(tx, []string{g.ID, other.ID})
			if everybody != 12 || both != 12 {
				t.Errorf("%d people, %d members", everybody, both)
			}
			return err
		}))
	})
}
