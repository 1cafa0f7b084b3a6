package directory

import "pocketid/internal/db"

// UsersIn reads the accounts with these ids, whatever their state, for a list that names
// them. It is one statement; who is not there is left out.
func UsersIn(tx *db.Tx, ids []string) (map[string]User, error) {
	users := map[string]User{}
	if len(ids) == 0 {
		return users, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	list, err := db.All(tx, (*User).fields, `SELECT `+userColumns+` FROM users WHERE id IN (`+db.Marks(len(args))+`) ORDER BY id NULLS LAST`, args...)
	for i := range list {
		users[list[i].ID] = list[i]
	}
	return users, err
}

// Found are the ids of the people whom a search means, the first MaxUsers by name. It is
// for lists of what people have.
func Found(tx *db.Tx, search string) ([]string, error) {
	q := UserFilter{Search: search, Limit: MaxUsers}.query(tx.Now())
	if len(q.terms) == 0 {
		return nil, nil
	}
	found, err := q.sort(tx)
	ids := make([]string, 0, len(found))
	for _, f := range found[:min(len(found), MaxUsers)] {
		ids = append(ids, f.id)
	}
	return ids, err
}
