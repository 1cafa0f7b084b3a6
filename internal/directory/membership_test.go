package directory

import (
	"slices"
	"sync"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// names are those of the groups that a user is in.
func (b *book) names(u User) []string {
	b.t.Helper()
	groups, err := b.Groups(b.t.Context(), u.ID)
	must(b.t, err)
	names := []string{}
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names
}

// group makes a group and returns its id.
func (b *book) group(name string) string {
	b.t.Helper()
	g, err := b.AddGroup(b.t.Context(), root, GroupEdit{Name: name, FriendlyName: name})
	must(b.t, err)
	return g.ID
}

func TestSetGroups(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		boss, ada := b.admin("boss"), b.user("ada")
		ops, design, data, foreign, other := b.group("ops"), b.group("design"), b.group("data"), b.group("foreign"), b.group("other")
		b.write(func(tx *db.Tx) error {
			tx.Do(`UPDATE user_groups SET ldap_id = name WHERE id IN ($1, $2)`, foreign, other)
			tx.Do(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, 1)`, foreign, ada.ID)
			return nil
		})
		set := func(by audit.Actor, ids ...string) error { return b.SetGroups(t.Context(), by, ada.ID, ids) }
		has := func(when string, want ...string) {
			t.Helper()
			if got := b.names(ada); !slices.Equal(got, want) {
				t.Errorf("%s: the groups are %q, want %q", when, got, want)
			}
		}
		wants(t, "by nobody special", set(as(ada), ops), audit.ErrNotAdmin)
		must(t, set(as(boss), ops, design, ops))
		has("after two", "design", "foreign", "ops")
		n := b.count(`SELECT count(*) FROM audit`)
		must(t, set(as(boss), design, ops, foreign))
		if got := b.count(`SELECT count(*) FROM audit`); got != n {
			t.Error("a change that changes nothing is recorded")
		}
		wants(t, "a group of another directory", set(as(boss), data, other), ErrGroupManaged)
		wants(t, "a group that is not there", set(as(boss), data, "x"), ErrNoGroup)
		wants(t, "too many", set(as(boss), make([]string, maxGroups+1)...), ErrNoGroup)
		has("after refusals", "design", "foreign", "ops")
		time.Sleep(time.Second)
		must(t, set(as(boss), data, ops))
		has("after a change", "data", "foreign", "ops")
		var before, after string
		b.write(func(tx *db.Tx) error {
			return tx.One([]any{&before, &after}, `SELECT before, after FROM audit WHERE event = 'user.groups_edited' AND user_id = $1 AND actor_id = $2
				ORDER BY at DESC, id LIMIT 1`, ada.ID, boss.ID)
		})
		if before != `{"groups":["design","ops"]}` || after != `{"groups":["data","ops"]}` {
			t.Errorf("the log has %s and %s", before, after)
		}
		time.Sleep(time.Second)
		must(t, set(as(boss)))
		has("after none", "foreign")
		if n := b.count(`SELECT count(*) FROM audit WHERE event = 'user.groups_edited'`); n != 3 {
			t.Errorf("%d changes are recorded", n)
		}
		must(t, b.Delete(t.Context(), root, ada.ID))
		wants(t, "of somebody deleted", set(as(boss), ops), ErrNoUser)
		wants(t, "of nobody", b.SetGroups(t.Context(), as(boss), "x", nil), ErrNoUser)
	})
}

// What one administrator saved, another who did not see it does not take back.
func TestNobodyOverwritesWhatTheyHaveNotSeen(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		boss, ada := b.admin("boss"), b.user("ada")
		was := ada.Edit()
		first, second := was, was
		first.FirstName, second.LastName = "Ada", "Lovelace"
		_, err := b.ReviseUser(t.Context(), as(boss), ada.ID, was, first)
		must(t, err)
		_, err = b.ReviseUser(t.Context(), as(boss), ada.ID, was, second)
		wants(t, "saving over somebody else", err, ErrStale)
		u, err := b.User(t.Context(), ada.ID)
		must(t, err)
		if u.FirstName != "Ada" || u.LastName != "" {
			t.Errorf("the name is %q %q", u.FirstName, u.LastName)
		}
		second = u.Edit()
		second.LastName, second.ExpiresAt = "Lovelace", time.Now().Add(time.Hour)
		u, err = b.ReviseUser(t.Context(), as(boss), ada.ID, u.Edit(), second)
		must(t, err)
		_, err = b.ReviseUser(t.Context(), as(boss), ada.ID, second, was)
		must(t, err)
		_, err = b.ReviseUser(t.Context(), as(ada), ada.ID, was, was)
		wants(t, "by nobody special", err, audit.ErrNotAdmin)

		claims := map[string]any{"team": "ops", "level": 2.0}
		_, err = b.ReplaceClaims(t.Context(), as(boss), ada.ID, nil, claims)
		must(t, err)
		_, err = b.ReplaceClaims(t.Context(), as(boss), ada.ID, nil, map[string]any{"x": "y"})
		wants(t, "claims over those of somebody else", err, ErrStale)
		_, err = b.ReplaceClaims(t.Context(), as(boss), ada.ID, claims, nil)
		must(t, err)
		_, err = b.ReplaceClaims(t.Context(), as(boss), ada.ID, map[string]any{}, claims)
		must(t, err)

		ops, design := b.group("ops"), b.group("design")
		must(t, b.ReplaceGroups(t.Context(), as(boss), ada.ID, nil, []string{ops}))
		wants(t, "groups over those of somebody else", b.ReplaceGroups(t.Context(), as(boss), ada.ID, nil, []string{design}), ErrStale)
		must(t, b.ReplaceGroups(t.Context(), as(boss), ada.ID, []string{ops}, []string{design}))
		if got := b.names(ada); !slices.Equal(got, []string{"design"}) {
			t.Errorf("the groups are %q", got)
		}
	})
}

// Of two who save at once, one hears of the other.
func TestTwoSaveAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		boss, ada := b.admin("boss"), b.user("ada")
		was := ada.Edit()
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			edit := was
			edit.FirstName = string(rune('A' + i))
			all.Go(func() { _, errs[i] = b.ReviseUser(t.Context(), as(boss), ada.ID, was, edit) })
		}
		all.Wait()
		saved := 0
		for _, err := range errs {
			if err == nil {
				saved++
				continue
			}
			wants(t, "the slower one", err, ErrStale)
		}
		if saved != 1 {
			t.Errorf("%d have saved", saved)
		}
	})
}

// threats 56
func TestLastAdmin(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		boss, ada := b.admin("boss"), b.user("ada")
		is := func(u User) bool {
			last, err := b.LastAdmin(t.Context(), u.ID)
			must(t, err)
			return last
		}
		if !is(boss) || is(ada) {
			t.Error("the last administrator is not known")
		}
		edit := boss.Edit()
		edit.Admin = false
		_, err := b.EditUser(t.Context(), as(boss), boss.ID, edit)
		wants(t, "demoting the last one", err, ErrLastAdmin)
		b.admin("carol")
		if is(boss) {
			t.Error("there is another one")
		}
		_, err = b.EditUser(t.Context(), as(boss), boss.ID, edit)
		must(t, err)
	})
}
