package signin

import (
	"errors"
	"net/netip"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// ErrTooManyAttempts refuses somebody who has guessed too often for now.
var ErrTooManyAttempts = fault.New(fault.TooMany, "too_many_attempts")

// A Limit is how many attempts pass within a time, counted from the first.
type Limit struct {
	Count  int
	Within time.Duration
}

// Guess counts an attempt under key and refuses it when there were too many.
// The count is a row, so all replicas see it, and an attempt that cannot be
// counted is refused like any other failure of the database. A caller that
// refuses afterwards returns db.Keep, or the count is undone with the rest.
func Guess(tx *db.Tx, key string, l Limit) error {
	var count int
	var expires time.Time
	err := tx.One([]any{&count, db.Time(&expires)}, `INSERT INTO attempts (key, count, since, expires_at) VALUES ($1, 1, $2, $3)
		ON CONFLICT (key) DO UPDATE SET
			count = CASE WHEN attempts.expires_at <= $2 THEN 1 ELSE attempts.count + 1 END,
			since = CASE WHEN attempts.expires_at <= $2 THEN excluded.since ELSE attempts.since END,
			expires_at = CASE WHEN attempts.expires_at <= $2 THEN excluded.expires_at ELSE attempts.expires_at END
		RETURNING count, expires_at`, key, tx.Now().UnixMicro(), tx.Now().Add(l.Within).UnixMicro())
	if err != nil {
		return err
	}
	if count > l.Count {
		return ErrTooManyAttempts.After(expires.Sub(tx.Now()))
	}
	return nil
}

// Blocked refuses, without counting, when the attempts under key are used up.
func Blocked(tx *db.Tx, key string, l Limit) error {
	var count int
	var expires time.Time
	err := tx.One([]any{&count, db.Time(&expires)}, `SELECT count, expires_at FROM attempts WHERE key = $1`, key)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil
	case err != nil:
		return err
	case count >= l.Count && tx.Now().Before(expires):
		return ErrTooManyAttempts.After(expires.Sub(tx.Now()))
	}
	return nil
}

// Cleared forgets the attempts under key.
func Cleared(tx *db.Tx, key string) { tx.Do(`DELETE FROM attempts WHERE key = $1`, key) }

// forgive takes back one attempt under key, which turned out to be no guess.
func forgive(tx *db.Tx, key string) {
	tx.Do(`UPDATE attempts SET count = count - 1 WHERE key = $1 AND count > 0`, key)
}

// Network is what counts as one client of the limits: an IPv4 address, or the
// /64 of an IPv6 address. Addresses that cannot be read share one.
func Network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64)
	return p.Masked().String()
}
