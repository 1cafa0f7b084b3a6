package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pocketid/internal/db"
)

// The log has millions of rows and many filters at once, so no statement may depend on
// how many rows pass. What is asked for becomes alternatives, each of them conditions
// that hold together: somebody whom it concerns, or somebody who did it; this event, or
// that one. Each alternative is read along one index that is sorted by time, and stops
// when the page is full. Conditions that no index has are asked of a window of rows
// alone, along whichever index reaches farthest with so many: a page that is not full then
// says how far back was looked.

// A field is what a condition is about.
type field int

const (
	byUser   field = iota // whom it concerns
	byActing              // who did it, when that is somebody else
	byOwn                 // who did it, beside byUser: the same person
	byOthers              // done to somebody else, or to a thing
	byClient
	byEvent
	byEvents // one of several
	byObject
	byVia
	byRare // done on another way than a page
	byAddress
	byRequest
	byKey
)

// A condition asks for an exact value.
type condition struct {
	field field
	args  []any
}

// conditionSQL are the conditions, with a mark for each argument.
var conditionSQL = map[field]string{
	byUser:    `user_id = ?`,
	byActing:  `actor_id = ? AND actor_id <> COALESCE(user_id, '')`,
	byOwn:     `actor_id = ?`,
	byOthers:  `actor_id <> COALESCE(user_id, '') AND event <> ''`, // along audit_others
	byClient:  `client_id = ?`,
	byEvent:   `event = ?`,
	byObject:  `object_kind = ? AND object_id = ?`,
	byVia:     `via = ?`,
	byRare:    `via = ? AND via <> 'page'`,
	byAddress: `address = ?`,
	byRequest: `request_id = ? AND request_id <> ''`,
	byKey:     `key_id = ?`,
}

// indexes are what the log is indexed by, before time: those that fewer rows share first.
var indexes = [][]field{
	{byRequest}, {byKey}, {byObject}, {byUser, byClient}, {byUser, byEvent}, {byActing, byEvent}, {byClient, byEvent},
	{byAddress}, {byUser}, {byActing}, {byClient}, {byRare}, {byOthers}, {byEvent}, {},
}

const (
	// window is how many rows the alternatives of a page may look at when they ask for
	// more than an index knows.
	window = 600
	// maxCandidates is how many indexes of one alternative are compared, and
	// maxCompared how many alternatives of a page compare any.
	maxCandidates, maxCompared = 4, 8
	// maxAlternatives is how many alternatives one page has at most.
	maxAlternatives = 64
)

// A query is a page as it will be read.
type query struct {
	alternatives [][]condition
	// overlapping says that a row may pass several alternatives.
	overlapping bool
	from, until time.Time
	cursor      cursor
	placed      bool // there is a cursor
	limit       int
	uncounted   bool // nobody asks how many there are
	window      int  // of each alternative
	branches    []branch
}

// A branch is an alternative as it will be read: along an index, asking the rest of each
// row as far as far, whose id is "" when that is the end of the log.
type branch struct {
	along, rest []condition
	far         cursor
}

// plan finds the alternatives of a filter.
func plan(tx *db.Tx, f Filter, s scope) (query, error) {
	q := query{alternatives: [][]condition{{}}, from: f.From, until: f.Until, limit: f.Limit}
	q.cursor, q.placed = parseCursor(f.Cursor)
	if s.person != "" {
		q.each(one(byUser, s.person))
	}
	if f.Person != "" {
		q.each(person(f.Person, f.Part)...)
	}
	if f.Client != "" {
		q.each(one(byClient, f.Client))
	}
	if f.ObjectID != "" {
		q.each(one(byObject, f.ObjectKind, f.ObjectID))
	}
	if f.ByOthers {
		q.each(one(byOthers))
	}
	if f.Via != "" {
		way := byRare
		if f.Via == "page" {
			way = byVia
		}
		q.each(one(way, f.Via))
	}
	if f.Address != "" {
		q.each(one(byAddress, address(f.Address)))
	}
	if f.Key != "" {
		q.each(one(byKey, f.Key))
	}
	if f.Search != "" {
		found, err := search(tx, f.Search)
		if err != nil {
			return q, err
		}
		q.overlapping = overlapping(found)
		q.each(found...)
	}
	switch n := len(f.Events); {
	case n > 0 && n*len(q.alternatives) <= maxAlternatives:
		events := make([][]condition, n)
		for i, e := range f.Events {
			events[i] = one(byEvent, e.text)
		}
		q.each(events...)
	case n > 0:
		events := condition{field: byEvents}
		for _, e := range f.Events {
			events.args = append(events.args, e.text)
		}
		q.each([]condition{events})
	}
	return q, nil
}

