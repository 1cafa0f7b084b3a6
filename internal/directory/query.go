package directory

import (
	"context"
	"strconv"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// A Query asks for a page of a list as programs do: by its number, with all that there
// are counted, and a search for what stands anywhere in a name. That reads every row, so
// pages have lists of their own.
type Query struct {
	Search string
	// Sort is a column of the list; another one is the order in which things were made.
	Sort string
	Down bool
	// Filters are values of columns: one of those of a column, for each column.
	Filters       map[string][]string
	Offset, Limit int

	group string // of users: the id of a group that they are in
}

// A QueriedUser is a user of such a list.
type QueriedUser struct {
	User
	Groups []Group
}

// contains is the pattern of what has s in it.
func contains(s string) string { return "%" + likeEscape.Replace(Fold(s)) + "%" }

// order ends a statement.
func (q Query) order(s *statement, columns map[string]string) {
	column, ok := columns[q.Sort]
	if !ok {
		column = `created_at`
	}
	way := ``
	if q.Down {
		way = ` DESC`
	}
	s.WriteString(` ORDER BY ` + column + way + ` NULLS LAST, id` + way + ` NULLS LAST LIMIT ` + strconv.Itoa(rows(q.Limit)) + ` OFFSET ` + strconv.Itoa(max(q.Offset, 0)))
}

var queryUserColumns = map[string]string{"username": `username_key`, "email": `email_key`, "emailVerified": `email_verified`, "firstName": `first_name`,
	"lastName": `last_name`, "displayName": `display_key`, "isAdmin": `admin`, "disabled": `(disabled_at IS NOT NULL)`, "createdAt": `created_at`}

// queryUserFilters are the conditions of the values that each filter has.
var queryUserFilters = map[string]map[string]string{"emailVerified": truth(`email_verified`), "isAdmin": truth(`admin`), "disabled": truth(`(disabled_at IS NOT NULL)`),
	"passkeys": numbers(numberOfPasskeys)}

// truth are the values of what is true or false.
func truth(condition string) map[string]string {
	return map[string]string{"true": condition, "1": condition, "false": `NOT ` + condition, "0": `NOT ` + condition}
}

// numbers are the values of a number of passkeys.
func numbers(column string) map[string]string {
	conditions := map[string]string{}
	for n, condition := range passkeyCounts {
		conditions[string(n)] = column + condition
	}
	return conditions
}

// QueryUsers lists people with their groups, for administrators.
func (d *Directory) QueryUsers(ctx context.Context, by audit.Actor, q Query) (list []QueriedUser, total int, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	var s statement
	s.WriteString(` FROM users WHERE ` + person)
	if q.group != "" {
		s.WriteString(` AND id IN (SELECT user_id FROM user_group_members WHERE group_id = ` + s.mark(q.group) + `)`)
	}
	if q.Search != "" {
		m := s.mark(contains(q.Search))
		s.WriteString(` AND (username_key LIKE ` + m + ` ESCAPE '!' OR email_key LIKE ` + m + ` ESCAPE '!' OR display_key LIKE ` + m + ` ESCAPE '!'
			OR EXISTS (SELECT 1 FROM user_words w WHERE w.user_id = users.id AND w.word LIKE ` + m + ` ESCAPE '!'))`)
	}
	for name, conditions := range queryUserFilters {
		values := q.Filters[name]
		if len(values) == 0 {
			continue
		}
		var any []string
		for _, v := range values {
			if condition, ok := conditions[strings.ToLower(v)]; ok {
				any = append(any, condition)
			}
		}
		s.WriteString(` AND (` + strings.Join(append(any, `1 = 0`), ` OR `) + `)`)
	}
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		list = nil
		if err := tx.One([]any{&total}, `SELECT count(*)`+s.String(), s.args...); err != nil {
			return err
		}
		page := statement{args: s.args}
		page.WriteString(`SELECT ` + userColumns + s.String())
		q.order(&page, queryUserColumns)
		users, err := db.All(tx, (*User).fields, page.String(), page.args...)
		if err != nil || len(users) == 0 {
			return err
		}
		groups, err := groupsOfAll(tx, users)
		for _, u := range users {
			list = append(list, QueriedUser{u, groups[u.ID]})
		}
		return err
	})
	return list, total, err
}

// groupsOfAll are the groups of each of some users, in one statement.
func groupsOfAll(tx *db.Tx, users []User) (map[string][]Group, error) {
	args := make([]any, len(users))
	for i := range users {
		args[i] = users[i].ID
	}
	type of struct {
		Group
		user string
	}
	list, err := db.All(tx, func(o *of) []any { return append(o.fields(), &o.user) }, `SELECT `+groupColumns+`, user_id FROM user_groups
		JOIN user_group_members ON group_id = id WHERE user_id IN (`+db.Marks(len(args))+`)
		ORDER BY name_key NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(maxGroups*maxRows), args...)
	groups := map[string][]Group{}
	for _, o := range list {
		groups[o.user] = append(groups[o.user], o.Group)
	}
	return groups, err
}

// QueryGroups lists groups, for administrators.
func (d *Directory) QueryGroups(ctx context.Context, by audit.Actor, q Query) (list []Group, total int, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	var s statement
	s.WriteString(` FROM user_groups WHERE TRUE`)
	if q.Search != "" {
		m := s.mark(contains(q.Search))
		s.WriteString(` AND (name_key LIKE ` + m + ` ESCAPE '!' OR friendly_key LIKE ` + m + ` ESCAPE '!')`)
	}
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		if err := tx.One([]any{&total}, `SELECT count(*)`+s.String(), s.args...); err != nil {
			return err
		}
		page := statement{args: s.args}
		page.WriteString(`SELECT ` + groupColumns + s.String())
		q.order(&page, map[string]string{"friendlyName": `friendly_key`, "name": `name_key`, "createdAt": `created_at`, "userCount": `members`})
		list, err = db.All(tx, (*Group).fields, page.String(), page.args...)
		return err
	})
	return list, total, err
}
