package audit

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pocketid/internal/db"
	"pocketid/internal/fault"
)

// ErrNoEntry is the answer when the log has no such entry, or none that the asker may see.
var ErrNoEntry = fault.New(fault.NotFound, "audit_entry_not_found")

// A Log lets people read what was recorded.
type Log struct {
	db *db.DB
	// Keep is how long entries are kept.
	Keep time.Duration
}

// New makes the log over a database.
func New(d *db.DB, keep time.Duration) *Log { return &Log{d, keep} }

// An Entry is a record as it is read.
type Entry struct {
	ID     string
	At     time.Time
	Event  Name
	Object Object
	// User and Client are whom and which client it concerns. Their names are the last
	// ones that are known.
	User, UserName     string
	Client, ClientName string
	// Actor is who did it; "" is nobody who was known, or the house itself.
	Actor, ActorName string
	Via              string
	Address          string
	UserAgent        string
	RequestID        string
	// Key is the API key with which a program did it, and KeyName what it was called; "" is
	// none. Key is an id and no secret.
	Key, KeyName string
	// Before and After are what changed, Data what else was noted.
	Before, After, Data Members
	// Names are those of ids that stand in Before, After and Data.
	Names map[string]string
	// Here are the kinds of the people, clients, groups and APIs among all ids that are
	// still there.
	Here map[string]string
}

// Members are the members of what was noted. What is no object is the member "".
type Members map[string]any

// UnmarshalJSON takes any value.
func (m *Members) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	object, ok := v.(map[string]any)
	if !ok && v != nil {
		object = map[string]any{"": v}
	}
	*m = object
	return nil
}

// Known tells whether this program has words for the event.
func (e *Entry) Known() bool { return e.Event.Family() != "" }

const entryColumns = `id, at, event, object_kind, object_id, object_name, user_id, client_id, actor_id, actor_name, via,
	address, user_agent, request_id, before, after, data, key_id, key_name`

const entryColumnCount = 19

func (e *Entry) fields() []any {
	return []any{&e.ID, db.Time(&e.At), &e.Event.text, &e.Object.Kind, &e.Object.ID, &e.Object.Name, db.Text(&e.User), db.Text(&e.Client),
		db.Text(&e.Actor), &e.ActorName, &e.Via, &e.Address, &e.UserAgent, &e.RequestID,
		db.JSON(&e.Before), db.JSON(&e.After), db.JSON(&e.Data), db.Text(&e.Key), db.Text(&e.KeyName)}
}

// A Filter asks for entries. What is empty does not narrow.
type Filter struct {
	// Events are the names of which an entry has one.
	Events []Name
	// Person is the id of somebody whom it concerns or who did it, as Part says.
	Person string
	Part   Part
	// Client is the id of a client that it concerns.
	Client string
	// ObjectKind and ObjectID are what it was done to; both or none.
	ObjectKind, ObjectID string
	// Via is the way on which it was done.
	Via string
	// Address is where it was done from.
	Address string
	// Key is the id of the API key with which it was done.
	Key string
	// ByOthers asks for what people did to others and to things: what administrators
	// change, and not what everybody does for themselves.
	ByOthers bool
	// Search is the folded beginning of a name that a person or client has or had, an
	// address, or the reference of a request.
	Search string
	// From is the first instant, Until the first one that is too late.
	From, Until time.Time
	// Cursor is Older or Newer of another page; what is no cursor asks for the newest.
	Cursor string
	// Limit is how many to return: 1 to 100; 0 is 25.
	Limit int
}

// A Part is what somebody had to do with an entry.
type Part string

// The parts of a person.
const (
	AnyPart   Part = ""
	Did       Part = "did"       // who did it
	Concerned Part = "concerned" // whom it concerns
)

// MaxCount is where counting stops. It is lower than elsewhere: entries that somebody
// asked for lie scattered, and to count ten thousand takes longer than all the rest.
const MaxCount = 1000

const (
	defaultLimit = 25
	maxLimit     = 100
	maxText      = 200 // bytes of an id or a search
)

