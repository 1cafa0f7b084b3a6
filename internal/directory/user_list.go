package directory

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/db"
)

// A UserFilter asks for a page of the list of people.
type UserFilter struct {
	// Search is the beginning of words of names and addresses; each of them must be there.
	Search string
	Role   Role
	State  State
	// Passkeys is how many they have.
	Passkeys PasskeyCount
	// Group is the id of a group whose members are meant; "" does not ask.
	Group string
	Sort  Order
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to MaxUsers; 0 is 50.
	Limit int
}

// A Role is a right that a list may be about.
type Role string

// A State is where an account stands.
type State string

// A PasskeyCount is how many passkeys somebody has, as far as a list minds.
type PasskeyCount string

// What a list of people may be about, beside "", which is everybody.
const (
	RoleAdmin Role = "admin"
	RoleUser  Role = "user"

	StateActive   State = "active"  // may come in, and has a passkey to do so again
	StateKeyless  State = "keyless" // may come in, has done so, and has no passkey
	StateNew      State = "new"     // may come in and never has
	StateDisabled State = "disabled"
	StateExpired  State = "expired"
	StateDeleted  State = "deleted" // whose names are still reserved

	PasskeysNone    PasskeyCount = "none"
	PasskeysOne     PasskeyCount = "one"
	PasskeysSeveral PasskeyCount = "several"
)

// MaxUsers is how many users one page shows and one verb changes at most.
const MaxUsers = maxRows

// MaxCount is where counting stops.
const MaxCount = 10_000

// A UserRow is a user as a list shows it.
type UserRow struct {
	ID           string
	Username     string
	Email        string
	DisplayName  string
	FirstName    string
	LastName     string
	Admin        bool
	LDAPID       string
	PictureID    string // as User has it
	CreatedAt    time.Time
	LastSignInAt time.Time
	ExpiresAt    time.Time
	DisabledAt   time.Time
	DeletedAt    time.Time
	// Groups are the names of the first few groups, GroupCount says how many there are.
	Groups     []string
	GroupCount int
	Passkeys   int // how many they have

	groups string // Groups, one a line
}

// A UserPage is a part of the list of people.
type UserPage struct {
	Rows []UserRow
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to MaxCount.
	Total int
}

func (r *UserRow) fields() []any {
	return []any{&r.ID, &r.Username, db.Text(&r.Email), &r.FirstName, &r.LastName, &r.DisplayName, &r.Admin, db.Text(&r.LDAPID), db.Text(&r.PictureID),
		db.Time(&r.CreatedAt), db.Time(&r.LastSignInAt), db.Time(&r.ExpiresAt), db.Time(&r.DisabledAt), db.Time(&r.DeletedAt),
		&r.Passkeys, &r.GroupCount, db.Text(&r.groups)}
}

// Name is what to call r on a page.
func (r *UserRow) Name() string {
	u := User{DisplayName: r.DisplayName, FirstName: r.FirstName, LastName: r.LastName, Username: r.Username}
	return u.Name()
}

// State is where the account of r stands at the instant now.
func (r *UserRow) State(now time.Time) State {
	u := User{ID: r.ID, DeletedAt: r.DeletedAt, DisabledAt: r.DisabledAt, ExpiresAt: r.ExpiresAt}
	switch err := u.Active(now); {
	case errors.Is(err, ErrNoUser):
		return StateDeleted
	case errors.Is(err, ErrDisabled):
		return StateDisabled
	case errors.Is(err, ErrExpired):
		return StateExpired
	case r.LastSignInAt.IsZero():
		return StateNew
	case r.Passkeys == 0:
		return StateKeyless
	}
	return StateActive
}

// A sorting is what a list is ordered by: an expression without NULL that has an
// index, and its first value.
type sorting struct {
	key     string
	numbers bool
}

var sortings = map[Order]sorting{
	"name":     {key: `display_key`},
	"username": {key: `username_key`},
	"email":    {key: `COALESCE(email_key, '')`},
	"created":  {key: `created_at`, numbers: true},
	"seen":     {key: `COALESCE(last_sign_in_at, 0)`, numbers: true},
}

// UserSorts are the orders that there are, as they first stand: the first is that of a
// list that nobody ordered, and the last two begin with what is new.
var UserSorts = []Order{"name", "username", "email", "-created", "-seen"}

