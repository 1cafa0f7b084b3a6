package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
)

// ErrTooManyMembers refuses more members than a group can have.
var ErrTooManyMembers = fault.New(fault.Invalid, "group_members_too_many").At("members").With("max", strconv.Itoa(maxMembers))

const (
	// maxMembers bounds the members of a group.
	maxMembers = 200_000
	// maxRecorded bounds the names of members that one record of the log keeps.
	maxRecorded = 1000
)

// AddMembers puts users into a group. Those who are in it already stay.
func (d *Directory) AddMembers(ctx context.Context, by audit.Actor, groupID string, userIDs []string) error {
	return d.changeMembers(ctx, by, groupID, func(*db.Tx) (added, removed []string, err error) { return userIDs, nil, nil })
}

// RemoveMembers takes users out of a group. Those who are not in it stay out.
func (d *Directory) RemoveMembers(ctx context.Context, by audit.Actor, groupID string, userIDs []string) error {
	return d.changeMembers(ctx, by, groupID, func(*db.Tx) (added, removed []string, err error) { return nil, userIDs, nil })
}

// SetMembers makes exactly these users the members of a group.
func (d *Directory) SetMembers(ctx context.Context, by audit.Actor, groupID string, userIDs []string) error {
	if len(userIDs) > maxMembers {
		return ErrTooManyMembers
	}
	want := slices.Compact(slices.Sorted(slices.Values(userIDs)))
	return d.changeMembers(ctx, by, groupID, func(tx *db.Tx) (added, removed []string, err error) {
		have, err := db.All(tx, func(id *string) []any { return []any{id} },
			`SELECT user_id FROM user_group_members WHERE group_id = $1 ORDER BY user_id NULLS LAST LIMIT $2`, groupID, maxMembers+1)
		if err == nil && len(have) > maxMembers {
			err = ErrTooManyMembers
		}
		return without(want, have), without(have, want), err
	})
}

// changeMembers adds and removes the members that fn names, and records what changed.
// The gate asks for the rows themselves, so a member who is taken out is refused from
// the commit on.
func (d *Directory) changeMembers(ctx context.Context, by audit.Actor, groupID string, fn func(*db.Tx) (added, removed []string, err error)) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		g, err := GroupByID(tx, groupID)
		if err != nil {
			return err
		}
		if g.LDAPID != "" {
			return ErrGroupManaged
		}
		add, remove, err := fn(tx)
		if err != nil {
			return err
		}
		if g.Members+len(add) > maxMembers+len(remove) {
			return ErrTooManyMembers
		}
		var added, removed []*User
		for _, id := range add {
			u, err := UserByID(tx, id)
			if err != nil {
				return err
			}
			if !u.DeletedAt.IsZero() || u.Service() {
				return ErrNoUser
			}
			n, err := tx.Exec(`INSERT INTO user_group_members (group_id, user_id, added_at) VALUES ($1, $2, $3)
				ON CONFLICT (group_id, user_id) DO NOTHING`, groupID, id, tx.Now().UnixMicro())
			if err != nil {
				return err
			}
			if n > 0 {
				added = append(added, &u)
			}
		}
		for _, id := range remove {
			n, err := tx.Exec(`DELETE FROM user_group_members WHERE group_id = $1 AND user_id = $2`, groupID, id)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			u, err := UserByID(tx, id)
			if err != nil {
				return err
			}
			removed = append(removed, &u)
		}
		changed := slices.Concat(added, removed)
		if len(changed) == 0 {
			return nil
		}
		countMembers(tx, groupID)
		before, after := map[string]any{"members": g.Members}, map[string]any{"members": g.Members + len(added) - len(removed)}
		if len(removed) > 0 {
			before["removed"] = names(removed)
		}
		if len(added) > 0 {
			after["added"] = names(added)
		}
		event := audit.Event{Name: audit.GroupMembersEdited, Object: groupObject(&g), Before: before, After: after}
		if len(changed) == 1 {
			event.User = changed[0].ID
		}
		audit.Record(tx, by, event)
		for _, u := range changed {
			jobs.Publish(tx, "user.changed", u.ID)
		}
		jobs.Publish(tx, "group.changed", groupID)
		return nil
	})
}

// countMembers writes down how many members a group has.
func countMembers(tx *db.Tx, groupID string) {
	tx.Do(`UPDATE user_groups SET updated_at = $2, members = (SELECT count(*) FROM user_group_members m WHERE m.group_id = user_groups.id)
		WHERE id = $1`, groupID, tx.Now().UnixMicro())
}

// leaveGroups takes a user out of every group, so that nobody counts who is gone.
func leaveGroups(tx *db.Tx, userID string) error {
	ids, err := db.All(tx, func(id *string) []any { return []any{id} },
		`DELETE FROM user_group_members WHERE user_id = $1 RETURNING group_id`, userID)
	for _, id := range ids {
		countMembers(tx, id)
		jobs.Publish(tx, "group.changed", id)
	}
	return err
}

// names are the names of users for the log, as many as a record keeps.
func names(users []*User) []string {
	out := make([]string, 0, min(len(users), maxRecorded))
	for _, u := range users[:min(len(users), maxRecorded)] {
		out = append(out, u.Username)
	}
	slices.Sort(out)
	return out
}

// memberNames are the names of members of a group, as many as a record keeps.
func memberNames(tx *db.Tx, groupID string) ([]string, error) {
	return db.All(tx, func(name *string) []any { return []any{name} }, `SELECT username FROM users
		WHERE id IN (SELECT user_id FROM user_group_members WHERE group_id = $1 ORDER BY user_id LIMIT `+strconv.Itoa(maxRecorded)+`)
		ORDER BY username_key NULLS LAST LIMIT `+strconv.Itoa(maxRecorded), groupID)
}

// without are the members of a that are not in b; both are sorted.
func without(a, b []string) []string {
	out := []string{}
	for _, s := range a {
		if _, found := slices.BinarySearchFunc(b, s, strings.Compare); !found {
			out = append(out, s)
		}
	}
	return out
}
