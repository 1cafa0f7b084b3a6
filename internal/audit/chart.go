package audit

import (
	"context"
	"slices"
	"time"

	"pocketid/internal/db"
)

// The chart of sign-ins counts rows of a log that may have millions. Hours that are over do
// not change any more, so a job counts each of them once and keeps the number; a page adds
// those numbers up and counts itself only what came since. Both count the same rows, by
// UTC as the log shows them, so the chart and the lists agree.

// Outcomes are both things that become of those who want to come in.
var Outcomes = []Family{SignedIn, TurnedAway}

// Outcomes are the parts of f that have a name of their own.
func (f Family) Outcomes() []Family {
	if f == ofComing {
		return Outcomes
	}
	return nil
}

const (
	// chartDays is how far back hours are kept, and somewhat more than a chart shows.
	chartDays = 32
	// settled is how long after its end nothing is added to an hour any more: transactions
	// are much shorter, and an entry has the time of the beginning of its own.
	settled = 10 * time.Minute
	// hoursAtOnce is how many hours are counted in one transaction.
	hoursAtOnce = 6
	// maxRecent is how many entries of one event a page counts itself.
	maxRecent = 50_000

	hour = int64(time.Hour / time.Microsecond)
	day  = 24 * hour

	// As SQL has them.
	perHour = `3600000000`
	perDay  = `86400000000`
)

// charted are the events that are counted, as arguments.
var charted = func() (all []any) {
	for _, f := range Outcomes {
		for _, n := range outcomes[f] {
			all = append(all, n.text)
		}
	}
	return all
}()

// counted is the first hour since 1970 that was not counted yet; 0 when none was. It stands
// in a row that belongs to no event.
func counted(tx *db.Tx) (h int64, err error) {
	err = tx.One([]any{&h}, `SELECT COALESCE(max(hour), 0) FROM audit_hours WHERE event = ''`)
	return h, err
}

// CountHours counts the hours that are over, some of them at a time, and forgets those that
// no chart shows any more. It returns limit when there are more to count, and is a part.
func CountHours(tx *db.Tx, limit int) (int64, error) {
	from, err := counted(tx)
	if err != nil {
		return 0, err
	}
	first := tx.Now().UnixMicro()/hour - chartDays*24
	end := tx.Now().Add(-settled).UnixMicro() / hour
	from = max(from, first)
	to := min(end, from+hoursAtOnce)
	if to <= from {
		return 0, nil
	}
	tx.Do(`INSERT INTO audit_hours (event, hour, n)
		SELECT event, at / `+perHour+`, count(*) FROM audit
		WHERE event IN (`+db.MarksFrom(3, len(charted))+`) AND at >= $1 AND at < $2
		GROUP BY event, at / `+perHour, append([]any{from * hour, to * hour}, charted...)...)
	tx.Do(`DELETE FROM audit_hours WHERE event = '' OR event IN (`+db.MarksFrom(2, len(charted))+`) AND hour < $1`, append([]any{first}, charted...)...)
	tx.Do(`INSERT INTO audit_hours (event, hour, n) VALUES ('', $1, 0)`, to)
	if to < end {
		return int64(limit), nil
	}
	return 0, nil
}

// A Day is how many came in on a day, and how many were turned away.
type Day struct {
	At       time.Time // its begin, in UTC
	In, Away int
}

// A Chart is some days up to today.
type Chart struct {
	Days []Day
	// Partial says that so much has not been counted yet that the numbers are too low.
	Partial bool
}

// Today is the last day.
func (c *Chart) Today() Day { return c.Days[len(c.Days)-1] }

// SignIns counts the sign-ins of so many days up to today, for administrators: of those of
// which the log still has all entries.
func (l *Log) SignIns(ctx context.Context, by Actor, days int) (Chart, error) {
	if err := by.MustAdmin(); err != nil {
		return Chart{}, err
	}
	var c Chart
	err := l.db.Read(ctx, func(tx *db.Tx) (err error) {
		c, err = signIns(tx, l.Keep, days)
		return err
	})
	return c, err
}

// A dayCount is how often something happened on a day.
type dayCount struct {
	event Name
	day   int64
	n     int
}

func (d *dayCount) fields() []any { return []any{&d.event.text, &d.day, &d.n} }

func signIns(tx *db.Tx, keep time.Duration, days int) (Chart, error) {
	now := tx.Now().UnixMicro()
	today := now / day
	kept := (tx.Now().Add(-keep).UnixMicro() + day - 1) / day // the first day of which nothing was forgotten
	first := min(max(today-int64(min(days, chartDays-1))+1, kept), today)
	var c Chart
	for d := first; d <= today; d++ {
		c.Days = append(c.Days, Day{At: time.UnixMicro(d * day).UTC()})
	}
	until, err := counted(tx)
	if err != nil {
		return c, err
	}
	over, err := db.All(tx, (*dayCount).fields, `
		SELECT event, hour / 24, CAST(sum(n) AS BIGINT) FROM audit_hours
		WHERE event IN (`+db.MarksFrom(2, len(charted))+`) AND hour >= $1
		GROUP BY event, hour / 24`, append([]any{first * 24}, charted...)...)
	if err != nil {
		return c, err
	}
	var s statement
	s.add(`SELECT event, at / ` + perDay + `, count(*) FROM (`)
	for i, event := range charted {
		if i > 0 {
			s.add(` UNION ALL `)
		}
		s.add(`SELECT event, at FROM (SELECT event, at FROM audit WHERE event = ? AND at >= ? ORDER BY at DESC LIMIT ?) AS e`, event, max(until*hour, first*day), maxRecent)
	}
	s.add(`) AS recent GROUP BY event, at / ` + perDay)
	recent, err := db.All(tx, (*dayCount).fields, s.String(), s.args...)
	if err != nil {
		return c, err
	}
	for _, d := range slices.Concat(over, recent) {
		if i := int(d.day - first); i >= 0 && i < len(c.Days) {
			if slices.Contains(outcomes[SignedIn], d.event) {
				c.Days[i].In += d.n
			} else {
				c.Days[i].Away += d.n
			}
		}
	}
	seen := map[Name]int{}
	for _, d := range recent {
		if seen[d.event] += d.n; seen[d.event] == maxRecent {
			c.Partial = true
		}
	}
	return c, nil
}