// one is a single condition.
func one(f field, args ...any) []condition { return []condition{{f, args}} }

// person is what somebody had to do with an entry.
func person(id string, part Part) [][]condition {
	switch part {
	case Concerned:
		return [][]condition{one(byUser, id)}
	case Did:
		return [][]condition{append(one(byUser, id), condition{byOwn, []any{id}}), one(byActing, id)}
	}
	return [][]condition{one(byUser, id), one(byActing, id)}
}

// each adds one of the options, whose conditions hold together, to every alternative.
func (q *query) each(options ...[]condition) {
	var all [][]condition
	for _, a := range q.alternatives {
		for _, o := range options {
			all = append(all, append(slices.Clip(a), o...))
		}
	}
	q.alternatives = all
}

// overlapping tells whether a row may pass several of what a search may mean: it may be
// about an API and a client, and what one person does to another is about both.
func overlapping(found [][]condition) bool {
	if len(found) != 2 {
		return len(found) > 2
	}
	a, b := found[0][0].field, found[1][0].field
	return a != b && (a != byUser || b != byActing)
}

// search is what a search may mean.
func search(tx *db.Tx, text string) (list [][]condition, err error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return [][]condition{one(byAddress, a.Unmap().String())}, nil
	}
	found, err := find(tx, text, "api", "client", "group", "user")
	for _, o := range found {
		switch o.Kind {
		case "user":
			list = append(list, person(o.ID, AnyPart)...)
		case "client":
			list = append(list, one(byClient, o.ID))
		default:
			list = append(list, one(byObject, o.Kind, o.ID))
		}
	}
	if len(list) == 0 {
		list = append(list, one(byRequest, text))
	}
	return list, err
}

// address is an address in the form in which it is recorded.
func address(s string) string {
	if a, err := netip.ParseAddr(strings.TrimSpace(s)); err == nil {
		return a.Unmap().String()
	}
	return s
}

// driver splits an alternative into the conditions that one index has and the rest.
func driver(alternative []condition) (along, rest []condition) {
	b := drivers(alternative)[0]
	return b.along, b.rest
}

// drivers are the ways to read an alternative, the likeliest first. An index that knows
// less than one before it is none of them.
func drivers(alternative []condition) (ways []branch) {
	has := func(f field) bool {
		return slices.ContainsFunc(alternative, func(c condition) bool { return c.field == f })
	}
	for _, index := range indexes {
		known := slices.ContainsFunc(ways, func(w branch) bool {
			return !slices.ContainsFunc(index, func(f field) bool {
				return !slices.ContainsFunc(w.along, func(c condition) bool { return c.field == f })
			})
		})
		if known || slices.ContainsFunc(index, func(f field) bool { return !has(f) }) {
			continue
		}
		var w branch
		taken := map[field]bool{}
		for _, c := range alternative {
			if slices.Contains(index, c.field) && !taken[c.field] {
				w.along, taken[c.field] = append(w.along, c), true
			} else {
				w.rest = append(w.rest, c)
			}
		}
		ways = append(ways, w)
	}
	return ways
}

