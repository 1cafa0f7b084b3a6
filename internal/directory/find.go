package directory

import (
	"context"
	"errors"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// ErrSeveral refuses a name that several have, where one is meant.
var ErrSeveral = fault.New(fault.Conflict, "name_of_several")

// Find reads who is meant by an id, a username or an e-mail address, for administrators.
// An id counts first, because nobody can take the one of somebody else for a name.
func (d *Directory) Find(ctx context.Context, by audit.Actor, meant string) (u User, err error) {
	if err := by.MustAdmin(); err != nil {
		return User{}, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		if meant == "" || !isText(meant) {
			return ErrNoUser
		}
		if u, err = UserByID(tx, strings.ToLower(strings.TrimSpace(meant))); errors.Is(err, ErrNoUser) || !u.DeletedAt.IsZero() {
			u, err = UserByName(tx, meant)
		}
		return err
	})
	return u, err
}

// FindGroup reads the group that is meant by an id or by either of its names, for
// administrators. The name that people see is that of one group, or it is ErrSeveral.
func (d *Directory) FindGroup(ctx context.Context, by audit.Actor, meant string) (g Group, err error) {
	if err := by.MustAdmin(); err != nil {
		return Group{}, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		if meant == "" || !isText(meant) {
			return ErrNoGroup
		}
		found, err := db.All(tx, (*Group).fields, `SELECT `+groupColumns+` FROM user_groups WHERE id = $1 OR name_key = $2 OR friendly_key = $2
			ORDER BY CASE WHEN id = $1 THEN 0 WHEN name_key = $2 THEN 1 ELSE 2 END, id NULLS LAST LIMIT 2`, strings.TrimSpace(meant), Fold(strings.TrimSpace(meant)))
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return ErrNoGroup
		case len(found) > 1 && found[0].ID != meant && Fold(found[0].Name) != Fold(strings.TrimSpace(meant)):
			return ErrSeveral.With("name", meant)
		}
		g = found[0]
		return nil
	})
	return g, err
}

// UsersWithGroups reads users who are not deleted, with their groups, in the order of ids.
// Who is not there is left out.
func (d *Directory) UsersWithGroups(ctx context.Context, by audit.Actor, ids []string) (list []QueriedUser, err error) {
	users, err := d.UsersByID(ctx, by, ids)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		list = nil
		groups, err := groupsOfAll(tx, users)
		for _, u := range users {
			list = append(list, QueriedUser{u, groups[u.ID]})
		}
		return err
	})
	return list, err
}

// isText says whether a database takes s for a text.
func isText(s string) bool {
	return strings.ToValidUTF8(s, "") == s && !strings.Contains(s, "\x00")
}