// Known is f without what there is not.
func (f UserFilter) Known() UserFilter {
	if _, ok := sortings[Order(f.Sort.Name())]; !ok {
		f.Sort = UserSorts[0]
	}
	switch f.State {
	case StateActive, StateKeyless, StateNew, StateDisabled, StateExpired, StateDeleted:
	default:
		f.State = ""
	}
	switch f.Role {
	case RoleAdmin, RoleUser:
	default:
		f.Role = ""
	}
	if _, ok := passkeyCounts[f.Passkeys]; !ok {
		f.Passkeys = ""
	}
	return f
}

// passkeyCounts are what is asked of a number of passkeys. Several is not said as its index
// says it, or SQLite took that one where another is shorter.
var passkeyCounts = map[PasskeyCount]string{PasskeysNone: ` = 0`, PasskeysOne: ` = 1`, PasskeysSeveral: ` >= 2`}

// Along numberOfPasskeys lists go that nothing else makes shorter: only its index has that
// expression. Most people have one passkey, so another index serves better where there is one.
const numberOfPasskeys = `passkeys + 0`

// maxCursor bounds what a page is asked to begin after, in bytes.
const maxCursor = 1000

// A userQuery is a filter that has been read.
type userQuery struct {
	sorting
	down    bool
	limit   int
	state   State
	role    Role
	keys    PasskeyCount
	group   string
	terms   []string
	afterID string
	after   any // the key of the last row of the page before
	now     int64
}

func (f UserFilter) query(now time.Time) userQuery {
	f = f.Known()
	q := userQuery{limit: rows(f.Limit), terms: longestFirst(terms(f.Search)), state: f.State, role: f.Role, keys: f.Passkeys, group: f.Group, now: now.UnixMicro(),
		sorting: sortings[Order(f.Sort.Name())], down: f.Sort.Down()}
	if id, key, ok := cursor(f.After); ok && len(f.After) <= maxCursor {
		if !q.numbers {
			q.afterID, q.after = id, key
		} else if n, err := strconv.ParseInt(key, 10, 64); err == nil {
			q.afterID, q.after = id, n
		}
	}
	return q
}

// longestFirst are terms as words are stored, the longest first, because the fewest
// people have it.
func longestFirst(terms []string) []string {
	for i, t := range terms {
		if r := []rune(t); len(r) > maxWord {
			terms[i] = string(r[:maxWord])
		}
	}
	slices.SortStableFunc(terms, func(a, b string) int { return len(b) - len(a) })
	return terms
}

// Users lists people, for administrators.
func (d *Directory) Users(ctx context.Context, by audit.Actor, filter UserFilter) (UserPage, error) {
	if err := by.MustAdmin(); err != nil {
		return UserPage{}, err
	}
	var page UserPage
	err := d.db.Read(ctx, func(tx *db.Tx) (err error) {
		q := filter.query(tx.Now())
		page = UserPage{}
		if page.Total, err = q.count(tx, MaxCount); err != nil || page.Total == 0 {
			return err
		}
		found, err := q.find(tx, page.Total)
		if err != nil {
			return err
		}
		if len(found) > q.limit {
			found = found[:q.limit]
			last := found[q.limit-1]
			page.Next = last.id + " " + last.key
		}
		page.Rows, err = userRows(tx, found)
		return err
	})
	return page, err
}

// A statement is SQL in the making, with the arguments of its marks.
type statement struct {
	strings.Builder
	args []any
}