// choose decides along which index each alternative is read: along one that knows all its
// conditions, or else along the one that reaches farthest within the window.
func (q *query) choose(tx *db.Tx) error {
	q.branches = make([]branch, len(q.alternatives))
	ways := make([][]branch, len(q.alternatives))
	windowed := 0
	for i, a := range q.alternatives {
		ways[i] = drivers(a)
		if q.branches[i] = ways[i][0]; len(ways[i][0].rest) > 0 {
			windowed++
		}
	}
	if windowed == 0 {
		return nil
	}
	q.window = max(window/windowed, 4*q.limit)
	var s statement
	asked := 0
	for i := range ways {
		switch {
		case len(ways[i][0].rest) == 0:
			ways[i] = nil
		case windowed > maxCompared:
			ways[i] = ways[i][:1]
		default:
			ways[i] = ways[i][:min(len(ways[i]), maxCandidates)]
		}
		for n, w := range ways[i] {
			if asked++; asked > 1 {
				s.add(` UNION ALL `)
			}
			s.add(fmt.Sprintf(`SELECT %d, %d, at, id FROM (SELECT at, id`, i, n))
			q.along(&s, w.along)
			s.add(q.order() + fmt.Sprintf(` LIMIT 1 OFFSET %d) AS end%d`, q.window-1, asked))
		}
	}
	type end struct {
		alternative, way int
		at               cursor
	}
	ends, err := db.All(tx, func(e *end) []any { return []any{&e.alternative, &e.way, &e.at.at, &e.at.id} }, s.String(), s.args...)
	for _, e := range ends {
		ways[e.alternative][e.way].far = e.at
	}
	for i, of := range ways {
		for n, w := range of {
			if best := q.branches[i].far; n == 0 || best.id != "" && (w.far.id == "" || best.before(w.far.at, w.far.id) != q.cursor.newer) {
				q.branches[i] = w
			}
		}
	}
	return err
}

// A statement is SQL under construction, with its arguments.
type statement struct {
	strings.Builder
	args []any
}

// add writes SQL whose question marks are the places of args.
func (s *statement) add(sql string, args ...any) {
	for i, part := range strings.Split(sql, "?") {
		if i > 0 {
			s.args = append(s.args, args[i-1])
			fmt.Fprintf(s, "$%d", len(s.args))
		}
		s.WriteString(part)
	}
}

// where writes conditions after what already stands there.
func (s *statement) where(conditions []condition) {
	for _, c := range conditions {
		if c.field == byEvents {
			s.add(` AND event IN (?`+strings.Repeat(`, ?`, len(c.args)-1)+`)`, c.args...)
			continue
		}
		s.add(` AND `+conditionSQL[c.field], c.args...)
	}
}

// within writes the times between which rows are.
func (q *query) within(s *statement) {
	if !q.from.IsZero() {
		s.add(` AND at >= ?`, q.from.UnixMicro())
	}
	if !q.until.IsZero() {
		s.add(` AND at < ?`, q.until.UnixMicro())
	}
}

// order is how rows are read, away from the cursor.
func (q *query) order() string {
	if q.cursor.newer {
		return ` ORDER BY at, id`
	}
	return ` ORDER BY at DESC, id DESC`
}

// along writes the rows that one index gives an alternative.
func (q *query) along(s *statement, along []condition) {
	s.add(` FROM audit WHERE TRUE`)
	if len(along) == 0 {
		s.add(` AND id <> ''`) // along audit_time, which no other statement is led along
	}
	s.where(along)
	q.within(s)
	switch {
	case q.placed && q.cursor.newer:
		s.add(` AND (at, id) > (?, ?)`, q.cursor.at, q.cursor.id)
	case q.placed:
		s.add(` AND (at, id) < (?, ?)`, q.cursor.at, q.cursor.id)
	}
}

// branch writes the places of the rows of one alternative.
func (q *query) branch(s *statement, b branch) {
	if len(b.rest) == 0 {
		s.add(`SELECT at, id`)
		q.along(s, b.along)
	} else {
		s.add(`SELECT at, id FROM (SELECT at, id, event, object_kind, object_id, user_id, client_id, actor_id, via, address, key_id`)
		q.along(s, b.along)
		s.add(q.order() + fmt.Sprintf(` LIMIT %d) AS looked WHERE TRUE`, q.window))
		s.where(b.rest)
	}
	s.add(q.order() + fmt.Sprintf(` LIMIT %d`, q.limit+1))
}

// read fills p.
func (q *query) read(tx *db.Tx, p *Page) error {
	if len(q.alternatives) == 0 {
		p.Total = 0
		return nil
	}
	err := q.choose(tx)
	if err != nil {
		return err
	}
	if p.Entries, err = q.rows(tx); err != nil {
		return err
	}
	more := len(p.Entries) > q.limit
	if more {
		p.Entries = p.Entries[:q.limit]
	}
	var far cursor // how far was looked
	if !more {
		far = q.horizon()
	}
	if q.cursor.newer && !more && far.id == "" { // these are the newest: a whole page of them
		q.placed, q.cursor = false, cursor{}
		return q.read(tx, p)
	}
	if far.id != "" {
		p.Until = time.UnixMicro(far.at).UTC()
		p.Entries = slices.DeleteFunc(p.Entries, func(e Entry) bool { return far.before(e.At.UnixMicro(), e.ID) != q.cursor.newer })
	}
	q.link(p, more, far)
	if !q.placed && !more && far.id == "" {
		p.Total = len(p.Entries)
		return nil
	}
	p.Total, err = q.count(tx)
	return err
}

