package settings

import (
	"errors"

	"pocketid/internal/db"
)

// Names of facts.
const (
	KeyCheck       = "key_check"        // the sealed value that tells a wrong master key
	MACRoot        = "mac_root"         // sealed: what MACs come from since the master key was rotated
	SetupClosed    = "setup_closed"     // set-up was done, for good
	SetupOpenUntil = "setup_open_until" // microseconds since 1970
	InstanceID     = "instance_id"      // of this installation
)

// Fact returns a fact, or "" when nothing is known.
func Fact(tx *db.Tx, name string) (string, error) {
	var v string
	err := tx.One([]any{&v}, `SELECT value FROM facts WHERE name = $1`, name)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return v, err
}

// SetFact remembers a fact.
func SetFact(tx *db.Tx, name, value string) {
	tx.Do(`INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}
