package directory

import (
	"strconv"
	"time"

	"pocketid/internal/db"
)

// CountAll counts people and groups, each up to MaxCount, in one statement that reads no
// more than the entries of an index. It is a part.
func CountAll(tx *db.Tx) (people, groups int, err error) {
	most := strconv.Itoa(MaxCount)
	err = tx.One([]any{&people, &groups}, `SELECT
		(SELECT count(*) FROM (SELECT 1 FROM users WHERE deleted_at IS NULL AND kind = 'person' LIMIT `+most+`) AS u),
		(SELECT count(*) FROM (SELECT 1 FROM user_groups LIMIT `+most+`) AS g)`)
	return people, groups, err
}

// CountSeen counts the people who came in since an instant, up to MaxCount. It is a part.
func CountSeen(tx *db.Tx, since time.Time) (n int, err error) {
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM users
		WHERE deleted_at IS NULL AND kind = 'person' AND COALESCE(last_sign_in_at, 0) >= $1 LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`, since.UnixMicro())
	return n, err
}

// CountSingle counts the people who may come in with one passkey only, up to MaxCount. It
// is a part.
func CountSingle(tx *db.Tx) (n int, err error) {
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM users u WHERE `+mayComeIn+` AND u.passkeys = 1 LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`,
		tx.Now().UnixMicro())
	return n, err
}