// link says where the pages beside p are, and puts its newest entry first.
func (q *query) link(p *Page, more bool, far cursor) {
	here := func(i int, newer bool) string {
		return cursor{p.Entries[i].At.UnixMicro(), p.Entries[i].ID, newer}.String()
	}
	n := len(p.Entries)
	if q.cursor.newer {
		slices.Reverse(p.Entries)
		p.Until = time.Time{}
	}
	switch {
	case n == 0:
	case q.cursor.newer:
		p.Older = here(n-1, false)
		if more {
			p.Newer = here(0, true)
		}
	default:
		if more {
			p.Older = here(n-1, false)
		}
		if q.placed {
			p.Newer = here(0, true)
		}
	}
	if far.id != "" {
		far.newer = q.cursor.newer
		if far.newer {
			p.Newer = far.String()
		} else {
			p.Older = far.String()
		}
	}
	if n == 0 && q.placed { // the way back
		back := q.cursor
		back.newer = !back.newer
		if back.newer {
			p.Newer = back.String()
		} else {
			p.Older = back.String()
		}
	}
}

// rows reads the rows of the page and one more.
func (q *query) rows(tx *db.Tx) ([]Entry, error) {
	s := q.selecting()
	return db.All(tx, (*Entry).fields, s.String(), s.args...)
}

// selecting is the statement of rows.
func (q *query) selecting() *statement {
	s := &statement{}
	s.add(`SELECT ` + qualified("audit.", entryColumns) + ` FROM (SELECT at, id FROM (`)
	for i, b := range q.branches {
		if i > 0 {
			s.add(` UNION `)
		}
		s.add(`SELECT at, id FROM (`)
		q.branch(s, b)
		s.add(fmt.Sprintf(`) AS b%d`, i))
	}
	order := q.order()
	s.add(`) AS found` + order + fmt.Sprintf(` LIMIT %d) AS page CROSS JOIN audit WHERE audit.id = page.id`, q.limit+1))
	s.add(strings.NewReplacer("at", "page.at", "id", "page.id").Replace(order))
	return s
}

// qualified is a list of columns of one table.
func qualified(table, list string) string {
	parts := strings.Split(list, ",")
	for i, p := range parts {
		parts[i] = table + strings.TrimSpace(p)
	}
	return strings.Join(parts, ", ")
}

// horizon is where the windows of the alternatives ended: beyond it nobody has looked.
// Its id is "" when all of them came to the end of the log.
func (q *query) horizon() (far cursor) {
	for _, b := range q.branches {
		if b.far.id != "" && (far.id == "" || b.far.before(far.at, far.id) != q.cursor.newer) {
			far = b.far
		}
	}
	return far
}

// count counts the rows of all pages up to MaxCount; -1 when that is not to be had for a
// bounded price.
func (q *query) count(tx *db.Tx) (int, error) {
	s := q.counting()
	if s == nil {
		return -1, nil
	}
	var n int
	err := tx.One([]any{&n}, s.String(), s.args...)
	return n, err
}

// counting is the statement of count; nil when there is none.
func (q *query) counting() *statement {
	if q.overlapping || q.uncounted {
		return nil
	}
	all := *q
	all.placed, all.cursor = false, cursor{}
	s := &statement{}
	s.add(`SELECT count(*) FROM (`)
	for i, a := range q.alternatives {
		along, rest := driver(a)
		if len(rest) > 0 {
			return nil
		}
		if i > 0 {
			s.add(` UNION ALL `)
		}
		// Without an order PostgreSQL reads the whole table for a thousand rows of it.
		s.add(`SELECT at FROM (SELECT at, id`)
		all.along(s, along)
		s.add(all.order() + fmt.Sprintf(` LIMIT %d) AS b%d`, MaxCount, i))
	}
	s.add(fmt.Sprintf(` LIMIT %d) AS counted`, MaxCount))
	return s
}