// A Page is a part of the log, the newest entries first.
type Page struct {
	Entries []Entry
	// Older and Newer ask for the pages beside this one; "" when there is none.
	Older, Newer string
	// Total is how many there are in all, counted up to MaxCount; -1 when nobody counted.
	Total int
	// Until is how far back was looked when the page is not full although the log may
	// have more: filters that few entries pass are followed a bounded way at a time.
	Until time.Time
	// Person, Client and Object are the names of what the filter names by id.
	Person, Client, Object string
}

// clean returns the filter with its limits kept. What cannot be in a row asks for
// nothing: ok is false.
func (f Filter) clean() (_ Filter, ok bool) {
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	f.Limit = min(max(f.Limit, 1), maxLimit)
	for _, s := range []string{f.Person, f.Client, f.ObjectKind, f.ObjectID, f.Via, f.Address, f.Key, f.Search} {
		if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return f, false
		}
	}
	if !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until) {
		return f, false
	}
	f.Events = slices.Compact(slices.SortedFunc(slices.Values(f.Events), func(a, b Name) int { return strings.Compare(a.text, b.text) }))
	return f, true
}

// List reads the log, for administrators.
func (l *Log) List(ctx context.Context, by Actor, f Filter) (Page, error) {
	if err := by.MustAdmin(); err != nil {
		return Page{}, err
	}
	return l.page(ctx, f, scope{})
}

// Mine reads what concerns the asker, in the form in which people may see it.
func (l *Log) Mine(ctx context.Context, by Actor, f Filter) (Page, error) {
	if by.UserID == "" {
		return Page{}, ErrNotAdmin
	}
	f.Person, f.ObjectKind, f.ObjectID, f.Via, f.Address, f.Key, f.Search, f.ByOthers = "", "", "", "", "", "", "", false
	p, err := l.page(ctx, f, scope{by.UserID})
	for i := range p.Entries {
		p.Entries[i] = p.Entries[i].seenBy(by.UserID)
	}
	return p, err
}

// Entry reads one entry, for administrators.
func (l *Log) Entry(ctx context.Context, by Actor, id string) (Entry, error) {
	if err := by.MustAdmin(); err != nil {
		return Entry{}, err
	}
	var list []Entry
	err := l.db.Read(ctx, func(tx *db.Tx) (err error) {
		if len(id) > maxText || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
			return ErrNoEntry
		}
		if list, err = db.All(tx, (*Entry).fields, `SELECT `+entryColumns+` FROM audit WHERE id = $1`, id); err != nil {
			return err
		}
		if len(list) == 0 {
			return ErrNoEntry
		}
		return name(tx, list)
	})
	if err != nil {
		return Entry{}, err
	}
	return list[0], nil
}

// A scope is whose entries may be seen. It is never taken from what somebody sent.
type scope struct {
	person string // only what concerns this person; "" is everything
}

// own are the members of Before, After and Data that people see of their own entries.
// What is not here stays with the administrators, who may have noted things about
// somebody that are not for them.
var own = []string{"username", "email", "email_verified", "first_name", "last_name", "display_name", "locale", "theme", "dates", "picture", "admin",
	"name", "passkeyName", "scopes", "reason", "purpose", "ceremony", "code", "expires_at"}

// seenBy is e as the person sees whom it concerns: where and on what somebody else did
// it is not for them, nor what the log keeps about requests of others.
func (e Entry) seenBy(person string) Entry {
	if e.Actor != person {
		e.Address, e.UserAgent, e.RequestID, e.Key, e.KeyName = "", "", "", "", ""
	}
	for _, m := range []Members{e.Before, e.After, e.Data} {
		maps.DeleteFunc(m, func(name string, _ any) bool { return !slices.Contains(own, name) })
	}
	if e.Object.Kind == "session" {
		e.Object.ID = ""
	}
	e.Names, e.Here = nil, nil
	return e
}

