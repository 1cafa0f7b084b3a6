package directory

import (
	"context"
	"slices"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
)

// ErrStale refuses a change by somebody who saw what it changes as it is no more:
// another one was faster, and saving would take their change back unseen.
var ErrStale = fault.New(fault.Conflict, "edited_meanwhile")

// SetGroups makes these the groups that a user is in. Groups that another directory
// owns are not given and not taken away.
func (d *Directory) SetGroups(ctx context.Context, by audit.Actor, userID string, groupIDs []string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return d.setGroups(ctx, by, userID, groupIDs, func([]string) error { return nil })
}

// ReplaceGroups is SetGroups for somebody who saw the user in the groups was, or
// ErrStale.
func (d *Directory) ReplaceGroups(ctx context.Context, by audit.Actor, userID string, was, groupIDs []string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return d.setGroups(ctx, by, userID, groupIDs, func(have []string) error {
		if !slices.Equal(have, slices.Compact(slices.Sorted(slices.Values(was)))) {
			return ErrStale
		}
		return nil
	})
}

// setGroups sets the groups of a user unless check refuses the ids, sorted, of those
// that they are in. Of both, groups of another directory are left out.
func (d *Directory) setGroups(ctx context.Context, by audit.Actor, userID string, groupIDs []string, check func(have []string) error) error {
	return d.db.Write(ctx, func(tx *db.Tx) error { return setGroups(tx, by, userID, groupIDs, check) })
}

// setGroups is the part of the verbs of that name.
func setGroups(tx *db.Tx, by audit.Actor, userID string, groupIDs []string, check func(have []string) error) error {
	if len(groupIDs) > maxGroups {
		return ErrNoGroup
	}
	want := slices.Compact(slices.Sorted(slices.Values(groupIDs)))
	u, err := UserByID(tx, userID)
	if err != nil {
		return err
	}
	if !u.DeletedAt.IsZero() || u.Service() {
		return ErrNoUser
	}
	all, err := GroupsOf(tx, u.ID)
	if err != nil {
		return err
	}
	byID, have, foreign := map[string]Group{}, []string{}, []string{}
	for _, g := range all {
		byID[g.ID] = g
		if g.LDAPID != "" {
			foreign = append(foreign, g.ID)
			continue
		}
		have = append(have, g.ID)
	}
	slices.Sort(have)
	slices.Sort(foreign)
	if err := check(have); err != nil {
		return err
	}
	wanted := without(want, foreign)
	added, removed := without(wanted, have), without(have, wanted)
	for _, id := range added {
		g, err := GroupByID(tx, id)
		if err != nil {
			return err
		}
		if g.LDAPID != "" {
			return ErrGroupManaged
		}
		byID[id] = g
		tx.Do(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, $3)`, id, u.ID, tx.Now().UnixMicro())
	}
	for _, id := range removed {
		tx.Do(`DELETE FROM user_group_members WHERE group_id = $1 AND user_id = $2`, id, u.ID)
	}
	if len(added)+len(removed) == 0 {
		return nil
	}
	names := func(ids []string) map[string]any {
		list := []string{}
		for _, id := range ids {
			list = append(list, byID[id].Name)
		}
		slices.Sort(list)
		return map[string]any{"groups": list}
	}
	for _, id := range slices.Concat(added, removed) {
		countMembers(tx, id)
		jobs.Publish(tx, "group.changed", id)
	}
	audit.Record(tx, by, audit.Event{Name: audit.UserGroupsEdited, Object: object(&u), User: u.ID, Before: names(have), After: names(wanted)})
	jobs.Publish(tx, "user.changed", u.ID)
	return nil
}

// GroupChoices are the groups that somebody can be put into, by name, at most limit.
func (d *Directory) GroupChoices(ctx context.Context, by audit.Actor, limit int) (groups []Group, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		groups, err = db.All(tx, (*Group).fields, `SELECT `+groupColumns+` FROM user_groups WHERE ldap_id IS NULL
			ORDER BY name_key NULLS LAST, id LIMIT $1`, min(max(limit, 1), maxGroups))
		return err
	})
	return groups, err
}

// FindGroups are the groups that somebody can be put into and whose names have words that
// begin with those of a search, at most limit.
func (d *Directory) FindGroups(ctx context.Context, by audit.Actor, search string, limit int) (groups []Group, err error) {
	found, err := d.ListGroups(ctx, by, GroupFilter{Search: search, Limit: limit})
	for _, g := range found.Rows {
		if g.LDAPID == "" {
			groups = append(groups, Group{ID: g.ID, Name: g.Name, FriendlyName: g.FriendlyName, Members: g.Members})
		}
	}
	return groups, err
}
