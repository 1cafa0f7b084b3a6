package signin

import (
	"context"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// CountPasskeys says how many passkeys each of some users has, for a list of them.
// Who has none is not in the answer.
func (s *SignIn) CountPasskeys(ctx context.Context, by audit.Actor, userIDs []string) (map[string]int, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	counts := map[string]int{}
	if len(userIDs) == 0 {
		return counts, nil
	}
	args := make([]any, len(userIDs))
	for i, id := range userIDs {
		args[i] = id
	}
	type count struct {
		user string
		n    int
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		list, err := db.All(tx, func(c *count) []any { return []any{&c.user, &c.n} },
			`SELECT user_id, count(*) FROM passkeys WHERE user_id IN (`+db.Marks(len(args))+`) GROUP BY user_id ORDER BY user_id NULLS LAST`, args...)
		for _, c := range list {
			counts[c.user] = c.n
		}
		return err
	})
	return counts, err
}

// A KeyTotal is how many API keys somebody has, and when one of them was used last.
type KeyTotal struct {
	Count      int64
	LastUsedAt time.Time
}

// KeyTotals tells of the keys of some users, for administrators. Who has none is left out.
func (s *SignIn) KeyTotals(ctx context.Context, by audit.Actor, userIDs []string) (map[string]KeyTotal, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	totals := map[string]KeyTotal{}
	if len(userIDs) == 0 {
		return totals, nil
	}
	args := make([]any, len(userIDs))
	for i, id := range userIDs {
		args[i] = id
	}
	type total struct {
		user string
		KeyTotal
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		list, err := db.All(tx, func(t *total) []any { return []any{&t.user, &t.Count, db.Time(&t.LastUsedAt)} },
			`SELECT user_id, count(*), max(last_used_at) FROM api_keys WHERE user_id IN (`+db.Marks(len(args))+`) GROUP BY user_id ORDER BY user_id NULLS LAST`, args...)
		for _, t := range list {
			totals[t.user] = t.KeyTotal
		}
		return err
	})
	return totals, err
}
