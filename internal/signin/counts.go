package signin

import (
	"context"

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
