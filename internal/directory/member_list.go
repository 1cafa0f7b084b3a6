package directory

import (
	"context"
	"strconv"
	"time"
	"unicode/utf8"

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
	PictureID  string // as User has it
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

// fewPeople is how many people are sorted for a page at once. For more, a walk along the
// order comes first: with so many, it soon fills a page.
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
		q := people{group: g.ID, members: g.Members, terms: longestFirst(terms(filter.Search)), limit: rows(filter.Limit)}
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
	q := people{group: groupID, everybody: true, terms: longestFirst(terms(search)), limit: rows(limit)}
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
}

// A start is where a statement about people begins.
type start string

const (
	withMembers start = "members" // of the group
	withTerm    start = "term"    // with everybody whom the first term finds
	withOrder   start = "order"   // with the people who come next in the order of their names
)

// begin is what few people begin with: the group, or a term, which then is the first.
// When none of them means few, it is the order.
func (q *people) begin(tx *db.Tx) (start, error) {
	if !q.everybody && q.members <= fewPeople {
		return withMembers, nil
	}
	for i, term := range q.terms {
		s := statement{}
		s.WriteString(`SELECT count(*) FROM (SELECT 1 FROM user_words w WHERE ` + s.finds(term) + ` LIMIT ` + strconv.Itoa(fewPeople+1) + `) AS counted`)
		var n int
		if err := tx.One([]any{&n}, s.String(), s.args...); err != nil {
			return "", err
		}
		if n <= fewPeople {
			q.terms[0], q.terms[i] = q.terms[i], q.terms[0]
			return withTerm, nil
		}
	}
	return withOrder, nil
}

// all is where to begin when everybody is to be seen: the order leaves off too early.
func (q *people) all(from start) start {
	switch {
	case from != withOrder:
		return from
	case q.everybody:
		return withTerm
	}
	return withMembers
}

// finds is the condition of one word of each person who has a word that begins with term.
func (s *statement) finds(term string) string {
	return s.begins(`w.word`, term) + ` AND w.shared < ` + strconv.Itoa(utf8.RuneCountInString(term))
}

// isMember is the condition that u is in a group.
func (s *statement) isMember(group string) string {
	return `EXISTS (SELECT 1 FROM user_group_members m WHERE m.group_id = ` + s.mark(group) + ` AND m.user_id = u.id)`
}

// meant adds the tables and conditions of everybody whom q means. SQLite keeps the
// order of a CROSS JOIN.
func (q *people) meant(s *statement, from start) {
	terms := q.terms
	switch from {
	case withMembers:
		s.WriteString(` FROM user_group_members m CROSS JOIN users u WHERE u.id = m.user_id AND m.group_id = ` + s.mark(q.group))
	case withTerm:
		s.WriteString(` FROM user_words w CROSS JOIN users u WHERE u.id = w.user_id AND ` + s.finds(terms[0]))
		terms = terms[1:]
	case withOrder:
		s.WriteString(` FROM (SELECT id, username, email, first_name, last_name, display_name, display_key, picture_id, disabled_at, deleted_at
			FROM users WHERE (display_key, id) > (` + s.mark(q.afterKey) + `, ` + s.mark(q.afterID) + `)
			ORDER BY display_key NULLS LAST, id NULLS LAST LIMIT ` + strconv.Itoa(walkAlong) + `) AS u WHERE TRUE`)
	}
	s.WriteString(` AND u.deleted_at IS NULL`)
	if !q.everybody && from != withMembers {
		s.WriteString(` AND ` + s.isMember(q.group))
	}
	for _, term := range terms {
		s.WriteString(` AND EXISTS (SELECT 1 FROM user_words v WHERE v.user_id = u.id AND ` + s.begins(`v.word`, term) + `)`)
	}
}

// page is found by a walk along the order, if that fills it; or else everybody who is
// meant is sorted.
func (q *people) page(tx *db.Tx) (MemberPage, error) {
	from, err := q.begin(tx)
	if err != nil {
		return MemberPage{}, err
	}
	page, err := q.read(tx, from)
	if err == nil && page.Next == "" && q.all(from) != from {
		page, err = q.read(tx, q.all(from))
	}
	return page, err
}

func (q *people) read(tx *db.Tx, from start) (MemberPage, error) {
	s, in := statement{}, `TRUE`
	if q.everybody {
		in = s.isMember(q.group)
	}
	s.WriteString(`SELECT u.id, u.username, u.email, u.first_name, u.last_name, u.display_name, u.picture_id, u.disabled_at, ` + in)
	q.meant(&s, from)
	if q.afterID != "" {
		s.WriteString(` AND (u.display_key, u.id) > (` + s.mark(q.afterKey) + `, ` + s.mark(q.afterID) + `)`)
	}
	// No index has this expression, so they are found before they are sorted.
	s.WriteString(` ORDER BY u.display_key || '' NULLS LAST, u.id NULLS LAST LIMIT ` + strconv.Itoa(q.limit+1))
	found, err := db.All(tx, (*memberRow).fields, s.String(), s.args...)
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
		page.Rows = append(page.Rows, Member{ID: m.u.ID, Username: m.u.Username, Email: m.u.Email, Name: m.u.Name(), PictureID: m.u.PictureID, DisabledAt: m.u.DisabledAt, In: m.in})
	}
	return page, nil
}

func (q *people) count(tx *db.Tx) (n int, err error) {
	from, err := q.begin(tx)
	if err != nil {
		return 0, err
	}
	s := statement{}
	s.WriteString(`SELECT count(*) FROM (SELECT 1`)
	q.meant(&s, q.all(from))
	s.WriteString(` LIMIT ` + strconv.Itoa(MaxCount) + `) AS counted`)
	err = tx.One([]any{&n}, s.String(), s.args...)
	return n, err
}

// memberRow is a row of members as it is read.
type memberRow struct {
	u  User
	in bool
}

func (m *memberRow) fields() []any {
	return []any{&m.u.ID, &m.u.Username, db.Text(&m.u.Email), &m.u.FirstName, &m.u.LastName, &m.u.DisplayName, db.Text(&m.u.PictureID), db.Time(&m.u.DisabledAt), &m.in}
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
