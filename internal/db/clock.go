package db

import (
	"context"
	"time"
)

// ClockOff asks the database for an answer and says how far its clock is ahead
// of this process's. Replicas whose clocks differ disagree about what has
// expired. SQLite has no clock of its own.
func (d *DB) ClockOff(ctx context.Context) (time.Duration, error) {
	if !d.Postgres {
		return 0, d.Ping(ctx)
	}
	var theirs time.Time
	var before, after time.Time
	err := d.Read(ctx, func(tx *Tx) error {
		before = time.Now()
		err := tx.One([]any{Time(&theirs)}, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`)
		after = time.Now()
		return err
	})
	if err != nil {
		return 0, err
	}
	return theirs.Sub(before.Add(after.Sub(before) / 2)), nil
}