func (s *statement) mark(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// begins is the condition that column begins with term.
func (s *statement) begins(column, term string) string {
	return column + ` >= ` + s.mark(term) + ` AND ` + column + ` < ` + s.mark(term+string(utf8.MaxRune))
}

// filter adds what q asks of a row of users beside the search.
func (q *userQuery) filter(s *statement) {
	switch q.state {
	case StateActive:
		s.WriteString(` AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > ` + s.mark(q.now) + `) AND COALESCE(last_sign_in_at, 0) > 0 AND passkeys > 0`)
	case StateKeyless:
		s.WriteString(` AND passkeys = 0 AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > ` + s.mark(q.now) + `) AND COALESCE(last_sign_in_at, 0) > 0`)
	case StateDisabled:
		s.WriteString(` AND disabled_at IS NOT NULL`)
	case StateExpired:
		s.WriteString(` AND disabled_at IS NULL AND expires_at <= ` + s.mark(q.now))
	case StateNew:
		s.WriteString(` AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > ` + s.mark(q.now) + `) AND COALESCE(last_sign_in_at, 0) = 0`)
	}
	switch q.role {
	case RoleAdmin:
		s.WriteString(` AND admin AND id >= ''`) // without the id SQLite goes through everybody
	case RoleUser:
		s.WriteString(` AND NOT admin`)
	}
	switch {
	case q.keys == "":
	case q.state != "" || q.role == RoleAdmin:
		s.WriteString(` AND passkeys` + passkeyCounts[q.keys])
	case q.keys == PasskeysSeveral:
		s.WriteString(` AND passkeys > 1 AND id >= ''`) // as its index says it
	default:
		s.WriteString(` AND ` + numberOfPasskeys + passkeyCounts[q.keys])
	}
}

func (q *userQuery) filtered() bool {
	return q.state != "" || q.role != "" || q.keys != "" || q.group != ""
}

// member is the condition that the user with an id is in the group that q asks for.
func (q *userQuery) member(s *statement, id string) {
	if q.group != "" {
		s.WriteString(` AND EXISTS (SELECT 1 FROM user_group_members m WHERE m.group_id = ` + s.mark(q.group) + ` AND m.user_id = ` + id + `)`)
	}
}

// person is who is in the list of people at all, and tombstone who is in that of the
// deleted. Their indexes have the same condition.
const (
	person    = `deleted_at IS NULL AND kind = 'person'`
	tombstone = `deleted_at IS NOT NULL AND kind = 'person' AND substr(username, 1, 1) <> '` + releasedMark + `'`
)

// candidates adds the table and the conditions of everybody whom q means.
func (q *userQuery) candidates(s *statement, joined bool) {
	switch {
	case q.state == StateDeleted: // who has no words any more
		s.WriteString(` FROM users WHERE ` + tombstone)
		q.filter(s)
		q.member(s, `users.id`)
		for _, t := range q.terms {
			s.WriteString(` AND (` + s.begins(`username_key`, t) + ` OR ` + s.begins(`email_key`, t) + `)`)
		}
	case len(q.terms) == 0 && q.group != "":
		s.WriteString(` FROM user_group_members m CROSS JOIN users WHERE users.id = m.user_id AND m.group_id = ` + s.mark(q.group) + ` AND ` + person)
		q.filter(s)
	case len(q.terms) == 0:
		s.WriteString(` FROM users WHERE ` + person)
		q.filter(s)
	default:
		// the order of a CROSS JOIN is kept by SQLite
		s.WriteString(` FROM user_words w`)
		if joined || q.filtered() {
			s.WriteString(` CROSS JOIN users`)
		}
		s.WriteString(` WHERE ` + s.begins(`w.word`, q.terms[0]) + ` AND w.shared < ` + strconv.Itoa(utf8.RuneCountInString(q.terms[0])))
		q.words(s, `w.user_id`, q.terms[1:])
		if joined || q.filtered() {
			s.WriteString(` AND users.id = w.user_id`)
			q.filter(s)
			q.member(s, `w.user_id`)
		}
	}
}

// words adds that the user with an id has words that begin with each of terms.
func (q *userQuery) words(s *statement, id string, terms []string) {
	for _, t := range terms {
		s.WriteString(` AND EXISTS (SELECT 1 FROM user_words v WHERE v.user_id = ` + id + ` AND ` + s.begins(`v.word`, t) + `)`)
	}
}

// count counts everybody whom q means, up to limit.
func (q *userQuery) count(tx *db.Tx, limit int) (n int, err error) {
	s := statement{}
	s.WriteString(`SELECT count(*) FROM (SELECT 1`)
	q.candidates(&s, false)
	s.WriteString(` LIMIT ` + strconv.Itoa(limit) + `) AS counted`)
	err = tx.One([]any{&n}, s.String(), s.args...)
	return n, err
}

// A foundUser is a row of the list before the rest of it is read.
type foundUser struct{ id, key string }

func (f *foundUser) fields() []any { return []any{&f.id, &f.key} }

// find returns the ids of a page, and one more when there is another page.
func (q *userQuery) find(tx *db.Tx, total int) ([]foundUser, error) {
	plain := q.state != StateDeleted
	if plain && (total > manyUsers || len(q.terms) == 0 && !q.filtered()) {
		along := walkAlong
		if total == MaxCount {
			along *= 10 // sorting them all would take longer still
		}
		if found, err := q.walk(tx, along); err != nil || len(found) > q.limit {
			return found, err
		}
	}
	return q.sort(tx)
}

// Where many are meant, most pages are full after a short walk along the index of the
// order. Where they are not, all who are meant have to be sorted.
var (
	manyUsers = 200
	walkAlong = 2000
)

// walk goes along the index of the order, but not far.
func (q *userQuery) walk(tx *db.Tx, along int) ([]foundUser, error) {
	s := statement{}
	s.WriteString(`SELECT id, CAST(key AS TEXT) FROM (SELECT id, ` + q.key + ` AS key, admin, disabled_at, expires_at, last_sign_in_at, passkeys
		FROM users WHERE ` + person)
	q.page(&s, q.key, `id`, along)
	s.WriteString(`) AS walk WHERE TRUE`)
	q.filter(&s)
	// Not EXISTS, of which PostgreSQL may make a join that loses the order.
	if q.group != "" {
		s.WriteString(` AND (SELECT count(*) FROM user_group_members m WHERE m.group_id = ` + s.mark(q.group) + ` AND m.user_id = walk.id) > 0`)
	}
	for _, t := range q.terms {
		s.WriteString(` AND (SELECT count(*) FROM user_words v WHERE v.user_id = walk.id AND ` + s.begins(`v.word`, t) + `) > 0`)
	}
	s.WriteString(` LIMIT ` + strconv.Itoa(q.limit+1))
	return db.All(tx, (*foundUser).fields, s.String(), s.args...)
}

// sort sorts everybody whom q means. The key is an expression that no index has, or
// SQLite would rather walk along that of the order.
func (q *userQuery) sort(tx *db.Tx) ([]foundUser, error) {
	key, id, joined := q.key+` || ''`, `id`, true
	if q.numbers {
		key = q.key + ` + 0`
	}
	if words := len(q.terms) > 0 && q.state != StateDeleted; words && q.key == `display_key` {
		key, id, joined = `w.display_key`, `w.user_id`, false
	}
	s := statement{}
	s.WriteString(`SELECT ` + id + `, CAST(` + key + ` AS TEXT)`)
	q.candidates(&s, joined)
	q.page(&s, key, id, q.limit+1)
	return db.All(tx, (*foundUser).fields, s.String(), s.args...)
}

// page adds what comes after the page before, in order. No key is NULL, and SQLite
// finds no index for an order that says where NULL would be.
func (q *userQuery) page(s *statement, key, id string, limit int) {
	order, than := ``, ` >`
	if q.down {
		order, than = ` DESC`, ` <`
	}
	if q.after != nil {
		k := s.mark(q.after)
		s.WriteString(` AND ` + key + than + `= ` + k + ` AND (` + key + than + ` ` + k + ` OR ` + id + than + ` ` + s.mark(q.afterID) + `)`)
	}
	s.WriteString(` ORDER BY ` + key + order + `, ` + id + order + ` LIMIT ` + strconv.Itoa(limit))
}

// userRows reads the rows of found, in its order.
func userRows(tx *db.Tx, found []foundUser) ([]UserRow, error) {
	if len(found) == 0 {
		return nil, nil
	}
	args := make([]any, len(found))
	for i := range found {
		args[i] = found[i].id
	}
	read, err := db.All(tx, (*UserRow).fields, `
		SELECT id, username, email, first_name, last_name, display_name, admin, ldap_id, picture_id, created_at, last_sign_in_at,
			expires_at, disabled_at, deleted_at, passkeys,
			(SELECT count(*) FROM user_group_members m WHERE m.user_id = users.id),
			(SELECT string_agg(name, `+"$"+strconv.Itoa(len(args)+1)+` ORDER BY key) FROM (
				SELECT COALESCE(NULLIF(g.friendly_name, ''), g.name) AS name, g.name_key AS key FROM user_groups g
				WHERE g.id IN (SELECT m.group_id FROM user_group_members m WHERE m.user_id = users.id)
				ORDER BY g.name_key LIMIT 3) AS few)
		FROM users WHERE id IN (`+db.Marks(len(args))+`)`, append(args, "\n")...)
	if err != nil {
		return nil, err
	}
	byID := map[string]UserRow{}
	for _, r := range read {
		if r.groups != "" {
			r.Groups = strings.Split(r.groups, "\n")
		}
		byID[r.ID] = r
	}
	rows := make([]UserRow, 0, len(found))
	for _, f := range found {
		rows = append(rows, byID[f.id])
	}
	return rows, nil
}
