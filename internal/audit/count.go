package audit

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/db"
)

// A Query asks for a page of the log as programs do: by its number, with all that there
// are counted. That reads every row that passes, so pages have a list of their own.
type Query struct {
	Events  []string // names of which an entry has one
	Users   []string // ids of whom it concerns
	Clients []string // names of clients that it concerns
	// Locations are "internal" and "external": whether the address is one of a network of
	// one's own.
	Locations []string
	// Sort is "event", "address" or "userAgent"; another one is the time.
	Sort string
	// Up asks for the oldest first, or for the order of the letters.
	Up            bool
	Offset, Limit int
}

// Query reads a page of the log with a count of all, for administrators.
func (l *Log) Query(ctx context.Context, by Actor, q Query) (list []Entry, total int, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	return l.counted(ctx, q, scope{})
}

// QueryMine is Query of what concerns the asker, in the form in which people may see it.
func (l *Log) QueryMine(ctx context.Context, by Actor, q Query) (list []Entry, total int, err error) {
	if by.UserID == "" {
		return nil, 0, ErrNotAdmin
	}
	list, total, err = l.counted(ctx, q, scope{by.UserID})
	for i := range list {
		list[i] = list[i].seenBy(by.UserID)
	}
	return list, total, err
}

// counted has a scope of its own beside the filter, so that no filter widens it.
func (l *Log) counted(ctx context.Context, q Query, of scope) (list []Entry, total int, err error) {
	var s statement
	s.add(` FROM audit WHERE id <> ''`) // along audit_time
	if of.person != "" {
		s.add(` AND user_id = ?`, of.person)
	}
	s.oneOf(` AND event IN (`, q.Events, `)`)
	s.oneOf(` AND user_id IN (`, q.Users, `)`)
	s.oneOf(` AND client_id IN (SELECT id FROM audit_names WHERE kind = 'client' AND name IN (`, q.Clients, `))`)
	switch internal, external := slices.Contains(q.Locations, "internal"), slices.Contains(q.Locations, "external"); {
	case len(q.Locations) == 0, internal && external:
	case internal:
		s.add(` AND (` + ownNetworks + `)`)
	case external:
		s.add(` AND address <> '' AND NOT (` + ownNetworks + `)`)
	default:
		s.add(` AND 1 = 0`)
	}
	column := map[string]string{"event": `event`, "address": `address`, "userAgent": `user_agent`}[q.Sort]
	if column == "" {
		column = `at`
	}
	way := ` DESC`
	if q.Up {
		way = ``
	}
	err = l.db.Read(ctx, func(tx *db.Tx) error {
		if err := tx.One([]any{&total}, `SELECT count(*)`+s.String(), s.args...); err != nil {
			return err
		}
		list, err = db.All(tx, (*Entry).fields, `SELECT `+entryColumns+s.String()+` ORDER BY `+column+way+` NULLS LAST, id`+way+` NULLS LAST LIMIT `+
			strconv.Itoa(min(max(q.Limit, 1), maxLimit))+` OFFSET `+strconv.Itoa(max(q.Offset, 0)), s.args...)
		if err != nil {
			return err
		}
		return name(tx, list)
	})
	return list, total, err
}

// oneOf writes that something is one of values, when there are any.
func (s *statement) oneOf(before string, values []string, after string) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	s.add(before+strings.TrimSuffix(strings.Repeat(`?, `, len(args)), `, `)+after, args...)
}

// The places of addresses that nobody looks up elsewhere.
const (
	PlaceHere      = "localhost"
	PlaceLAN       = "LAN"
	PlaceTailscale = "Tailscale"
)

// tailscale is the network that it gives addresses from (RFC 6598, shared address space).
var tailscale = netip.MustParsePrefix("100.64.0.0/10")

// Place says in which network of one's own an address is, or "".
func Place(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	switch a = a.Unmap(); {
	case a.IsLoopback():
		return PlaceHere
	case tailscale.Contains(a):
		return PlaceTailscale
	case a.IsPrivate(), a.IsLinkLocalUnicast():
		return PlaceLAN
	}
	return ""
}

// ownNetworks is the condition that Place says something of an address as it is recorded. A
// test compares.
var ownNetworks = func() string {
	like := []string{`::1`, `127.%`, `10.%`, `192.168.%`, `169.254.%`, `fc%:%`, `fd%:%`, `fe8%:%`, `fe9%:%`, `fea%:%`, `feb%:%`}
	for n := 16; n < 32; n++ {
		like = append(like, `172.`+strconv.Itoa(n)+`.%`)
	}
	for n := 64; n < 128; n++ {
		like = append(like, `100.`+strconv.Itoa(n)+`.%`)
	}
	for i, l := range like {
		like[i] = `address LIKE '` + l + `'`
	}
	return strings.Join(like, ` OR `)
}()

// maxNames is how many names one list of them has.
const maxNames = 10_000

// ClientNames are the last names of the clients that the log knows, each once.
func (l *Log) ClientNames(ctx context.Context, by Actor) (names []string, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	err = l.db.Read(ctx, func(tx *db.Tx) (err error) {
		names, err = db.All(tx, func(s *string) []any { return []any{s} },
			`SELECT DISTINCT name FROM audit_names WHERE kind = 'client' ORDER BY name NULLS LAST LIMIT $1`, maxNames)
		return err
	})
	return names, err
}

// UserNames are the last names of the people whom the log knows, by id.
func (l *Log) UserNames(ctx context.Context, by Actor) (names map[string]string, err error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	err = l.db.Read(ctx, func(tx *db.Tx) error {
		list, err := db.All(tx, func(o *Object) []any { return []any{&o.ID, &o.Name} },
			`SELECT id, name FROM audit_names WHERE kind = 'user' ORDER BY name NULLS LAST, id NULLS LAST LIMIT $1`, maxNames)
		names = make(map[string]string, len(list))
		for _, o := range list {
			names[o.ID] = o.Name
		}
		return err
	})
	return names, err
}
