package audit

import (
	"strings"

	"pocketid/internal/db"
)

// Plans are how SQLite or PostgreSQL would read the page of a filter and count it, as
// they explain themselves.
func Plans(tx *db.Tx, postgres bool, f Filter) (plans []string, err error) {
	f, _ = f.clean()
	q, err := plan(tx, f, scope{})
	if err != nil {
		return nil, err
	}
	if err := q.choose(tx); err != nil {
		return nil, err
	}
	for _, s := range []*statement{q.selecting(), q.counting()} {
		if s == nil {
			continue
		}
		lines, err := explain(tx, postgres, s)
		if err != nil {
			return nil, err
		}
		plans = append(plans, strings.Join(lines, "\n"))
	}
	return plans, nil
}

// FindPlan is how SQLite would look for a name, as it explains itself.
func FindPlan(tx *db.Tx) (string, error) {
	lines, err := explain(tx, false, finding("lov", []any{"api", "client", "group", "user"}))
	return strings.Join(lines, "\n"), err
}

func explain(tx *db.Tx, postgres bool, s *statement) ([]string, error) {
	if postgres {
		return db.All(tx, func(l *string) []any { return []any{l} }, `EXPLAIN `+s.String(), s.args...)
	}
	var a, b, c int
	return db.All(tx, func(l *string) []any { return []any{&a, &b, &c, l} }, `EXPLAIN QUERY PLAN `+s.String(), s.args...)
}