func (l *Log) page(ctx context.Context, f Filter, s scope) (Page, error) {
	f, ok := f.clean()
	if !ok {
		return Page{}, nil
	}
	var p Page
	err := l.db.Read(ctx, func(tx *db.Tx) (err error) {
		p = Page{Total: -1}
		q, err := plan(tx, f, s)
		if err != nil {
			return err
		}
		if err := q.read(tx, &p); err != nil {
			return err
		}
		if err := name(tx, p.Entries); err != nil {
			return err
		}
		names, err := namesOf(tx, slices.DeleteFunc([]string{f.Person, f.Client, f.ObjectID}, func(id string) bool { return id == "" }))
		p.Person, p.Client, p.Object = names[f.Person].Name, names[f.Client].Name, names[f.ObjectID].Name
		return err
	})
	return p, err
}

// maxNamed is how many ids of one page are given their names.
const maxNamed = 300

// name fills in the names of what entries concern.
func name(tx *db.Tx, list []Entry) error {
	var ids []string
	add := func(id string) {
		if id != "" && len(ids) < maxNamed && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for i := range list {
		e := &list[i]
		add(e.User)
		add(e.Client)
		add(e.Actor)
		if e.Object.Kind == "group" || e.Object.Kind == "api" {
			add(e.Object.ID)
		}
	}
	for i := range list {
		for id := range list[i].idsWithin() {
			add(id)
		}
	}
	known, err := namesOf(tx, ids)
	names, here := map[string]string{}, map[string]string{}
	for id, n := range known {
		if names[id] = n.Name; !n.gone {
			here[id] = n.Kind
		}
	}
	for i := range list {
		e := &list[i]
		e.Names, e.Here = names, here
		e.UserName, e.ClientName = names[e.User], names[e.Client]
		switch {
		case e.Object.Kind == "user" && e.Object.ID == e.User && e.Object.Name != "":
			e.UserName = e.Object.Name // as it was
		case e.Actor == e.User && e.ActorName != "":
			e.UserName = e.ActorName
		}
		if e.Object.Kind == "client" && e.Object.ID == e.Client && e.Object.Name != "" {
			e.ClientName = e.Object.Name
		}
	}
	return err
}

// idsWithin are the texts in what was noted that look like ids.
func (e *Entry) idsWithin() func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, m := range []Members{e.Before, e.After, e.Data} {
			for _, v := range m {
				list, ok := v.([]any)
				if !ok {
					list = []any{v}
				}
				for _, v := range list {
					if s, ok := v.(string); ok && looksLikeID(s) && !yield(s) {
						return
					}
				}
			}
		}
	}
}

// looksLikeID knows what secret.ID makes, and ids that were chosen in its form.
func looksLikeID(s string) bool { return len(s) == 36 && s[8] == '-' && s[13] == '-' }

// A cursor is a place between two entries.
type cursor struct {
	at    int64
	id    string
	newer bool // the page on the newer side of it
}

func (c cursor) String() string {
	side := "o"
	if c.newer {
		side = "n"
	}
	return side + strconv.FormatInt(c.at, 10) + "." + c.id
}

// before tells whether the entry with this time and id is older than the place c.
func (c cursor) before(at int64, id string) bool { return at < c.at || at == c.at && id < c.id }

// parseCursor reads a cursor; anything else is the beginning.
func parseCursor(s string) (c cursor, ok bool) {
	if len(s) < 4 || len(s) > maxText || s[0] != 'o' && s[0] != 'n' {
		return cursor{}, false
	}
	at, id, found := strings.Cut(s[1:], ".")
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !found || id == "" || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return cursor{}, false
	}
	return cursor{n, id, s[0] == 'n'}, true
}

// MarshalJSON is the line of an entry in an export.
func (e *Entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"id": e.ID, "at": e.At, "event": e.Event.text,
		"object": map[string]any{"kind": e.Object.Kind, "id": e.Object.ID, "name": e.Object.Name},
		"user":   e.User, "userName": e.UserName, "client": e.Client, "clientName": e.ClientName, "actor": map[string]any{"id": e.Actor, "name": e.ActorName}, "via": e.Via,
		"address": e.Address, "userAgent": e.UserAgent, "request": e.RequestID, "key": map[string]any{"id": e.Key, "name": e.KeyName}, "before": e.Before, "after": e.After, "data": e.Data})
}
