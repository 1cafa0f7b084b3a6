package signin

import (
	"strconv"

	"pocketid/internal/db"
)

// maxKeys is where counting API keys stops.
const maxKeys = 10_000

// CountAPIKeys counts all API keys, up to 10,000. It is a part.
func CountAPIKeys(tx *db.Tx) (n int, err error) {
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM api_keys LIMIT `+strconv.Itoa(maxKeys)+`) AS counted`)
	return n, err
}
