package directory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// A MemberFilter asks for a page of the members of a group, by the names that people see.
type MemberFilter struct {
	// Search is the beginning of words of names and addresses; each of them must be there.
	Search string
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to 100; 0 is 50.
	Limit int
}

// A Member is a user as a list of members shows it, or of those who can become one.
type Member struct {
	ID         string
	Username   string
	Email      string
	Name       string // what to call them
	DisabledAt time.Time
	// In says whether they are in the group.
	In bool
}

// A MemberPage is a part of the members of a group.
type MemberPage struct {
	Rows []Member
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all; of a search, counted up to MaxCount.
	Total int
}

// fewPeople is how many people are sorted for a page. Of more, those who are in the
// order already are walked through until a page is full: with so many, it soon is.
var fewPeople = 2000

// Members lists the members of a group, for administrators. It stays quick for groups
// of any size and searches that find anybody.
func (d *Directory) Members(ctx context.Context, by audit.Actor, groupID string, filter MemberFilter) (MemberPage, error) {
	if err := by.MustAdmin(); err != nil {
		return MemberPage{}, err
	}
	var page MemberPage
	err := d.db.Read(ctx, func(tx *db.Tx) error {
		g, err := GroupByID(tx, groupID)
		if err != nil {
			return err
		}
		q := people{group: g.ID, members: g.Members, terms: terms(filter.Search), limit: rows(filter.Limit)}
		q.afterID, q.afterKey, _ = cursor(filter.After)
		if page, err = q.page(tx); err != nil {
			return err
		}
		if page.Total = g.Members; len(q.terms) > 0 {
			page.Total, err = q.count(tx)
		}
		return err
	})
	return page, err
}

// Candidates are the first people whom a search finds, whether or not they are in the
// group, and whether there are more of them.
func (d *Directory) Candidates(ctx context.Context, by audit.Actor, groupID, search string, limit int) (found []Member, more bool, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, false, err
	}
	q := people{group: groupID, everybody: true, terms: terms(search), limit: rows(limit)}
	if len(q.terms) == 0 {
		return nil, false, nil
	}
	var page MemberPage
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		page, err = q.page(tx)
		return err
	})
	return page.Rows, page.Next != "", err
}

// people is a question for some of the people in the order of their names.
type people struct {
	group     string
	members   int  // of the group
	everybody bool // not only its members
	terms     []string
	limit     int

	afterID, afterKey string

	where []string
	args  []any
}

