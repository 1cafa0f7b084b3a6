package signin

import (
	"strconv"

	"pocketid/internal/db"
)

const (
	// maxKeys is where counting API keys stops.
	maxKeys = 10_000
	// maxLooked is how many passkeys are looked at for those who have one only.
	maxLooked = 20_000
)

// CountAPIKeys counts all API keys, up to 10,000. It is a part.
func CountAPIKeys(tx *db.Tx) (n int, err error) {
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM api_keys LIMIT `+strconv.Itoa(maxKeys)+`) AS counted`)
	return n, err
}

// CountSingle counts the accounts that have one passkey only; more says that there were too
// many passkeys to look at all of them. It is a part.
func CountSingle(tx *db.Tx) (n int, more bool, err error) {
	var looked int
	err = tx.One([]any{&n, &looked}, `SELECT CAST(COALESCE(sum(CASE WHEN n = 1 THEN 1 ELSE 0 END), 0) AS BIGINT), CAST(COALESCE(sum(n), 0) AS BIGINT) FROM (
		SELECT user_id, count(*) AS n FROM (SELECT user_id FROM passkeys ORDER BY user_id, created_at, id LIMIT `+strconv.Itoa(maxLooked)+`) AS looked
		GROUP BY user_id) AS owners`)
	return n, looked == maxLooked, err
}
