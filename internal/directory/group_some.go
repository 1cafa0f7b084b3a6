package directory

import (
	"strconv"

	"pocketid/internal/db"
)

// GroupsByID reads some groups by name, in one statement. One that is gone is left out.
func GroupsByID(tx *db.Tx, ids []string) ([]Group, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return db.All(tx, (*Group).fields, `SELECT `+groupColumns+` FROM user_groups WHERE id IN (`+db.Marks(len(args))+`)
		ORDER BY name_key NULLS LAST, id LIMIT `+strconv.Itoa(len(args)), args...)
}