func (q *people) mark(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// word is the condition that a word of users.id begins with term.
func (q *people) word(term string) string {
	return `word >= ` + q.mark(term) + ` AND word < ` + q.mark(term+"\U0010ffff")
}

// from sets the conditions and is where to begin: with the group or with what one of
// the terms finds, when that is few, or else with all people in their order.
func (q *people) from(tx *db.Tx) (tables, order string, err error) {
	q.where, q.args = nil, nil
	tables, order = `FROM users u`, `u.display_key NULLS LAST, u.id NULLS LAST`
	few, first := q.members <= fewPeople && !q.everybody, ""
	if few {
		tables = `FROM user_group_members m CROSS JOIN users u`
		q.where = append(q.where, `m.group_id = `+q.mark(q.group), `u.id = m.user_id`)
	} else if len(q.terms) > 0 {
		first = slices.MaxFunc(q.terms, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		var n int
		if err := tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM user_words WHERE word >= $1 AND word < $2 LIMIT `+strconv.Itoa(fewPeople+1)+`) AS counted`,
			first, first+"\U0010ffff"); err != nil {
			return "", "", err
		}
		if few = n <= fewPeople; few {
			tables = `FROM (SELECT DISTINCT user_id FROM user_words WHERE ` + q.word(first) + `) f CROSS JOIN users u`
			q.where = append(q.where, `u.id = f.user_id`)
		} else {
			first = ""
		}
	}
	if few { // an expression has no index: they are found first and then sorted
		order = `u.display_key || '' NULLS LAST, u.id NULLS LAST`
	}
	if !q.everybody && !strings.Contains(tables, "user_group_members") {
		q.where = append(q.where, `EXISTS (SELECT 1 FROM user_group_members m WHERE m.group_id = `+q.mark(q.group)+` AND m.user_id = u.id)`)
	}
	for _, term := range q.terms {
		if term != first {
			q.where = append(q.where, `EXISTS (SELECT 1 FROM user_words w WHERE w.user_id = u.id AND `+q.word(term)+`)`)
		}
	}
	q.where = append(q.where, `u.deleted_at IS NULL`)
	return tables, order, nil
}

func (q *people) page(tx *db.Tx) (MemberPage, error) {
	tables, order, err := q.from(tx)
	if err != nil {
		return MemberPage{}, err
	}
	if q.afterID != "" {
		q.where = append(q.where, `(u.display_key, u.id) > (`+q.mark(q.afterKey)+`, `+q.mark(q.afterID)+`)`)
	}
	in := `TRUE`
	if q.everybody {
		in = `EXISTS (SELECT 1 FROM user_group_members m WHERE m.group_id = ` + q.mark(q.group) + ` AND m.user_id = u.id)`
	}
	found, err := db.All(tx, func(m *memberRow) []any {
		return []any{&m.u.ID, &m.u.Username, db.Text(&m.u.Email), &m.u.FirstName, &m.u.LastName, &m.u.DisplayName, db.Time(&m.u.DisabledAt), &m.in}
	}, `SELECT u.id, u.username, u.email, u.first_name, u.last_name, u.display_name, u.disabled_at, `+in+`
		`+tables+` WHERE `+strings.Join(q.where, ` AND `)+` ORDER BY `+order+` LIMIT `+strconv.Itoa(q.limit+1), q.args...)
	if err != nil {
		return MemberPage{}, err
	}
	var page MemberPage
	for i, m := range found {
		if i == q.limit {
			last := page.Rows[i-1]
			page.Next = last.ID + " " + Fold(last.Name)
			break
		}
		page.Rows = append(page.Rows, Member{ID: m.u.ID, Username: m.u.Username, Email: m.u.Email, Name: m.u.Name(), DisabledAt: m.u.DisabledAt, In: m.in})
	}
	return page, nil
}

func (q *people) count(tx *db.Tx) (n int, err error) {
	tables, _, err := q.from(tx)
	if err != nil {
		return 0, err
	}
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 `+tables+` WHERE `+strings.Join(q.where, ` AND `)+` LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`, q.args...)
	return n, err
}

// memberRow is a row of members as it is read.
type memberRow struct {
	u  User
	in bool
}

// mayComeIn is what User.Active asks, for counting; $1 is now.
const mayComeIn = `u.kind = 'person' AND u.disabled_at IS NULL AND u.deleted_at IS NULL AND (u.expires_at IS NULL OR u.expires_at > $1)`

// CountActive counts the people who may come in, up to MaxCount.
func CountActive(tx *db.Tx) (n int, err error) {
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM users u WHERE `+mayComeIn+` LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`,
		tx.Now().UnixMicro())
	return n, err
}

// CountActiveMembers counts the people who may come in and are in one of these groups,
// up to MaxCount.
func CountActiveMembers(tx *db.Tx, groupIDs []string) (n int, err error) {
	if len(groupIDs) == 0 {
		return 0, nil
	}
	args := []any{tx.Now().UnixMicro()}
	for _, id := range groupIDs {
		args = append(args, id)
	}
	err = tx.One([]any{&n}, `SELECT count(*) FROM (SELECT DISTINCT m.user_id FROM user_group_members m JOIN users u ON u.id = m.user_id
		WHERE m.group_id IN (`+db.MarksFrom(2, len(groupIDs))+`) AND `+mayComeIn+` LIMIT `+strconv.Itoa(MaxCount)+`) AS counted`, args...)
	return n, err
}
