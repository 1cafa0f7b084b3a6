package signin

import (
	"errors"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// How many refusals the log keeps: of one network, and of all. Strangers need no account
// to be refused, so without a bound they could fill the disk, and bury what matters.
var (
	networkRefusals = Limit{Count: 30, Within: 15 * time.Minute}
	allRefusals     = Limit{Count: 1000, Within: time.Hour}
)

// RecordRefusal notes a refusal, unless so many were noted lately that one more would
// tell nothing new. It is a part.
func RecordRefusal(tx *db.Tx, by audit.Actor, e audit.Event) error {
	network := "refused:" + Network(by.Address)
	err := Blocked(tx, network, networkRefusals)
	if err == nil {
		err = Blocked(tx, "refused", allRefusals)
	}
	if err == nil {
		err = Guess(tx, network, networkRefusals)
	}
	if err == nil {
		err = Guess(tx, "refused", allRefusals)
	}
	if errors.Is(err, ErrTooManyAttempts) {
		return nil
	}
	audit.Record(tx, by, e)
	return err
}
